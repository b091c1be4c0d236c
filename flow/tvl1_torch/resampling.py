"""The pyramid of a frame, and what a level hands to the next finer one.

Both are weighted sums of a few neighbouring rows, then of a few neighbouring columns. They are added up tap
by tap, not as a product of matrices, whose rounding would depend on how many pairs are computed together.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial

import numpy as np
import torch

from ..schedule import Schedule

Axis = tuple[torch.Tensor, torch.Tensor]
"""Of each number to be made: the first one it takes (n,) int64, and the weights from there on (taps, n)."""


@lru_cache(maxsize=64)
def area(source: int, target: int, device: torch.device) -> Axis:
    """Each of `target` numbers is the mean over its share of `source` numbers (OpenCV's INTER_AREA)."""
    ratio = source / target
    taps = min(int(np.ceil(ratio)) + 1, source)
    begin = np.arange(target) * ratio
    first = np.minimum(np.floor(begin).astype(np.int64), source - taps)
    number = first + np.arange(taps)[:, None]
    covered = np.minimum(begin + ratio, number + 1) - np.maximum(begin, number)
    weights = np.maximum(covered, 0)
    return _axis(first, weights / weights.sum(axis=0), device)


@lru_cache(maxsize=64)
def bilinear(source: int, target: int, device: torch.device, ratio: float | None = None) -> Axis:
    """Linear interpolation at pixel centres, the outermost number beyond the edge (OpenCV's INTER_LINEAR).

    `ratio` is the distance of the places in the source; left out, they fill it evenly.
    """
    ratio = ratio or source / target
    position = np.clip((np.arange(target) + 0.5) * ratio - 0.5, 0, source - 1)
    first = np.minimum(np.floor(position).astype(np.int64), source - 2)
    return _axis(first, np.stack([first + 1 - position, position - first]), device)


def _axis(first: np.ndarray, weights: np.ndarray, device: torch.device) -> Axis:
    return torch.from_numpy(first).to(device), torch.from_numpy(weights.astype(np.float32)).to(device)


def resample(
    planes: torch.Tensor, height: int, width: int, kind: Callable[[int, int, torch.device], Axis]
) -> torch.Tensor:
    """`planes` (…, H, W) as (…, height, width)."""
    rows, row_weights = kind(planes.shape[-2], height, planes.device)
    columns, column_weights = kind(planes.shape[-1], width, planes.device)
    down = planes.index_select(-2, rows) * row_weights[0, :, None]
    for tap in range(1, len(row_weights)):
        down = down + planes.index_select(-2, rows + tap) * row_weights[tap, :, None]
    across = down.index_select(-1, columns) * column_weights[0]
    for tap in range(1, len(column_weights)):
        across = across + down.index_select(-1, columns + tap) * column_weights[tap]
    return across


def pyramid(frames: torch.Tensor, schedule: Schedule) -> list[torch.Tensor]:
    """Pyramids of `frames` (N, H, W) uint8, finest level first: (N, 1, h, w) float32 each."""
    # By the step, not by the sizes, which are rounded: so OpenCV shrinks.
    kind = area if schedule.antialias else partial(bilinear, ratio=1 / schedule.step)
    planes = [frames.unsqueeze(1).to(torch.float32)]
    for height, width in schedule.levels(*frames.shape[1:])[1:]:
        planes.append(resample(planes[-1], height, width, kind))
    return planes

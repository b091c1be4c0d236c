"""The pyramid of a frame, and what a level hands to the next finer one.

Both are weighted sums of a few neighbouring rows, then of a few neighbouring columns. They are added up tap
by tap, not as a product of matrices, whose rounding would depend on how many pairs are computed together.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch

from ..resampling import Axis, to_coarser
from ..schedule import Schedule


@lru_cache(maxsize=64)
def _axis(
    kind: Callable[[int, int], Axis], source: int, target: int, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """What `kind` gives, on `device`: (n,) int64 and (taps, n) float32."""
    first, weights = kind(source, target)
    return torch.from_numpy(first.astype(np.int64)).to(device), torch.from_numpy(weights).to(device)


def resample(planes: torch.Tensor, height: int, width: int, kind: Callable[[int, int], Axis]) -> torch.Tensor:
    """`planes` (…, H, W) as (…, height, width)."""
    rows, row_weights = _axis(kind, planes.shape[-2], height, planes.device)
    columns, column_weights = _axis(kind, planes.shape[-1], width, planes.device)
    down = planes.index_select(-2, rows) * row_weights[0, :, None]
    for tap in range(1, len(row_weights)):
        down = down + planes.index_select(-2, rows + tap) * row_weights[tap, :, None]
    across = down.index_select(-1, columns) * column_weights[0]
    for tap in range(1, len(column_weights)):
        across = across + down.index_select(-1, columns + tap) * column_weights[tap]
    return across


def pyramid(frames: torch.Tensor, schedule: Schedule) -> list[torch.Tensor]:
    """Pyramids of `frames` (N, H, W), finest level first: (N, 1, h, w) float32 each, brightness in 0…255.

    Frames are uint8, or float32 in 0…1.
    """
    finest = frames.unsqueeze(1)
    planes = [finest.to(torch.float32) if finest.dtype == torch.uint8 else finest * 255]
    for height, width in schedule.levels(*frames.shape[1:])[1:]:
        planes.append(resample(planes[-1], height, width, to_coarser(schedule)))
    return planes

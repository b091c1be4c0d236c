"""Resampling along one axis as weighted sums of neighbours, for every engine."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

import numpy as np
import numpy.typing as npt

from .schedule import Schedule

Axis = tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]
"""Of each number to be made: the first one it takes (n,), and the weights from there on (taps, n)."""


def area(source: int, target: int) -> Axis:
    """Each of `target` numbers is the mean over its share of `source` numbers (OpenCV's INTER_AREA)."""
    ratio = source / target
    taps = min(int(np.ceil(ratio)) + 1, source)
    begin = np.arange(target) * ratio
    first = np.minimum(np.floor(begin).astype(np.int32), source - taps)
    number = first + np.arange(taps)[:, None]
    covered = np.minimum(begin + ratio, number + 1) - np.maximum(begin, number)
    weights = np.maximum(covered, 0)
    return first, (weights / weights.sum(axis=0)).astype(np.float32)


def bilinear(source: int, target: int, ratio: float | None = None) -> Axis:
    """Linear interpolation at pixel centres, the outermost number beyond the edge (OpenCV's INTER_LINEAR).

    `ratio` is the distance of the places in the source; left out, they fill it evenly.
    """
    ratio = ratio or source / target
    position = np.clip((np.arange(target) + 0.5) * ratio - 0.5, 0, source - 1)
    first = np.minimum(np.floor(position).astype(np.int32), source - 2)
    second = (position - first).astype(np.float32)
    return first, np.stack([1 - second, second])


@cache
def to_coarser(schedule: Schedule) -> Callable[[int, int], Axis]:
    """How a level of the schedule's pyramid is made of the next finer one."""
    if schedule.antialias:
        return area
    # By the step, not by the sizes, which are rounded: so OpenCV shrinks, and the flow differs for it where
    # motion is large (by 0.06 px on Middlebury's Urban2).
    return partial(bilinear, ratio=1 / schedule.step)

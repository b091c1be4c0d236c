"""How much of an action must be seen until it is recognised."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..statistics.group_bootstrap import estimate, group_weights
from ..statistics.intervals import Estimate


@dataclass(frozen=True, slots=True)
class PartialPredictions:
    """Predictions of the beginning of one example, as more and more of it is seen.

    - `example`, `group`, `label`: as in `Predictions`.
    - `shares`: share of the example that was seen, 0–1, rising; the last is 1.
    - `predicted`: the class predicted at each share; None for no prediction.
    """

    example: str
    group: str
    label: str
    shares: tuple[float, ...]
    predicted: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class RecognitionTime:
    """Of one class: the share of an action seen until its label is right and stays right.

    - `recognised`: share of the examples whose label is right at the end, with an interval over groups.
    - `median`: median share seen, of all examples. Those that are never recognised count as infinite, later
      than the end: so the upper end of the interval may be infinite, and where the median is, it is None.
    - `shares`: the shares that were tried, rising, the last 1: a median is one of them.
    """

    label: str
    recognised: Estimate | None
    median: Estimate | None
    shares: tuple[float, ...]


def share_seen(example: PartialPredictions) -> float:
    """Smallest share from which on the label is right throughout; infinite if it is wrong at the end."""
    return right_from(example.shares, example.predicted, example.label)


def right_from(positions: Sequence[float], predicted: Sequence[str | None], label: str) -> float:
    """First of the rising `positions` from which on the predictions are `label` throughout, else infinite."""
    found = math.inf
    for position, each in zip(reversed(positions), reversed(predicted), strict=True):
        if each != label:
            break
        found = position
    return found


def recognition_times(
    examples: Sequence[PartialPredictions], labels: Sequence[str], seed: int = 0
) -> Mapping[str, RecognitionTime]:
    """Class → its time to recognition; classes without an example are left out.

    `examples` have the same shares. `seed`: of the resamples of the groups.
    """
    times = {}
    for label in labels:
        own = [each for each in examples if each.label == label]
        if not own:
            continue
        seen = np.array([share_seen(each) for each in own])
        weights = group_weights([each.group for each in own], seed=seed)
        groups = len({each.group for each in own})
        recognised = (weights @ np.isfinite(seen)) / weights.sum(1)
        order = np.argsort(seen, kind="stable")
        counted = np.cumsum(weights[:, order], 1)
        middle = (counted >= counted[:, -1:] / 2).argmax(1)
        medians = seen[order][middle]
        times[label] = RecognitionTime(
            label,
            estimate(recognised, groups, len(own)),
            estimate(medians, groups, len(own), proportion=False) if np.isfinite(medians[0]) else None,
            own[0].shares,
        )
    return times

"""How much of an action must be seen until it is recognised."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

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


Predicted = TypeVar("Predicted")


def right_from(positions: Sequence[float], predicted: Sequence[Predicted], label: Predicted) -> float:
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
        seen = [share_seen(each) for each in own]
        groups = [each.group for each in own]
        times[label] = RecognitionTime(
            label, share_reached(seen, groups, seed), median_reached(seen, groups, seed), own[0].shares
        )
    return times


def share_reached(values: Sequence[float], groups: Sequence[str], seed: int = 0) -> Estimate | None:
    """Share of the values, at least one, that are finite, with an interval over groups.

    - `groups`: the group of each value. `seed`: of their resamples.
    """
    weights = group_weights(groups, seed=seed)
    reached = (weights @ np.isfinite(values)) / weights.sum(1)
    return estimate(reached, len(set(groups)), len(values))


def median_reached(values: Sequence[float], groups: Sequence[str], seed: int = 0) -> Estimate | None:
    """Median of the values, at least one, with an interval over groups; infinite ones are the largest.

    None where the median itself is infinite. `groups`, `seed`: see `share_reached`.
    """
    seen, weights = np.array(values), group_weights(groups, seed=seed)
    order = np.argsort(seen, kind="stable")
    counted = np.cumsum(weights[:, order], 1)
    medians = seen[order][(counted >= counted[:, -1:] / 2).argmax(1)]
    if not np.isfinite(medians[0]):
        return None
    return estimate(medians, len(set(groups)), len(values), proportion=False)

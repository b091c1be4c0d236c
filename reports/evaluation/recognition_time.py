"""How much of an action must be seen until it is recognised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..statistics.group_bootstrap import estimate, group_weights
from ..statistics.intervals import Estimate


@dataclass(frozen=True, slots=True)
class Progress:
    """Answers to the beginning of one example, as more and more of it is seen.

    - `example`, `group`, `label`: as in `Answers`.
    - `shares`: share of the example that was seen, 0–1, rising; the last is 1.
    - `predicted`: the class answered at each share.
    """

    example: str
    group: str
    label: str
    shares: tuple[float, ...]
    predicted: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RecognitionTime:
    """Of one class: the share of an action seen until its label is right and stays right.

    - `recognised`: share of the examples whose label is right at the end, with an interval over groups.
    - `median`: median share seen, of all examples; those that are never recognised count as later than 1, and
      where they are half of the examples there is no median.
    """

    label: str
    recognised: Estimate | None
    median: Estimate | None


def share_seen(progress: Progress) -> float | None:
    """Smallest share from which on the label is right throughout; None if it is wrong at the end."""
    found = None
    for share, label in zip(reversed(progress.shares), reversed(progress.predicted), strict=True):
        if label != progress.label:
            break
        found = share
    return found


def recognition_times(
    examples: Sequence[Progress], labels: Sequence[str], seed: int = 0
) -> Mapping[str, RecognitionTime]:
    """Class → its time to recognition; classes without an example are left out."""
    times = {}
    for label in labels:
        own = [each for each in examples if each.label == label]
        if not own:
            continue
        seen = np.array([np.inf if (s := share_seen(each)) is None else s for each in own])
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
            estimate(np.where(np.isinf(medians), np.nan, medians), groups, len(own)),
        )
    return times

"""When the class that matters is predicted: a threshold on its probability, chosen on validation data.

The most probable class treats all mistakes alike. Where a missed fall is worse than a false alarm, or the
other way round, the class of interest is predicted whenever its probability reaches a threshold; for all
other examples, the most probable of the other classes is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from ...errors import UsageError
from .predictions import Predictions, most_probable

Favour = Literal["precision", "recall", "f1"]

BETA: dict[Favour, float] = {"precision": 0.5, "f1": 1.0, "recall": 2.0}
"""Recall counts β times as much as precision in Fβ: van Rijsbergen, Information Retrieval (1979), ch. 7, with
the two values besides 1 that are in common use."""


@dataclass(frozen=True, slots=True)
class Costs:
    """What mistakes about the class of interest cost, in any unit. Raises UsageError unless both are > 0."""

    miss: float
    false_alarm: float

    def __post_init__(self) -> None:
        if not (np.isfinite([self.miss, self.false_alarm]).all() and min(self.miss, self.false_alarm) > 0):
            raise UsageError(
                "must be above 0",
                where="--cost-miss, --cost-false-alarm",
                found=f"miss {self.miss}, false alarm {self.false_alarm}",
            )


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """The rule by which the class `label` is predicted.

    - `threshold`: least probability of the class, 0–1.
    - `favour`: what it was chosen for: a key of `BETA`, or the costs.
    - `examples`, `positives`: how many validation examples it was chosen on, and how many had the class.
    """

    label: str
    threshold: float
    favour: Favour | Costs
    examples: int
    positives: int


def choose(predictions: Predictions, label: str, favour: Favour | Costs = "f1") -> OperatingPoint:
    """The threshold that is best on `predictions`, of validation examples and never of test examples.

    Of all thresholds that are equally good, the middle of the highest run of them: between the probabilities
    of two examples any threshold decides alike, and the middle is farthest from both.

    Raises UsageError if no example, or every example, has the class: nothing can be chosen then.
    """
    column = predictions.column(label)
    positive = predictions.truth == column
    if positive.all() or not positive.any():
        raise UsageError(
            f"no threshold for '{label}' can be chosen",
            where=predictions.name,
            expected="validation examples with the class and without it",
            found=f"{int(positive.sum())} of {len(positive)} with it",
        )
    probability = np.exp(predictions.log_probabilities[:, column])
    levels = np.unique(probability)
    # Between each two probabilities, below the lowest and above the highest.
    candidates = np.concatenate([[levels[0] / 2], (levels[1:] + levels[:-1]) / 2, [(1 + levels[-1]) / 2]])
    # Below each threshold lie the examples that it leaves out.
    of_class, others = np.sort(probability[positive]), np.sort(probability[~positive])
    misses = np.searchsorted(of_class, candidates)
    hits = len(of_class) - misses
    false_alarms = len(others) - np.searchsorted(others, candidates)
    if isinstance(favour, Costs):
        merit = -(favour.miss * misses + favour.false_alarm * false_alarms)
    else:
        beta2 = BETA[favour] ** 2
        merit = (1 + beta2) * hits / ((1 + beta2) * hits + beta2 * misses + false_alarms)
    best = int(np.flatnonzero(merit == merit.max())[-1])
    return OperatingPoint(label, float(candidates[best]), favour, len(positive), int(positive.sum()))


def decide(predictions: Predictions, point: OperatingPoint) -> npt.NDArray[np.int64]:
    """(N,) column of each example's predicted class by the operating point; −1 where there is none."""
    column = predictions.column(point.label)
    reached = predictions.log_probabilities[:, column] >= np.log(point.threshold)
    others = predictions.log_probabilities.copy()
    others[:, column] = -np.inf
    decided: npt.NDArray[np.int64] = np.where(reached, column, most_probable(others))
    return decided

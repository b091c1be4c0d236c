"""When the class that matters is predicted: a threshold on its probability, chosen on validation examples.

The most probable class treats all mistakes alike. Where a missed fall is worse than a false alarm, or the
other way round, the class of interest is predicted whenever its probability reaches a threshold; for all
other examples, the most probable of the other classes is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from .errors import UsageError, unknown_name
from .plain_text import plain_line

Favour = Literal["precision", "recall", "f1"]

BETA: dict[Favour, float] = {"precision": 0.5, "f1": 1.0, "recall": 2.0}
"""Recall counts β times as much as precision in Fβ: van Rijsbergen, Information Retrieval (1979), ch. 7, with
the two values besides 1 that are in common use."""

_IN_WORDS: dict[Favour, str] = {
    "f1": "F1",
    "precision": "F0.5, which favours precision",
    "recall": "F2, which favours recall",
}


@dataclass(frozen=True, slots=True)
class Costs:
    """What mistakes about the class of interest cost, in any unit. Raises ValueError unless both are > 0."""

    miss: float
    false_alarm: float

    def __post_init__(self) -> None:
        if not all(math.isfinite(cost) and cost > 0 for cost in (self.miss, self.false_alarm)):
            raise ValueError("costs must be above 0")


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """The rule by which the class `label` is predicted.

    - `threshold`: least probability of the class, 0–1.
    - `favour`: what it was chosen for: a key of `BETA`, or the costs; None for a threshold that was given.
    - `examples`, `positives`: how many validation examples it was chosen on, and how many of them had the
      class; 0 for a threshold that was given.

    Raises ValueError for a threshold or counts that make no sense.
    """

    label: str
    threshold: float
    favour: Favour | Costs | None = None
    examples: int = 0
    positives: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= 1:
            raise ValueError(f"the threshold of an operating point is {self.threshold}, not between 0 and 1")
        if not 0 <= self.positives <= self.examples:
            raise ValueError(f"{self.positives} of {self.examples} validation examples have the class")

    @property
    def reason(self) -> str:
        """What it was chosen for, as the end of a sentence: "chosen for F1"."""
        if self.favour is None:
            return "given, not chosen"
        if isinstance(self.favour, Costs):
            costs = f"a miss {self.favour.miss:g}, a false alarm {self.favour.false_alarm:g}"
            return f"chosen for the lowest cost ({costs})"
        return f"chosen for {_IN_WORDS[self.favour]}"

    def __str__(self) -> str:
        sentence = (
            f"{plain_line(self.label)} is predicted where its probability is at least "
            f"{100 * self.threshold:.1f} %, {self.reason}"
        )
        if not self.examples:
            return f"{sentence}."
        return f"{sentence}, on {self.examples} validation examples, {self.positives} of them of the class."

    def decide(self, probabilities: npt.NDArray[np.floating], labels: Sequence[str]) -> npt.NDArray[np.int64]:
        """(N,) column of the class that is predicted; −1 for a row in which no class has any probability.

        - `probabilities`: (N, C), 0–1. `labels`: the C classes, this one among them.
        """
        column = labels.index(self.label)
        others = np.array(probabilities, np.float64)
        answered, reached = others.any(1), others[:, column] >= self.threshold
        others[:, column] = -1
        decided: npt.NDArray[np.int64] = np.where(reached, column, others.argmax(1)).astype(np.int64)
        decided[~answered] = -1
        return decided


def criterion(
    favour: str | None, cost_miss: float | None, cost_false_alarm: float | None
) -> Favour | Costs | None:
    """What operating points are chosen for, from the options of a command; None where none is given.

    - `favour`: a key of `BETA`. `cost_miss`, `cost_false_alarm`: both or none, in place of `favour`.

    Raises UsageError for what makes no sense.
    """
    if favour is not None and favour not in get_args(Favour):
        raise unknown_name("value of --favour", favour, get_args(Favour))
    if cost_miss is None and cost_false_alarm is None:
        return favour  # type: ignore[return-value]  # checked above
    where = "--cost-miss, --cost-false-alarm"
    if cost_miss is None or cost_false_alarm is None:
        raise UsageError("one cost alone decides nothing", where=where, remedy="Give both.")
    if favour is not None:
        raise UsageError("cannot be given beside costs", where="--favour", found=favour)
    try:
        return Costs(cost_miss, cost_false_alarm)
    except ValueError as error:
        found = f"miss {cost_miss:g}, false alarm {cost_false_alarm:g}"
        raise UsageError("must be above 0", where=where, found=found) from error


def choose(
    label: str,
    probability: npt.NDArray[np.float64],
    positive: npt.NDArray[np.bool_],
    favour: Favour | Costs = "f1",
    where: object = None,
) -> OperatingPoint:
    """The threshold that is best on validation examples, never on test examples.

    - `label`: the class. `probability`: (N,) of the class. `positive`: (N,) whether an example has it.
    - `favour`: what makes a threshold good. `where`: what an error names.

    Of all thresholds that are equally good, the middle of the highest run of them: between the probabilities
    of two examples any threshold decides alike, and the middle is farthest from both.

    Raises UsageError if no example, or every example, has the class: nothing can be chosen then.
    """
    if positive.all() or not positive.any():
        raise UsageError(
            f"no threshold for '{label}' can be chosen",
            where=where,
            expected="validation examples with the class and without it",
            found=f"{int(positive.sum())} of {len(positive)} with it",
        )
    # The exponential of a logarithm may be above 1.
    probability = np.minimum(probability, 1)
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

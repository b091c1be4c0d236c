"""Figures of a classifier, each with an interval over groups.

All figures are computed at once for the examples as they are and for every resample of their groups
(`group_bootstrap.group_weights`), so that each has its interval and two classifiers can be compared resample
by resample.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..statistics.group_bootstrap import Floats, estimate, group_weights
from ..statistics.intervals import Estimate
from .answers import Answers, in_order_of

FIGURES: Mapping[str, str] = {
    "accuracy": "share of the examples whose class is right",
    "balanced_accuracy": "mean over the classes of their recall",
    "macro_f1": "mean over the classes of their F1",
}
"""Figures of a classifier as a whole, and what they mean."""

CLASS_FIGURES: Mapping[str, str] = {
    "precision": "share of the examples that were given the class and have it",
    "recall": "share of the examples of the class that were given it (sensitivity)",
    "specificity": "share of the examples of other classes that were not given the class",
    "f1": "2 · precision · recall / (precision + recall)",
    "average_precision": "mean of the precision at each example of the class, in order of its probability",
}
"""Figures of one class, and what they mean."""


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """What the answers of one network are worth.

    - `answers`: what was evaluated. `predicted`: (N,) column of the class that each example was given.
    - `overall`: figure of `FIGURES` → its estimate. `by_class`: class → figure of `CLASS_FIGURES` → estimate;
      None where it is undefined, as precision is for a class that no example was given.
    - `confusion`: (C, C) examples of the row's class that were given the column's.
    - `groups`: number of groups. `seed`: of the resamples.
    """

    answers: Answers
    predicted: npt.NDArray[np.int64]
    overall: Mapping[str, Estimate | None]
    by_class: Mapping[str, Mapping[str, Estimate | None]]
    confusion: npt.NDArray[np.int64]
    groups: int
    seed: int


def evaluate(answers: Answers, predicted: npt.NDArray[np.int64] | None = None, seed: int = 0) -> Evaluation:
    """All figures of `answers`.

    - `predicted`: (N,) column of the class that each example was given, where it is not the most probable one
      (`operating_point.decide`). Average precision depends on the probabilities alone.
    - `seed`: of the resamples of the groups.
    """
    chosen = answers.predicted() if predicted is None else predicted
    weights = group_weights(answers.groups, seed=seed)
    overall, by_class = _values(answers, chosen, weights)
    groups = len(set(answers.groups))
    classes: dict[str, dict[str, Estimate | None]] = {}
    for column, label in enumerate(answers.labels):
        own = np.array(answers.truth == column)
        n = int(own.sum())
        # What happens to a class is known from the groups that have it.
        having = len({group for group, has in zip(answers.groups, own, strict=True) if has})
        classes[label] = {
            name: estimate(values[:, column], groups if name == "specificity" else min(groups, having), n)
            for name, values in by_class.items()
        }
    confusion = np.zeros((len(answers.labels), len(answers.labels)), np.int64)
    np.add.at(confusion, (answers.truth, chosen), 1)
    return Evaluation(
        answers,
        chosen,
        {name: estimate(values, groups, len(answers.examples)) for name, values in overall.items()},
        classes,
        confusion,
        groups,
        seed,
    )


@dataclass(frozen=True, slots=True)
class Contrast:
    """How much larger the figures of `second` are than those of `first`, on the same examples.

    - `overall`, `by_class`: as in `Evaluation`; the intervals are those of the differences.
    """

    first: str
    second: str
    overall: Mapping[str, Estimate | None]
    by_class: Mapping[str, Mapping[str, Estimate | None]]


def contrast(first: Answers, second: Answers, seed: int = 0) -> Contrast:
    """`second` against `first`, resample by resample. Raises UsageError for other examples or classes."""
    (second,) = in_order_of(first, [second])
    weights = group_weights(first.groups, seed=seed)
    groups, n = len(set(first.groups)), len(first.examples)
    (overall0, classes0), (overall1, classes1) = (
        _values(answers, answers.predicted(), weights) for answers in (first, second)
    )
    return Contrast(
        first.name,
        second.name,
        {name: estimate(overall1[name] - overall0[name], groups, n) for name in FIGURES},
        {
            label: {
                name: estimate(
                    classes1[name][:, column] - classes0[name][:, column],
                    groups,
                    int((first.truth == column).sum()),
                )
                for name in CLASS_FIGURES
            }
            for column, label in enumerate(first.labels)
        },
    )


def _values(
    answers: Answers, predicted: npt.NDArray[np.int64], weights: Floats
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Figure → (draws,), and figure of the classes → (draws, C); NaN where a figure is undefined."""
    classes = np.arange(len(answers.labels))
    truth = (answers.truth[:, None] == classes).astype(np.float64)
    given = (predicted[:, None] == classes).astype(np.float64)
    hits, positives, predictions = weights @ (truth * given), weights @ truth, weights @ given
    everything = weights.sum(1)
    negatives = everything[:, None] - positives
    with np.errstate(invalid="ignore", divide="ignore"):
        recall = hits / positives
        by_class = {
            "precision": hits / predictions,
            "recall": recall,
            "specificity": (negatives - (predictions - hits)) / negatives,
            "f1": 2 * hits / (positives + predictions),
            "average_precision": np.stack(
                [
                    weighted_average_precision(truth[:, c] > 0, answers.log_probabilities[:, c], weights)
                    for c in classes
                ],
                1,
            ),
        }
        overall = {
            "accuracy": hits.sum(1) / everything,
            # A class that a resample lacks has no recall there, and its F1 says nothing of finding it.
            "balanced_accuracy": _mean(recall, positives > 0),
            "macro_f1": _mean(by_class["f1"], positives > 0),
        }
    return overall, by_class


def _mean(values: Floats, counted: npt.NDArray[np.bool_]) -> Floats:
    mean: Floats = np.where(counted, values, 0.0).sum(1) / counted.sum(1)
    return mean


def weighted_average_precision(labels: npt.NDArray[np.bool_], scores: Floats, weights: Floats) -> Floats:
    """`intervals.average_precision` of examples that count several times, for each row of `weights`.

    - `labels`: (N,). `scores`: (N,). `weights`: (draws, N), 0 or more.

    Returns (draws,), NaN in rows without a positive. Equal scores pass the threshold together.
    """
    order = np.argsort(-scores, kind="stable")
    falling = scores[order]
    last_of_tie = np.append(falling[1:] != falling[:-1], True)
    chosen = weights[:, order]
    hits = np.cumsum(chosen * labels[order], axis=1)[:, last_of_tie]
    taken = np.cumsum(chosen, axis=1)[:, last_of_tie]
    rise = np.diff(hits, prepend=0.0, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(taken > 0, hits / taken, 0.0)
        value: Floats = (precision * rise).sum(1) / hits[:, -1]
    return value


def ranked(evaluations: Sequence[Evaluation], by: str = "macro_f1") -> list[Evaluation]:
    """The evaluations, best first by a figure of `FIGURES`; those without it last."""

    def key(evaluation: Evaluation) -> tuple[bool, float]:
        found = evaluation.overall[by]
        return (found is None, 0.0 if found is None else -found.value)

    return sorted(evaluations, key=key)

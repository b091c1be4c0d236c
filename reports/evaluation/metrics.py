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

from ..statistics.group_bootstrap import (
    Floats,
    estimate,
    group_weights,
    groups_having,
    mean_over_classes,
)
from ..statistics.intervals import Estimate
from .predictions import Predictions, require_same_examples

FIGURES: Mapping[str, str] = {
    "accuracy": "share of the examples whose class is right",
    "balanced_accuracy": "mean of the recall of the classes that have examples",
    "macro_f1": "mean of the F1 of the classes that have examples",
}
"""Figures of a classifier as a whole, and what they mean."""

CLASS_FIGURES: Mapping[str, str] = {
    "precision": "share of the class among the examples predicted as it",
    "recall": "share of the examples of the class that were predicted as it (sensitivity)",
    "specificity": "share of the examples of other classes that were not predicted as the class",
    "f1": "2 · precision · recall / (precision + recall)",
    "average_precision": "mean of the precision at each example of the class, in order of its probability",
}
"""Figures of one class, and what they mean."""


Estimates = Mapping[str, Estimate | None]
"""Figure → its estimate; None where it is undefined."""


@dataclass(frozen=True, slots=True, eq=False)
class Resamples:
    """Figures in all examples (first row) and in each resample of their groups; NaN where undefined.

    - `overall`: figure of `FIGURES` → (1 + draws,). `by_class`: figure of `CLASS_FIGURES` → (1 + draws, C).
    """

    overall: Mapping[str, Floats]
    by_class: Mapping[str, Floats]


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """The figures of one network's predictions.

    - `predictions`: what was evaluated. `predicted`: (N,) column of the predicted class, −1 for none.
    - `overall`: figure of `FIGURES` → its estimate. `by_class`: class → figure of `CLASS_FIGURES` → estimate;
      None where it is undefined, as precision is for a class that is never predicted.
    - `confusion`: (C, C + 1) examples of the row's class that were predicted as the column's; the last column
      counts those without a prediction.
    - `groups`: number of groups. `seed`: of the resamples.
    - `resamples`: from which the intervals are computed.
    """

    predictions: Predictions
    predicted: npt.NDArray[np.int64]
    overall: Estimates
    by_class: Mapping[str, Estimates]
    confusion: npt.NDArray[np.int64]
    groups: int
    seed: int
    resamples: Resamples


def evaluate(
    predictions: Predictions, predicted: npt.NDArray[np.int64] | None = None, seed: int = 0
) -> Evaluation:
    """All figures of `predictions`.

    - `predicted`: (N,) column of the predicted class, where it is not the most probable one
      (`operating_point.decide`). Average precision depends on the probabilities alone.
    - `seed`: of the resamples of the groups.
    """
    chosen = predictions.predicted() if predicted is None else predicted
    resamples = _resampled(predictions, chosen, group_weights(predictions.groups, seed=seed))
    overall, by_class = _estimates(resamples, predictions)
    classes = len(predictions.labels)
    confusion = np.zeros((classes, classes + 1), np.int64)
    # Without a prediction the index is −1, the last column.
    np.add.at(confusion, (predictions.truth, chosen), 1)
    groups = len(set(predictions.groups))
    return Evaluation(predictions, chosen, overall, by_class, confusion, groups, seed, resamples)


@dataclass(frozen=True, slots=True)
class Contrast:
    """How much larger the figures of `second` are than those of `first`, on the same examples.

    - `overall`, `by_class`: as in `Evaluation`; the intervals are those of the differences.
    """

    first: str
    second: str
    overall: Estimates
    by_class: Mapping[str, Estimates]


def contrast(first: Evaluation, second: Evaluation) -> Contrast:
    """`second` against `first`, resample by resample.

    Raises UsageError for other examples or classes, ValueError if the resamples have another seed.
    """
    require_same_examples(first.predictions, second.predictions)
    if first.seed != second.seed:
        raise ValueError(f"resampled with seeds {first.seed} and {second.seed}")
    one, other = first.resamples, second.resamples
    differences = Resamples(
        {name: other.overall[name] - one.overall[name] for name in FIGURES},
        {name: other.by_class[name] - one.by_class[name] for name in CLASS_FIGURES},
    )
    overall, by_class = _estimates(differences, first.predictions, proportion=False)
    return Contrast(first.predictions.name, second.predictions.name, overall, by_class)


def _estimates(
    resamples: Resamples, predictions: Predictions, *, proportion: bool = True
) -> tuple[Estimates, Mapping[str, Estimates]]:
    """The figures as a whole and of each class, each with an interval over the groups that it depends on."""
    of_class = predictions.truth[:, None] == np.arange(len(predictions.labels))
    n, groups = len(predictions.examples), len(set(predictions.groups))
    having = groups_having(of_class, predictions.groups)
    # A mean over classes is known no better than the class of the fewest groups.
    fewest = min(count for count in having if count)
    overall = {
        name: estimate(values, groups if name == "accuracy" else fewest, n, proportion=proportion)
        for name, values in resamples.overall.items()
    }
    by_class = {
        label: {
            name: estimate(
                values[:, column],
                groups if name == "specificity" else having[column],
                int(of_class[:, column].sum()),
                proportion=proportion,
            )
            for name, values in resamples.by_class.items()
        }
        for column, label in enumerate(predictions.labels)
    }
    return overall, by_class


def _resampled(predictions: Predictions, predicted: npt.NDArray[np.int64], weights: Floats) -> Resamples:
    classes = np.arange(len(predictions.labels))
    truth = (predictions.truth[:, None] == classes).astype(np.float64)
    chosen = (predicted[:, None] == classes).astype(np.float64)
    hits, positives, named = weights @ (truth * chosen), weights @ truth, weights @ chosen
    everything = weights.sum(1)
    negatives = everything[:, None] - positives
    with np.errstate(invalid="ignore", divide="ignore"):
        recall, f1 = hits / positives, 2 * hits / (positives + named)
        ranking = [
            weighted_average_precision(truth[:, c] > 0, predictions.log_probabilities[:, c], weights)
            for c in classes
        ]
        return Resamples(
            {
                "accuracy": hits.sum(1) / everything,
                # A class that a resample lacks has no recall there, and its F1 says nothing of finding it.
                "balanced_accuracy": mean_over_classes(recall, positives > 0),
                "macro_f1": mean_over_classes(f1, positives > 0),
            },
            {
                "precision": hits / named,
                "recall": recall,
                "specificity": (negatives - (named - hits)) / negatives,
                "f1": f1,
                "average_precision": np.stack(ranking, 1),
            },
        )


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

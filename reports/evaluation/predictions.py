"""One network's predictions of labelled examples, as an evaluation takes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...errors import UsageError
from ...records.training import ExamplePrediction


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """A network's predictions of N examples of C classes.

    - `name`: of the network or training run.
    - `labels`: the C classes, in the order of the columns.
    - `examples`: id of each example, each once. `groups`: the group of each (film, person, event).
    - `truth`: (N,) column of the right class.
    - `log_probabilities`: (N, C) float64, natural logarithm; −inf is allowed, NaN is not. A row of
      −inf alone is no prediction: the network said nothing of any of the classes.

    Raises UsageError where these do not fit together.
    """

    name: str
    labels: tuple[str, ...]
    examples: tuple[str, ...]
    groups: tuple[str, ...]
    truth: npt.NDArray[np.int64]
    log_probabilities: npt.NDArray[np.float64]

    def __post_init__(self) -> None:
        n, classes = len(self.examples), len(self.labels)
        shapes = (len(self.groups), self.truth.shape, self.log_probabilities.shape)
        if shapes != (n, (n,), (n, classes)):
            raise UsageError(
                "predictions do not fit their examples",
                where=self.name,
                expected=f"{n} groups, truths and rows of {classes} log-probabilities",
                found=shapes,
            )
        if n == 0:
            raise UsageError("there is no example to evaluate", where=self.name)
        if len(set(self.examples)) < n:
            twice = next(name for name in self.examples if self.examples.count(name) > 1)
            raise UsageError("an example was predicted twice", where=self.name, found=twice)
        if np.isnan(self.log_probabilities).any():
            row = int(np.isnan(self.log_probabilities).any(1).argmax())
            raise UsageError("a probability is not a number", where=self.name, found=self.examples[row])

    def predicted(self) -> npt.NDArray[np.int64]:
        """(N,) column of the most probable class, the first of equals; −1 where there is no prediction."""
        return most_probable(self.log_probabilities)

    def column(self, label: str) -> int:
        """Column of a class. Raises UsageError, with the classes there are, for another name."""
        if label not in self.labels:
            raise UsageError(f"has no class '{label}'", where=self.name, expected=", ".join(self.labels))
        return self.labels.index(label)


def joined(name: str, predictions: Sequence[ExamplePrediction]) -> Predictions:
    """What trainings predict, at least one example, under one name; classes in the network's order.

    Raises UsageError if they predict different classes.
    """
    labels = tuple(predictions[0].log_probabilities)
    for each in predictions:
        if each.log_probabilities.keys() != set(labels):
            raise UsageError(
                "its trainings predict different classes",
                where=name,
                expected=", ".join(labels),
                found=", ".join(each.log_probabilities),
            )
    return Predictions(
        name,
        labels,
        tuple(each.example for each in predictions),
        tuple(each.group for each in predictions),
        np.array([labels.index(each.label) for each in predictions], np.int64),
        np.array([[each.log_probabilities[label] for label in labels] for each in predictions]),
    )


def most_probable(log_probabilities: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """(N,) column of each row's largest value, the first of equals; −1 for a row of −inf alone."""
    columns: npt.NDArray[np.int64] = log_probabilities.argmax(1)
    columns[np.isneginf(log_probabilities).all(1)] = -1
    return columns


def require_same_examples(first: Predictions, second: Predictions) -> None:
    """Raise UsageError unless both are of the same classes and, in any order, the same examples."""
    where = f"{first.name}, {second.name}"
    if second.labels != first.labels:
        raise UsageError(
            "predict different classes",
            where=where,
            expected=", ".join(first.labels),
            found=", ".join(second.labels),
        )
    known, other = (
        {e: (g, t) for e, g, t in zip(p.examples, p.groups, p.truth, strict=True)} for p in (first, second)
    )
    if odd := sorted(known.keys() ^ other.keys()):
        raise UsageError("predict different examples", where=where, found=f"{odd[0]} and {len(odd) - 1} more")
    if known != other:
        raise UsageError("have other labels or groups for the same examples", where=where)

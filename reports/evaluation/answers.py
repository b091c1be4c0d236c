"""Answers of one network to labelled examples, as an evaluation takes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...errors import UsageError


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What a network answered to N examples of C classes.

    - `name`: of the network or training run.
    - `labels`: the C classes, in the order of the columns.
    - `examples`: id of each example, each once. `groups`: the group of each (film, person, event).
    - `truth`: (N,) column of the right class.
    - `log_probabilities`: (N, C) float64, natural logarithm; −inf is allowed, NaN is not.

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
                "answers do not fit their examples",
                where=self.name,
                expected=f"{n} groups, truths and rows of {classes} log-probabilities",
                found=shapes,
            )
        if n == 0:
            raise UsageError("there is no example to evaluate", where=self.name)
        if len(set(self.examples)) < n:
            twice = next(name for name in self.examples if self.examples.count(name) > 1)
            raise UsageError("an example was answered twice", where=self.name, found=twice)
        if np.isnan(self.log_probabilities).any():
            row = int(np.isnan(self.log_probabilities).any(1).argmax())
            raise UsageError("an answer is not a number", where=self.name, found=self.examples[row])

    def predicted(self) -> npt.NDArray[np.int64]:
        """(N,) column of the most probable class; the first of equals."""
        best: npt.NDArray[np.int64] = self.log_probabilities.argmax(1)
        return best

    def column(self, label: str) -> int:
        """Column of a class. Raises UsageError, with the classes there are, for another name."""
        if label not in self.labels:
            raise UsageError(f"has no class '{label}'", where=self.name, expected=", ".join(self.labels))
        return self.labels.index(label)


def in_order_of(first: Answers, others: Sequence[Answers]) -> list[Answers]:
    """`others` with their examples in the order of `first`, so that figures can be compared pair by pair.

    Raises UsageError where classes, examples, groups or truths differ: only the same examples are compared.
    """
    aligned = []
    place = {name: row for row, name in enumerate(first.examples)}
    for other in others:
        where = f"{first.name}, {other.name}"
        if other.labels != first.labels:
            raise UsageError(
                "answer different classes",
                where=where,
                expected=", ".join(first.labels),
                found=", ".join(other.labels),
            )
        if set(other.examples) != set(place):
            odd = sorted(set(other.examples) ^ set(place))
            raise UsageError(
                "answer different examples", where=where, found=f"{odd[0]} and {len(odd) - 1} more"
            )
        rows = np.argsort([place[name] for name in other.examples])
        chosen = Answers(
            other.name,
            other.labels,
            first.examples,
            tuple(other.groups[row] for row in rows),
            other.truth[rows],
            other.log_probabilities[rows],
        )
        if chosen.groups != first.groups or (chosen.truth != first.truth).any():
            raise UsageError("have other labels or groups for the same examples", where=where)
        aligned.append(chosen)
    return aligned

"""Operating points of evaluated predictions: chosen on those of validation examples, applied to others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ... import operating_point as rule
from ...operating_point import Costs, Favour, OperatingPoint
from ..numbers import one_line, percent, share
from ..tables.table import Column, Line, Record, Table, table, values
from .metrics import Evaluation, evaluate
from .predictions import Predictions
from .tables import TITLES

_FIGURES = ("precision", "recall", "specificity", "f1")


def choose(predictions: Predictions, label: str, favour: Favour | Costs = "f1") -> OperatingPoint:
    """The threshold for `label` that is best on `predictions`, which are of validation examples.

    Raises UsageError for an unknown class, and if no example, or every example, has the class.
    """
    column = predictions.column(label)
    probability = np.exp(predictions.log_probabilities[:, column])
    return rule.choose(label, probability, predictions.truth == column, favour, where=predictions.name)


def decide(predictions: Predictions, point: OperatingPoint) -> npt.NDArray[np.int64]:
    """(N,) column of each example's predicted class by the operating point; −1 where there is none."""
    return point.decide(np.exp(predictions.log_probabilities), predictions.labels)


def at_operating_points(
    evaluations: Sequence[Evaluation], points: Mapping[str, OperatingPoint]
) -> list[tuple[Evaluation, Evaluation, OperatingPoint]]:
    """(evaluation, the same with its classes predicted by the operating point, that point).

    - `evaluations`: by the most probable class. `points`: name → operating point; those without are left out.
    """
    found = []
    for each in evaluations:
        if (point := points.get(each.predictions.name)) is not None:
            named = replace(each.predictions, name=f"{each.predictions.name} at its operating point")
            found.append((each, evaluate(named, decide(named, point), each.seed), point))
    return found


def operating_point_table(found: Sequence[tuple[Evaluation, Evaluation, OperatingPoint]]) -> Table:
    """Two lines for each classifier of `at_operating_points`: most probable class, and operating point."""
    columns = (
        Column("Model", "left"),
        Column("Class", "left"),
        Column("Predicted where", "left"),
        Column("Examples"),
        Column("Predicted"),
        *(Column(TITLES[name]) for name in _FIGURES),
        Column(f"{TITLES['accuracy']}\nall classes"),
    )

    def lines() -> Iterator[Line]:
        for most_probable, decided, point in found:
            name = most_probable.predictions.name
            for evaluation, threshold in ((most_probable, None), (decided, point.threshold)):
                yield _line(name, evaluation, point.label, threshold)

    return table(
        "at_operating_points",
        "At the operating points",
        columns,
        lines(),
        [
            *(f"{one_line(each.predictions.name)}: {point}" for each, _, point in found),
            "Below the threshold the most probable of the other classes is predicted. Intervals as above.",
        ],
    )


def _line(name: str, evaluation: Evaluation, label: str, threshold: float | None) -> Line:
    column = evaluation.predictions.column(label)
    figures, accuracy = evaluation.by_class[label], evaluation.overall["accuracy"]
    examples = int(evaluation.confusion[column].sum())
    predicted = int(evaluation.confusion[:, column].sum())
    texts = (
        one_line(name),
        one_line(label),
        "most probable" if threshold is None else f"probability ≥ {percent(threshold, 1)}",
        str(examples),
        str(predicted),
        *(share(figures[figure]) for figure in _FIGURES),
        share(accuracy),
    )
    record: Record = {"model": name, "class": label, "threshold": threshold}
    record |= {"examples": examples, "predicted": predicted}
    for figure in _FIGURES:
        record |= values(figure, figures[figure])
    return texts, record | values("accuracy", accuracy)

"""Charts of an evaluation: figures of the classes side by side, precision against recall, confusion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from ...operating_point import OperatingPoint
from ...plain_text import plain_line
from ..charts.chart import Axis, Bars, Chart, Points, bounds, label, methods, style
from ..charts.plots import WIDTH, rendered
from ..charts.plots import style as report_style
from ..numbers import percent, share
from .metrics import Evaluation
from .tables import TITLES

SHOWN = ("precision", "recall", "f1")
"""Figures of a class that are charted."""


def comparison_chart(evaluations: Sequence[Evaluation]) -> Chart:
    """Precision, recall and F1 of each class, a bar for each classifier."""
    labels = evaluations[0].predictions.labels
    rows = [(name, figure) for name in labels for figure in SHOWN]
    thickness = 0.8 / len(evaluations)
    series = []
    for place, evaluation in enumerate(evaluations):
        known = [
            (_row(k, place, len(rows), len(evaluations)), name, figure, found)
            for k, (name, figure) in enumerate(rows)
            if (found := evaluation.by_class[name][figure]) is not None
        ]
        model = label(evaluation.predictions.name)
        series.append(
            Bars(
                model,
                tuple(y for y, _, _, _ in known),
                (0.0,) * len(known),
                tuple(100 * found.value for *_, found in known),
                tuple(f"{model}: {TITLES[f]} of {label(name)} {share(found)}" for _, name, f, found in known),
                style(place)[0],
                thickness,
                tuple(bounds(found, 100) for *_, found in known),
            )
        )
    estimates = [
        e for each in evaluations for figures in each.by_class.values() for f in SHOWN if (e := figures[f])
    ]
    counts = evaluations[0].confusion.sum(1)
    numbers = ", ".join(f"{n} of {label(name)}" for name, n in zip(labels, counts, strict=True))
    return Chart(
        "evaluation",
        "Precision, recall and F1",
        "Precision, recall and F1 of each class, one bar per model, as in the table of classes.",
        f"{numbers} in {evaluations[0].groups} groups. Lines: {methods(estimates) or 'none'}.",
        Axis("%", limits=(0, 102)),
        Axis(
            "",
            ticks=tuple(
                (_row(k, 0, len(rows), 1), f"{label(name, 20)}: {TITLES[figure]}")
                for k, (name, figure) in enumerate(rows)
            ),
        ),
        tuple(series),
        5 + len(rows) * max(1.2, 0.75 * len(evaluations)),
    )


def _row(k: int, place: int, rows: int, bars: int) -> float:
    """Height of bar `place` of `bars` in row `k` of `rows`, the first row on top."""
    return rows - 1 - k - 0.8 * ((place + 0.5) / bars - 0.5)


def precision_recall_chart(
    evaluations: Sequence[Evaluation], target: str, points: Mapping[str, OperatingPoint]
) -> Chart:
    """Precision against recall of the class `target` at every threshold on its probability.

    - `points`: name of a classifier → its operating point, drawn on its curve.
    """
    series: list[Points] = []
    for place, evaluation in enumerate(evaluations):
        predictions = evaluation.predictions
        color, symbol = style(place)
        probability = np.exp(predictions.log_probabilities[:, predictions.column(target)])
        positive = predictions.truth == predictions.column(target)
        order = np.argsort(-probability, kind="stable")
        falling = probability[order]
        # At each threshold, the examples up to the last of those with equal probability.
        last = np.flatnonzero(np.append(falling[1:] != falling[:-1], True))
        thresholds, hits = falling[last], np.cumsum(positive[order])[last]
        recall, precision = 100 * hits / max(1, positive.sum()), 100 * hits / (last + 1)
        texts = tuple(f"probability at least {percent(t, 1)}" for t in thresholds)
        name = label(predictions.name)
        series.append(Points(name, tuple(recall), tuple(precision), texts, color, line="solid"))
        point = points.get(predictions.name)
        if point is None or point.label != target:
            continue
        if (chosen := probability >= point.threshold).any():
            at = float((chosen & positive).sum())
            series.append(
                Points(
                    name,
                    (100 * at / max(1, int(positive.sum())),),
                    (100 * at / int(chosen.sum()),),
                    (f"operating point: probability at least {percent(point.threshold, 1)}",),
                    color,
                    symbol,
                    legend=False,
                )
            )
    marked = any(point.label == target for point in points.values())
    where = " Marks: operating points." if marked else ""
    return Chart(
        "precision_recall",
        f"Precision against recall of {label(target)}",
        f"Precision against recall of {label(target)} at every threshold, one line per model.",
        f"At every threshold on the probability of {label(target)}.{where}",
        Axis("recall, %", limits=(0, 102)),
        Axis("precision, %", limits=(0, 102)),
        tuple(series),
        20,
    )


def confusion_figure(evaluation: Evaluation) -> tuple[str, bytes]:
    """The confusion matrix as SVG and PNG: counts, shaded by their share of the row's class."""
    labels = [label(name, 20) for name in evaluation.predictions.labels]
    counts = evaluation.confusion[:, : len(labels)]
    shares = counts / np.maximum(1, evaluation.confusion.sum(1, keepdims=True))
    side = max(2.6, 0.9 + 0.75 * len(labels))
    with report_style():
        figure = Figure(figsize=(min(WIDTH, side + 1.4), side), layout="constrained")
        axes = figure.add_subplot()
        axes.imshow(shares, vmin=0, vmax=1, cmap="Blues")
        axes.set_xticks(range(len(labels)), labels, rotation=30, ha="right")
        axes.set_yticks(range(len(labels)), labels)
        axes.tick_params(length=0)
        axes.grid(visible=False)
        axes.set_xlabel("predicted")
        axes.set_ylabel("true")
        for (row, column), count in np.ndenumerate(counts):
            ink = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, str(count), ha="center", va="center", color=ink)
        axes.set_title(plain_line(evaluation.predictions.name))
        return rendered(figure, f"Confusion: {plain_line(evaluation.predictions.name)}")

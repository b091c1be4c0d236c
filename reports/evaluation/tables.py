"""Tables of an evaluation: classifiers as a whole, their classes, what is mistaken for what, differences."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..numbers import UNKNOWN, few, listed, number, one_line, percent, share
from ..statistics.intervals import Estimate
from ..tables.table import Column, Line, Record, Table, table, values
from .metrics import CLASS_FIGURES, FIGURES, Contrast, Evaluation
from .recognition_time import RecognitionTime

TITLES = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "macro_f1": "Macro F1",
    "precision": "Precision",
    "recall": "Recall",
    "specificity": "Specificity",
    "f1": "F1",
    "average_precision": "Average precision",
}
"""Figure → its column's title."""


def overall_table(evaluations: Sequence[Evaluation], target: str) -> Table:
    """One line for each classifier; `target` is the class whose sensitivity and specificity are shown."""
    columns = (
        Column("Model", "left"),
        Column("Examples"),
        Column("Groups"),
        *(Column(TITLES[name]) for name in FIGURES),
        Column(f"Sensitivity\n({one_line(target)})"),
        Column(f"Specificity\n({one_line(target)})"),
    )
    found = [e for each in evaluations for e in _shown(each, target).values() if e is not None]
    return table(
        "evaluation",
        "Evaluation",
        columns,
        (_overall_line(each, target) for each in evaluations),
        [
            *_methods(found),
            *(f"{TITLES[name]}: {meaning}." for name, meaning in FIGURES.items()),
            *_lacking(evaluations),
        ],
    )


def _lacking(evaluations: Sequence[Evaluation]) -> Iterator[str]:
    """A note for each class without an example: means over classes leave it out."""
    for column, label in enumerate(evaluations[0].predictions.labels):
        models = [each.predictions.name for each in evaluations if not each.confusion[column].any()]
        if models:
            where = "" if len(models) == len(evaluations) else f" for {few(models)}"
            yield f"There is no example of {one_line(label)}{where}: the means over classes leave it out."


def _shown(evaluation: Evaluation, target: str) -> dict[str, Estimate | None]:
    of_target = evaluation.by_class[target]
    return {
        **evaluation.overall,
        "sensitivity": of_target["recall"],
        "specificity": of_target["specificity"],
    }


def _overall_line(evaluation: Evaluation, target: str) -> Line:
    predictions, shown = evaluation.predictions, _shown(evaluation, target)
    texts = (
        one_line(predictions.name),
        str(len(predictions.examples)),
        str(evaluation.groups),
        *(share(figure) for figure in shown.values()),
    )
    record: Record = {
        "model": predictions.name,
        "examples": len(predictions.examples),
        "groups": evaluation.groups,
    }
    for name, figure in shown.items():
        record |= values(name, figure)
    return texts, record


def class_table(
    evaluations: Sequence[Evaluation], name: str = "evaluation_classes", title: str = "Classes"
) -> Table:
    """One line for each class of each classifier. `name`, `title`: of the table."""
    columns = (
        Column("Class", "left"),
        Column("Model", "left"),
        Column("Examples"),
        Column("Predicted"),
        *(Column(TITLES[name]) for name in CLASS_FIGURES),
    )
    found = [
        e
        for each in evaluations
        for figures in each.by_class.values()
        for e in figures.values()
        if e is not None
    ]
    notes = [
        "Predicted: examples that were predicted as the class.",
        *_methods(found),
        *(f"{TITLES[name]}: {meaning}." for name, meaning in CLASS_FIGURES.items()),
    ]
    return table(name, title, columns, _class_lines(evaluations), notes)


def _class_lines(evaluations: Sequence[Evaluation]) -> Iterator[Line]:
    labels = evaluations[0].predictions.labels if evaluations else ()
    for column, label in enumerate(labels):
        for evaluation in evaluations:
            figures = evaluation.by_class[label]
            examples = int(evaluation.confusion[column].sum())
            predicted = int(evaluation.confusion[:, column].sum())
            record: Record = {
                "class": label,
                "model": evaluation.predictions.name,
                "examples": examples,
                "predicted": predicted,
            }
            for name, figure in figures.items():
                record |= values(name, figure)
            texts = (
                one_line(label),
                one_line(evaluation.predictions.name),
                str(examples),
                str(predicted),
                *(share(figure) for figure in figures.values()),
            )
            yield texts, record


def confusion_table(evaluation: Evaluation, title: str = "Confusion") -> Table:
    """One line for each class: how many of its examples were predicted as which class.

    - `title`: of the table; the model's name follows it.
    """
    labels = evaluation.predictions.labels
    heads = {f"predicted_{label}": f"predicted\n{one_line(label)}" for label in labels}
    if evaluation.confusion[:, -1].any():
        heads["no_prediction"] = "no\nprediction"

    def lines() -> Iterator[Line]:
        for label, row in zip(labels, evaluation.confusion, strict=True):
            counts = [int(count) for count in row[: len(heads)]]
            record: Record = {"class": label, **dict(zip(heads, counts, strict=True))}
            yield (one_line(label), *map(str, counts)), record

    name = one_line(evaluation.predictions.name)
    return table(
        "confusion", f"{title}: {name}", (Column("True", "left"), *map(Column, heads.values())), lines()
    )


def contrast_table(contrasts: Sequence[Contrast]) -> Table:
    """Differences between pairs of classifiers in percentage points; * where an interval leaves out 0."""
    columns = (
        Column("First", "left"),
        Column("Second", "left"),
        Column("Figure", "left"),
        Column("Second − first, points"),
    )
    notes = [
        "Differences on the same examples, resampled together; * marks those whose interval leaves out 0. "
        "The intervals are not adjusted for their number; there is none where there are too few groups, or "
        "where all resamples agree.",
    ]
    return table("contrasts", "Differences", columns, _contrast_lines(contrasts), notes)


def _contrast_lines(contrasts: Sequence[Contrast]) -> Iterator[Line]:
    for each in contrasts:
        named = [(TITLES[name], figure) for name, figure in each.overall.items()]
        named += [
            (f"{TITLES[name]} of {one_line(label)}", figure)
            for label, figures in each.by_class.items()
            for name, figure in figures.items()
            if name != "specificity"
        ]
        for title, figure in named:
            record: Record = {"first": each.first, "second": each.second, "figure": title}
            yield (
                (one_line(each.first), one_line(each.second), title, points(figure)),
                record | values("difference", figure),
            )


def points(difference: Estimate | None) -> str:
    """A difference of shares in percentage points with its interval: "+3.1 (+0.2 to +6.0) *"."""
    if difference is None:
        return number(None)
    value = _signed(difference.value)
    interval = difference.interval
    if interval is None:
        return value
    clear = interval.low > 0 or interval.high < 0
    return f"{value} ({_signed(interval.low)} to {_signed(interval.high)}){' *' if clear else ''}"


def _signed(difference: float) -> str:
    """In percentage points, with a sign unless it is rounded to zero."""
    text = f"{100 * difference:+.1f}"
    return "0.0" if float(text) == 0 else text.replace("-", "−")


def recognition_table(times: Sequence[tuple[str, RecognitionTime]]) -> Table:
    """Of (model, time of a class): the share of an action seen until its label is right and stays right."""
    columns = (
        Column("Model", "left"),
        Column("Class", "left"),
        Column("Examples"),
        Column("Right at the end"),
        Column("Share seen, median"),
    )

    def lines() -> Iterator[Line]:
        for model, time in times:
            n = time.recognised.n if time.recognised is not None else 0
            record: Record = {"model": model, "class": time.label, "examples": n}
            record |= values("recognised", time.recognised) | values("share_seen", time.median)
            yield (
                (
                    one_line(model),
                    one_line(time.label),
                    str(n),
                    share(time.recognised),
                    _share_seen(time.median),
                ),
                record,
            )

    tried = listed(percent(each) for each in times[0][1].shares)
    notes = [
        f"Shares that were tried: {tried}; a median is one of them.",
        "An action that is never recognised counts as later than its end. "
        "–: the median lies later than the end; ∞: so may the median, by its interval.",
        *_methods([e for _, time in times for e in (time.recognised, time.median) if e is not None]),
        "A median also has none where all resamples agree.",
    ]
    return table("recognition_time", "Time to recognition", columns, lines(), notes)


def _share_seen(median: Estimate | None) -> str:
    if median is None or median.interval is None or math.isfinite(median.interval.high):
        return share(median)
    return f"{percent(median.value)} [{100 * median.interval.low:.0f}–∞]"


def parameter_table(settings: Mapping[str, Mapping[str, Any]]) -> Table:
    """One line for each run: the settings in which the runs differ, from (run → setting → its value)."""
    names = list(dict.fromkeys(name for given in settings.values() for name in given))
    columns = (Column("Run", "left"), *(Column(name.replace("_", " "), "left") for name in names))

    def lines() -> Iterator[Line]:
        for run, given in settings.items():
            texts = {name: _setting_text(given.get(name)) for name in names}
            yield (one_line(run), *texts.values()), {"run": run, **texts}

    return table("parameters", "Runs", columns, lines(), ["Settings in which the runs differ."])


def _setting_text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {item}" for key, item in value.items()) or UNKNOWN
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or UNKNOWN
    return UNKNOWN if value is None else one_line(str(value))


def _methods(found: Sequence[Estimate]) -> list[str]:
    """Which intervals stand beside the figures."""
    methods = sorted({e.interval.method for e in found if e.interval is not None})
    if not methods:
        return ["Without intervals: there are too few groups."]
    # Where it replaces the bootstrap: `group_bootstrap.interval`.
    named = [f"{m} (where all resamples agree)" if m.startswith("Wilson") else m for m in methods]
    return [f"Intervals: {'; '.join(named)}; none where there are too few groups."]

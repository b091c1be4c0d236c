"""An evaluation as files: evaluation.md, evaluation.json, tables/*.csv, plots/*."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...operating_point import OperatingPoint
from ...plain_text import plain_line
from ..charts.plots import draw
from ..formats.export import csv
from ..formats.markdown import bullets, escape, plot, section
from ..tables.table import Table
from .charts import comparison_chart, confusion_figure, precision_recall_chart
from .metrics import Contrast, Evaluation
from .operating_point import at_operating_points, operating_point_table
from .recognition_time import RecognitionTime
from .tables import (
    class_table,
    confusion_table,
    contrast_table,
    overall_table,
    parameter_table,
    recognition_table,
)
from .writing import write_document

SCHEMA = 1
"""Version of evaluation.json; raised when a key changes its name or its meaning."""


TABLES = (
    "parameters",
    "evaluation",
    "evaluation_classes",
    "at_operating_points",
    "contrasts",
    "recognition_time",
    "held_out_classes",
)
"""Names of all tables but the confusions, whose files are numbered: an evaluation lacks some of these."""

_NUMBERED = "*confusion-[0-9]*-*"


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Evaluations on examples of a second set.

    - `note`: on which set, of which models, and how often each example counts.
    - `evaluations`: at least one; all of the same classes.
    """

    note: str
    evaluations: Sequence[Evaluation]


@dataclass(frozen=True, slots=True)
class EvaluationContents:
    """What the document of an evaluation holds.

    - `title`: its heading. `target`: the class of interest, e.g. falling.
    - `evaluations`: at least one; all of the same classes.
    - `contrasts`: differences between pairs of them.
    - `points`: name of a model → its operating point.
    - `times`: (model, time to recognition of a class).
    - `notes`: what must stand beside the figures: skipped examples, random weights, licences.
    - `settings`: run → setting → its value, for runs that differ in settings.
    - `held_out`: the same or some of the models on a second set.
    """

    title: str
    target: str
    evaluations: Sequence[Evaluation]
    contrasts: Sequence[Contrast] = ()
    points: Mapping[str, OperatingPoint] = field(default_factory=dict)
    times: Sequence[tuple[str, RecognitionTime]] = ()
    notes: Sequence[str] = ()
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    held_out: HeldOut | None = None


def write_evaluation(contents: EvaluationContents, out: Path) -> Path:
    """Write all forms into the folder `out`, each file whole; returns the path of evaluation.md.

    Tables and plots of an earlier evaluation in it that this one does not have are removed. Raises UsageError
    if they cannot be written.
    """
    evaluations, held_out = contents.evaluations, contents.held_out
    tables = [overall_table(evaluations, contents.target), class_table(evaluations)]
    parameters = [parameter_table(contents.settings)] if contents.settings else []
    if contents.contrasts:
        tables.append(contrast_table(contents.contrasts))
    if contents.times:
        tables.append(recognition_table(contents.times))
    charts = [
        comparison_chart(evaluations),
        precision_recall_chart(evaluations, contents.target, contents.points),
    ]
    confusions = _confusions("confusion", evaluations)
    pictures = {chart.name: (drawing.svg, drawing.png) for chart in charts for drawing in [draw(chart)]}

    parts = [
        f"# {escape(contents.title)}",
        bullets(contents.notes),
        *(part for each in parameters for part in section(each, "##")),
        *section(tables[0], "##"),
        *plot(charts[0], "##"),
        *section(tables[1], "##"),
        *plot(charts[1], "##"),
    ]
    decided = at_operating_points(evaluations, contents.points)
    if decided:
        tables.insert(2, operating_point_table(decided))
    for each in tables[2:]:
        parts += section(each, "##")
    parts += ["## Confusion", *_shown(confusions)]
    matrices = {"confusion": confusions}
    if decided:
        matrices["operating_point_confusion"] = confusions = _confusions(
            "operating-point-confusion", [evaluation for _, evaluation, _ in decided]
        )
        parts += _shown(confusions)
    if held_out is not None:
        matrices["held_out_confusion"] = confusions = _confusions(
            "held-out-confusion", held_out.evaluations, "Confusion on the held-out set"
        )
        tables.append(class_table(held_out.evaluations, "held_out_classes", "Classes on the held-out set"))
        parts += ["## Held-out set", escape(held_out.note), *section(tables[-1], "###"), *_shown(confusions)]
    for named in matrices.values():
        pictures |= {name: confusion_figure(evaluation) for name, (evaluation, _) in named.items()}
    files: dict[str, str | bytes] = {f"tables/{each.name}.csv": csv(each) for each in (*parameters, *tables)}
    for named in matrices.values():
        files |= {f"tables/{name}.csv": csv(matrix) for name, (_, matrix) in named.items()}
    for name, (svg, png) in pictures.items():
        files |= {f"plots/{name}.svg": svg, f"plots/{name}.png": png}
    document = _document(contents, [*parameters, *tables], matrices)
    return write_document(out, "evaluation", parts, document, files, _earlier(out))


_Confusions = Mapping[str, tuple[Evaluation, Table]]


def _confusions(kind: str, evaluations: Sequence[Evaluation], title: str = "Confusion") -> _Confusions:
    """Name of its files → a model's evaluation and matrix; numbered, as file names of two may be the same."""
    return {
        f"{kind}-{number}-{_file_name(each.predictions.name)}": (each, confusion_table(each, title))
        for number, each in enumerate(evaluations, 1)
    }


def _shown(confusions: _Confusions) -> Iterator[str]:
    for name, (_, matrix) in confusions.items():
        yield from section(matrix, "###")
        yield f"![{escape(matrix.title)}](plots/{name}.svg)"


def _earlier(out: Path) -> list[Path]:
    """What an earlier evaluation may have left in `out`: tables and plots that not all evaluations have."""
    found = [out / "tables" / f"{name}.csv" for name in TABLES]
    for folder in ("tables", "plots"):
        found += (out / folder).glob(_NUMBERED)
    return found


def _document(
    contents: EvaluationContents, tables: Sequence[Table], matrices: Mapping[str, _Confusions]
) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "title": contents.title,
        "target": contents.target,
        "notes": list(contents.notes),
        "operating_points": {
            name: {
                "class": point.label,
                "threshold": point.threshold,
                "reason": point.reason,
                "examples": point.examples,
                "positives": point.positives,
            }
            for name, point in contents.points.items()
        },
        **{each.name: list(each.records) for each in tables},
        **{
            key: {evaluation.predictions.name: list(matrix.records) for evaluation, matrix in named.values()}
            for key, named in matrices.items()
        },
    }


def _file_name(name: str) -> str:
    """A model's name as part of a file's name."""
    return re.sub(r"[^A-Za-z0-9]+", "-", plain_line(name)).strip("-") or "model"

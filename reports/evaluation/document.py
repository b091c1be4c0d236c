"""An evaluation as files: evaluation.md, evaluation.json, tables/*.csv, plots/*."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...atomic import replacing
from ...errors import UsageError
from ...plain_text import plain_line
from ..charts.plots import draw
from ..formats.export import csv
from ..formats.markdown import bullets, escape, plot, section
from ..tables.table import Table
from .charts import comparison_chart, confusion_figure, precision_recall_chart
from .metrics import Contrast, Evaluation
from .operating_point import OperatingPoint
from .recognition_time import RecognitionTime
from .tables import (
    class_table,
    confusion_table,
    contrast_table,
    operating_point_text,
    overall_table,
    parameter_table,
    recognition_table,
)

SCHEMA = 1
"""Version of evaluation.json; raised when a key changes its name or its meaning."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What the document of an evaluation holds.

    - `title`: its heading. `target`: the class that matters most, e.g. falling.
    - `evaluations`: at least one; all of the same classes.
    - `contrasts`: differences between pairs of them.
    - `points`: name of a model → its operating point.
    - `times`: (model, time to recognition of a class).
    - `notes`: what must stand beside the figures: skipped examples, random weights, licences.
    - `settings`: run → setting → its value, for runs that differ in settings.
    """

    title: str
    target: str
    evaluations: Sequence[Evaluation]
    contrasts: Sequence[Contrast] = ()
    points: Mapping[str, OperatingPoint] = field(default_factory=dict)
    times: Sequence[tuple[str, RecognitionTime]] = ()
    notes: Sequence[str] = ()
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def write_evaluation(findings: Findings, out: Path) -> Path:
    """Write all forms into the folder `out`, each file whole; returns the path of evaluation.md.

    Raises UsageError if they cannot be written.
    """
    evaluations = findings.evaluations
    tables = [overall_table(evaluations, findings.target), class_table(evaluations)]
    parameters = [parameter_table(findings.settings)] if findings.settings else []
    if findings.contrasts:
        tables.append(contrast_table(findings.contrasts))
    if findings.times:
        tables.append(recognition_table(findings.times))
    # Numbered, because two names may give the same name of a file.
    confusions = {f"confusion-{n}-{_file_name(e.answers.name)}": e for n, e in enumerate(evaluations, 1)}
    charts = [
        comparison_chart(evaluations),
        precision_recall_chart(evaluations, findings.target, findings.points),
    ]
    pictures = {chart.name: (drawing.svg, drawing.png) for chart in charts for drawing in [draw(chart)]}
    pictures |= {name: confusion_figure(evaluation) for name, evaluation in confusions.items()}
    matrices = {name: confusion_table(evaluation) for name, evaluation in confusions.items()}

    parts = [
        f"# {escape(findings.title)}",
        bullets(findings.notes),
        *(part for each in parameters for part in section(each, "##")),
        *section(tables[0], "##"),
        *plot(charts[0], "##"),
        *section(tables[1], "##"),
        *plot(charts[1], "##"),
        bullets(f"{name}: {operating_point_text(point)}" for name, point in findings.points.items()),
    ]
    for each in tables[2:]:
        parts += section(each, "##")
    parts.append("## Confusion")
    for name, matrix in matrices.items():
        picture = f"![{escape(matrix.title)}](plots/{name}.svg)"
        parts += [*section(matrix, "###"), picture]
    try:
        for folder in ("tables", "plots"):
            (out / folder).mkdir(parents=True, exist_ok=True)
        for each in (*parameters, *tables):
            _write(out / "tables" / f"{each.name}.csv", csv(each))
        for name, matrix in matrices.items():
            _write(out / "tables" / f"{name}.csv", csv(matrix))
        for name, (svg, png) in pictures.items():
            _write(out / "plots" / f"{name}.svg", svg)
            _write(out / "plots" / f"{name}.png", png)
        _write(out / "evaluation.json", _json(findings, [*parameters, *tables], matrices))
        return _write(out / "evaluation.md", "\n\n".join(part for part in parts if part) + "\n")
    except OSError as error:
        raise UsageError(
            f"the evaluation cannot be written: {error.strerror}",
            where=error.filename or out,
            remedy="Name another folder: --out FOLDER.",
        ) from error


def _json(findings: Findings, tables: Sequence[Table], matrices: Mapping[str, Table]) -> str:
    document = {
        "schema": SCHEMA,
        "title": findings.title,
        "target": findings.target,
        "notes": list(findings.notes),
        "operating_points": {
            name: {"class": point.label, "threshold": point.threshold}
            for name, point in findings.points.items()
        },
        **{each.name: [_finite(record) for record in each.records] for each in tables},
        "confusion": {
            matrix.title.partition(": ")[2]: [_finite(record) for record in matrix.records]
            for matrix in matrices.values()
        },
    }
    return json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def _finite(record: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in record.items()
    }


def _file_name(name: str) -> str:
    """A model's name as part of a file's name."""
    return re.sub(r"[^A-Za-z0-9]+", "-", plain_line(name)).strip("-") or "model"


def _write(path: Path, content: str | bytes) -> Path:
    with replacing(path, sync=False) as file:
        file.write(content if isinstance(content, bytes) else content.encode())
    return path

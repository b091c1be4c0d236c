"""An evaluation of live labels as files: live-evaluation.md, live-evaluation.json, tables/*.csv, plots/*."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..charts.plots import draw
from ..formats.export import csv
from ..formats.markdown import bullets, escape, plot, section
from ..numbers import few
from .live_tables import (
    LiveEvaluation,
    action_table,
    false_alarm_list,
    false_alarm_table,
    recognition_chart,
    recognition_table,
    settings_table,
)
from .writing import write_document

SCHEMA = 1
"""Version of live-evaluation.json; raised when a key changes its name or its meaning."""

DOCUMENT = "live-evaluation"


def write_live_evaluation(contents: LiveEvaluation, out: Path) -> Path:
    """Write all forms into the folder `out`, each file whole; returns the path of live-evaluation.md.

    Raises UsageError if they cannot be written.
    """
    recognition, alarms = recognition_table(contents), false_alarm_table(contents)
    settings, actions, each_alarm = (
        settings_table(contents.session),
        action_table(contents),
        false_alarm_list(contents),
    )
    title = f"Live labels of {contents.session.model} on {contents.name}"
    notes = [*_unknown(contents), *contents.notes]
    chart = recognition_chart(contents) if contents.found else None
    recognised = section(recognition, "##") if contents.found else []
    parts = [
        f"# {escape(title)}",
        bullets(notes),
        *recognised,
        *plot(chart),
        *section(alarms, "##"),
        *section(settings, "##"),
        *(section(actions, "##") if contents.found else []),
        *section(each_alarm, "##"),
    ]
    tables = (recognition, alarms, settings, actions, each_alarm)
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "title": title,
        "target": contents.target,
        "notes": notes,
        **{each.name: list(each.records) for each in tables},
    }
    files: dict[str, str | bytes] = {f"tables/{each.name}.csv": csv(each) for each in tables}
    if chart is not None:
        drawing = draw(chart)
        files |= {f"plots/{chart.name}.svg": drawing.svg, f"plots/{chart.name}.png": drawing.png}
    return write_document(out, DOCUMENT, parts, document, files)


def _unknown(contents: LiveEvaluation) -> list[str]:
    """What is annotated and cannot be recognised."""
    annotated = dict.fromkeys(action.label for video in contents.videos for action in video.actions)
    others = [name for name in annotated if name not in contents.labels]
    if not others:
        return []
    return [
        f"Annotated, and what {contents.session.model} has no class for, or takes for no action: "
        f"{few(others, 12)}."
    ]

"""The composition of a set as files: tables for reading and as CSV, the chart, the traps."""

from __future__ import annotations

from pathlib import Path

from ...atomic import replacing
from ...errors import UsageError
from ...records.composition import Composition
from ..charts.plots import draw
from ..formats.export import csv
from ..formats.markdown import bullets, escape, grid
from .distribution import distribution_chart, distribution_table
from .traps import traps


def write_composition(composition: Composition, folder: Path) -> Path:
    """Write composition.md, tables/distribution.csv and plots/distribution.svg and .png; the first's path.

    Each file is replaced whole. Raises UsageError if that cannot be written.
    """
    table, drawing = distribution_table(composition), draw(distribution_chart(composition))
    chart = drawing.chart
    found = [f"{trap.name}: {trap.measured}. {trap.remedy}." for trap in traps(composition)]
    parts = [
        f"# {escape(composition.name)}: what it is made of",
        grid(table),
        f"![{escape(chart.alt)}](plots/{chart.name}.svg)",
        f"*{escape(chart.caption)}*",
        "## Traps",
        bullets(found) or "None was found.",
        f"*{escape(looked_for(composition))}*",
        "## Notes" if composition.notes else "",
        bullets(composition.notes),
    ]
    files = {
        "tables/distribution.csv": csv(table).encode(),
        "plots/distribution.svg": drawing.svg.encode(),
        "plots/distribution.png": drawing.png,
        "composition.md": ("\n\n".join(part for part in parts if part) + "\n").encode(),
    }
    try:
        for name, content in files.items():
            with replacing(folder / name, sync=False) as file:
                file.write(content)
    except OSError as error:
        raise UsageError(f"cannot be written: {error.strerror}", where=error.filename or folder) from error
    return folder / "composition.md"


def looked_for(composition: Composition) -> str:
    """What the traps are about, and what was not looked for."""
    measured = [shortcut.feature for shortcut in composition.shortcuts]
    absent = [feature for feature in ("source", "length", "brightness") if feature not in measured]
    text = "Looked for: the same bytes, groups across the official split, few or large groups, "
    text += ", ".join(["classes of one source", *(f"{feature} alone" for feature in measured)])
    if composition.pictures_compared:
        text += ", the same pictures"
    else:
        absent.append("the same pictures")
    return f"{text}. Not looked for: {', '.join(absent)}." if absent else f"{text}."

"""The composition of a set as files: the table for reading and as CSV, the chart, shortcuts and leaks."""

from __future__ import annotations

from pathlib import Path

from ...errors import UsageError
from ...records.composition import Composition
from ..charts.plots import draw
from ..formats.export import csv
from ..formats.files import write_files
from ..formats.markdown import bullets, escape, grid
from .distribution import distribution_chart, distribution_table
from .flaws import Judgement


def write_composition(composition: Composition, judgement: Judgement, folder: Path) -> Path:
    """Write composition.md, tables/distribution.csv and plots/distribution.svg and .png; the first's path.

    - `judgement`: of the composition.

    Each file is replaced whole. Raises UsageError if that cannot be written.
    """
    table, drawing = distribution_table(composition), draw(distribution_chart(composition))
    chart = drawing.chart
    unjudged = list(map(str, judgement.not_judged))
    none = "None was found by what could be judged." if unjudged else "None was found."
    parts = [
        f"# Composition of {escape(composition.name)}",
        grid(table),
        f"![{escape(chart.alt)}](plots/{chart.name}.svg)",
        f"*{escape(chart.caption)}*",
        "## Shortcuts and leaks",
        bullets(map(str, judgement.flaws)) or none,
        "## Not judged" if unjudged else "",
        bullets(unjudged),
        f"*{escape(judgement.scope)}*",
        "## Notes" if composition.notes else "",
        bullets(composition.notes),
    ]
    files: dict[str, str | bytes] = {
        "tables/distribution.csv": csv(table),
        "plots/distribution.svg": drawing.svg,
        "plots/distribution.png": drawing.png,
        "composition.md": "\n\n".join(part for part in parts if part) + "\n",
    }
    try:
        write_files(folder, files)
    except OSError as error:
        raise UsageError(f"cannot be written: {error.strerror}", where=error.filename or folder) from error
    return folder / "composition.md"

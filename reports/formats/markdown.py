"""report.md for GitHub: the verdict, the comparison, then all other tables and charts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

from tabulate import tabulate

from ...plain_text import plain, plain_line
from ..analysis.summary import Summary
from ..caveats import caveats, weights_notes
from ..charts.chart import Chart
from ..sentences import verdict
from ..tables.table import Table

MOST_ROWS = 50
"""Rows of a table shown in the report; the CSV file has all."""

_PLOTS: Mapping[str, Mapping[str, str | None]] = {
    "deployment": {"pareto": "##"},
    "confusions": {"confusions": None},
    "classes": {"classes": None},
    "stages": {"stages": None, "repetitions": "###"},
}
"""Table → the charts that follow it, each with the level of its heading, None for no heading."""

_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", "$": "&#36;"}
# Brackets alone are nothing; a link, an image or a definition needs what follows the closing one.
_SPECIAL = re.compile(r"[&<>|$\\`*_~#]|\](?=[(\[:])|:(?=//)|(?<=www)\.", re.IGNORECASE)
# What begins a list, a task, a heading or a rule where it comes first: "1. ", "- ", "[ ]", "===", "---".
_BLOCK_START = re.compile(r"^(\d*)([.)](?= |$)|[-+=](?=[-= ]|$)|\[)")


def escape(text: str) -> str:
    """`text` on one line, escaped for Markdown and HTML in a paragraph, list or table.

    Bare addresses and dollar signs are escaped too: GitHub turns them into links and formulas.
    """
    text = _SPECIAL.sub(lambda m: _ENTITIES.get(m[0], f"\\{m[0]}"), plain_line(text))
    return _BLOCK_START.sub(r"\1\\\2", text)


def report(summary: Summary, tables: Iterable[Table], charts: Iterable[Chart] = ()) -> str:
    """The whole report as GitHub-flavoured Markdown; the same summary gives the same text.

    - `tables`: the report's, in their order.
    - `charts`: those that are in the folder plots/ beside report.md.
    """
    plots = {chart.name: chart for chart in charts}
    names = ", ".join(escape(m.name) for m in summary.models)
    on = ", ".join(dict.fromkeys(escape(str(d.run.data.get("name", ""))) for d in summary.merged.runs))
    parts = [
        f"# ActionBench: {names} on {on}",
        bullets(verdict(summary)),
        *(f"> **{escape(note)}**" for note in weights_notes(summary)),
    ]
    for table in tables:
        if table.name == "runs":
            parts += ["## Caveats", bullets(caveats(summary))]
        parts += _placed(table)
        for name, level in _PLOTS.get(table.name, {}).items():
            parts += plot(plots.get(name), level)
    parts += [_config(d.name, d.run.config) for d in summary.merged.runs]
    return "\n\n".join(part for part in parts if part) + "\n"


def _placed(table: Table) -> list[str]:
    """A table in its place: the comparison directly below the verdict, the environment folded."""
    if table.name == "comparison":
        return [grid(table), bullets(table.notes)]
    if table.name == "environment":
        return ["<details><summary>Environment</summary>", grid(table), "</details>"]
    return section(table, "###" if table.name in ("at_operating_points", "confusions") else "##")


def section(table: Table, level: str) -> list[str]:
    """A table below a heading of `level`, "##" for one, its notes behind it; nothing of an empty table."""
    if not table.rows and not table.notes:
        return []
    return [f"{level} {escape(table.title)}", grid(table), bullets(table.notes)]


def plot(chart: Chart | None, level: str | None = None) -> list[str]:
    """The picture of a chart, which lies in plots/, with its caption; nothing of None."""
    if chart is None:
        return []
    heading = [] if level is None else [f"{level} {escape(chart.title)}"]
    picture = f"![{escape(chart.alt)}](plots/{chart.name}.svg)"
    return [*heading, picture, f"*{escape(chart.caption)}*"]


def grid(table: Table) -> str:
    """The table's rows, the first `MOST_ROWS` of them; empty if it has none."""
    if not table.rows:
        return ""
    grid = tabulate(
        [[_cell(text) for text in row] for row in table.rows[:MOST_ROWS]],
        headers=[_cell(column.title) for column in table.columns],
        tablefmt="pipe",
        colalign=[column.align for column in table.columns],
        disable_numparse=True,
    )
    more = len(table.rows) - MOST_ROWS
    return grid if more <= 0 else f"{grid}\n\n… and {more} more in tables/{table.name}.csv."


def _cell(text: str) -> str:
    return "<br>".join(escape(line) for line in text.split("\n"))


def bullets(notes: Iterable[str]) -> str:
    """The notes as a list, each on one line; empty if there is none."""
    return "\n".join(f"- {escape(note)}" for note in notes)


def _config(name: str, config: object) -> str:
    """A run's configuration. No line of indented JSON can begin with a fence, so none can end it."""
    text = plain(json.dumps(config, ensure_ascii=False, indent=2, default=str))
    return (
        f"<details><summary>Configuration of {escape(name)}</summary>\n\n```json\n{text}\n```\n\n</details>"
    )

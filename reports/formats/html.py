"""report.html: one file that loads nothing, for phones, desktops and printers.

Every text from data reaches the page through Jinja's autoescaping or `tojson`. A Content-Security-Policy
allows only the page's own scripts, by digest, and no requests.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from ...plain_text import plain, plain_line
from ...records.run_directory import thumbnail_path
from ..analysis.deployment import Deployment, deployments
from ..analysis.deployment import notes as deployment_notes
from ..analysis.mistakes import Mistake, worst_mistakes
from ..analysis.summary import Summary
from ..caveats import caveats, weights_notes
from ..charts.chart import Chart
from ..charts.interactive import csp_digest, figure, library
from ..charts.plots import Drawing, inline
from ..numbers import percent, share, spread
from ..sentences import verdict
from ..tables.comparison import folded
from ..tables.table import Table
from .files import stays_inside

_REPORTS = __package__.rpartition(".")[0]
"""The package that holds templates/."""

MOST_ROWS = 300
"""Rows of a table shown in the page; the CSV file has all."""

MOST_MISTAKES = 12

MOST_CARDS = 4
"""Models whose cards are shown at once; those of the others are folded."""

MOST_NAMES = 4
"""Models that the heading names."""

_MOST_THUMBNAIL_BYTES = 100_000
"""A thumbnail of 160 pixels has about 10 kB; a larger file is not one that a run wrote."""

_JPEG = b"\xff\xd8\xff"

_POLICY = "default-src 'none'; script-src {scripts}; style-src 'unsafe-inline'; img-src data:"


@dataclass(frozen=True, slots=True)
class Plot:
    """A chart of the page: as SVG, which is shown at once, and as a figure for Plotly."""

    chart: Chart
    svg: Markup
    figure: dict[str, Any]


def page(summary: Summary, tables: Iterable[Table], drawings: Iterable[Drawing]) -> str:
    """The whole page; the same summary gives the same text.

    - `tables`: the report's, in their order.
    - `drawings`: the report's charts.
    """
    by_name = {table.name: table for table in tables}
    # Tables that the template does not place follow one another.
    placed = set(re.findall(r"\btables\.(\w+)", _file("report.html")))
    script = _file("report.js")
    plotly = library()
    own = csp_digest(script.encode())
    return (
        _environment()
        .get_template("report.html")
        .render(
            title=_title(summary),
            summary=summary,
            policy=_POLICY.format(scripts=f"{own} {plotly.digest}"),
            style=Markup(_file("report.css")),
            script=Markup(script),
            plotly=plotly.packed,
            deployments=deployments(summary),
            deployment_notes=deployment_notes(summary),
            verdict=verdict(summary),
            warnings=weights_notes(summary),
            caveats=caveats(summary),
            tables=by_name,
            comparison=folded(by_name["comparison"]),
            colours={m.name: number for number, m in enumerate(summary.models)},
            others=[table for name, table in by_name.items() if name not in placed],
            plots={d.chart.name: Plot(d.chart, Markup(inline(d)), figure(d.chart)) for d in drawings},
            mistakes=[
                (mistake, _thumbnail(summary, mistake)) for mistake in worst_mistakes(summary, MOST_MISTAKES)
            ],
            configs=[(data.name, _config(data.run.config)) for data in summary.merged.runs],
        )
    )


def _title(summary: Summary) -> str:
    names = ", ".join(m.name for m in summary.models)
    return plain_line(f"ActionBench: {names}")


def _file(name: str) -> str:
    return (files(_REPORTS) / "templates" / name).read_text(encoding="utf-8")


@lru_cache
def _environment() -> Environment:
    from jinja2 import PackageLoader

    environment = Environment(
        loader=PackageLoader(_REPORTS, "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "text": lambda text: plain_line(str(text)),
        "lines": lambda text: plain(text).split("\n"),
        "spread": spread,
        "share": share,
        "percent": percent,
    }
    environment.globals |= {
        "most_rows": MOST_ROWS,
        "most_cards": MOST_CARDS,
        "most_names": MOST_NAMES,
        "state": _state,
    }
    return environment


def _state(d: Deployment, answer: str) -> str:
    """The CSS class of an answer: a "no" from disturbed times, which are too long, is not certain."""
    if answer == "no" and d.model.timing.disturbed:
        return "not-always"
    return answer.replace(" ", "-")


def _config(config: object) -> str:
    return plain(json.dumps(config, ensure_ascii=False, indent=2, default=str))


def _thumbnail(summary: Summary, mistake: Mistake) -> str | None:
    """The thumbnail of a video as a data URL; None if the run has no such JPEG file."""
    folder = next(data.folder for data in summary.merged.runs if data.name == mistake.run)
    if folder is None:
        return None
    path = thumbnail_path(folder, mistake.clip)
    try:
        if not (path.is_file() and stays_inside(path, folder)):
            return None
        with path.open("rb") as file:
            picture = file.read(_MOST_THUMBNAIL_BYTES + 1)
    except OSError:
        return None
    if not picture.startswith(_JPEG) or len(picture) > _MOST_THUMBNAIL_BYTES:
        return None
    return f"data:image/jpeg;base64,{base64.b64encode(picture).decode()}"

"""Charts for a browser: figures for Plotly, and Plotly's script, compressed.

Plotly is 4.8 MB of JavaScript; compressed it adds 2 MB to a page, and every current browser can unpack it.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from .chart import Axis, Bars, Chart, Mark, Points, Range

_SYMBOLS = {
    "circle": "circle",
    "square": "square",
    "diamond": "diamond",
    "triangle": "triangle-up",
    "cross": "x",
    "star": "star",
    "dash": "line-ew-open",
}

_ROW = 20
"""Pixels of one row of text."""


@dataclass(frozen=True, slots=True)
class Library:
    """`packed`: base64 of the gzipped script. `digest`: of the script, for a Content-Security-Policy."""

    packed: str
    digest: str


@lru_cache
def library() -> Library:
    """Plotly's script, from the installed package."""
    from plotly.offline import get_plotlyjs

    script = get_plotlyjs().encode()
    return Library(base64.b64encode(gzip.compress(script, mtime=0)).decode(), csp_digest(script))


def csp_digest(script: bytes) -> str:
    """The script's SHA-256 as a source of a Content-Security-Policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script).digest()).decode()}'"


def figure(chart: Chart) -> dict[str, Any]:
    """Plotly's {"data", "layout"} of a chart. The page's script adds the colours of text and lines."""
    return {
        "data": [_bars(s) if isinstance(s, Bars) else _points(s) for s in chart.series],
        "layout": {
            "xaxis": _axis(chart.x),
            "yaxis": _axis(chart.y),
            "height": round(chart.height * _ROW) + 60,
            "barmode": "overlay",
            "hovermode": "closest",
            "showlegend": sum(s.legend if isinstance(s, Points) else True for s in chart.series) > 1,
            "shapes": [_line(mark) for mark in chart.marks],
            "annotations": [_note(mark, chart) for mark in chart.marks if mark.text],
        },
    }


def _points(p: Points) -> dict[str, Any]:
    trace: dict[str, Any] = {
        "type": "scatter",
        "mode": "lines" if p.line else "markers",
        "name": _text(p.name),
        "x": p.x,
        "y": p.y,
        "text": [_text(text) for text in p.texts],
        "hoverinfo": "text",
        "showlegend": p.legend,
    }
    if p.line:
        return trace | {"line": {"color": p.color, "width": 1.5, "dash": p.line}}
    outlined = p.hollow or p.symbol == "dash"
    trace["marker"] = {
        "color": p.color,
        "symbol": _SYMBOLS[p.symbol] + ("-open" if p.hollow else ""),
        "size": p.size,
        "line": {"color": p.color, "width": 2 if outlined else 0},
    }
    for axis, values, ranges in (("x", p.x, p.x_ranges), ("y", p.y, p.y_ranges)):
        if any(ranges):
            trace[f"error_{axis}"] = _distances(values, ranges) | {"color": p.color}
    return trace


def _bars(b: Bars) -> dict[str, Any]:
    trace: dict[str, Any] = {
        "type": "bar",
        "orientation": "h",
        "name": _text(b.name),
        "x": b.lengths,
        "y": b.y,
        "base": b.starts,
        "width": b.thickness,
        "text": [_text(text) for text in b.texts],
        "textposition": "none",
        "hoverinfo": "text",
        "marker": {"color": b.color},
    }
    if any(b.ranges):
        ends = tuple(start + length for start, length in zip(b.starts, b.lengths, strict=True))
        trace["error_x"] = _distances(ends, b.ranges)
    return trace


def _distances(values: tuple[float, ...], ranges: tuple[Range, ...]) -> dict[str, Any]:
    known = [r or (v, v) for v, r in zip(values, ranges, strict=True)]
    return {
        "type": "data",
        "array": [max(0.0, high - v) for v, (_, high) in zip(values, known, strict=True)],
        "arrayminus": [max(0.0, v - low) for v, (low, _) in zip(values, known, strict=True)],
        "thickness": 1.2,
        "width": 3,
    }


def _axis(axis: Axis) -> dict[str, Any]:
    made: dict[str, Any] = {"title": {"text": axis.title}, "automargin": True, "zeroline": False}
    if axis.log:
        steps = [digit * 10.0**power for power in range(-6, 7) for digit in (1, 2, 5)]
        made |= {"type": "log", "tickvals": steps, "ticktext": [f"{step:g}" for step in steps]}
    if axis.step is not None:
        made["dtick"] = axis.step
    if axis.limits is not None:
        made["range"] = axis.limits
    if axis.ticks:
        made |= {
            "tickvals": [position for position, _ in axis.ticks],
            "ticktext": [_text(text).replace("\n", "<br>") for _, text in axis.ticks],
            "showgrid": False,
        }
    return made


def _line(mark: Mark) -> dict[str, Any]:
    other = "y" if mark.axis == "x" else "x"
    return {
        "type": "line",
        f"{mark.axis}0": mark.value,
        f"{mark.axis}1": mark.value,
        f"{other}0": 0,
        f"{other}1": 1,
        f"{other}ref": "paper",
        "line": {"width": 1, "dash": "dot"},
    }


def _note(mark: Mark, chart: Chart) -> dict[str, Any]:
    """The meaning of a vertical line, beside its upper end, on the side with more space."""
    points = [x for s in chart.series if isinstance(s, Points) for x in s.x]
    return {
        # An annotation's place on a logarithmic axis is a logarithm, unlike a shape's.
        "x": math.log10(mark.value) if chart.x.log else mark.value,
        "y": 1,
        "yref": "paper",
        "text": _text(mark.text),
        "showarrow": False,
        "xanchor": "left" if mark.value <= min(points) else "right",
        "yanchor": "top",
        "font": {"size": 11},
    }


def _text(text: str) -> str:
    """Escaped, because Plotly interprets some HTML tags in texts."""
    return html.escape(text, quote=False)

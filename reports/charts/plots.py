"""Charts drawn by matplotlib: SVG and PNG files, and SVG for the page. The same chart gives the same
bytes."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MultipleLocator

from .chart import Axis, Bars, Chart, Points, Range

WIDTH = 7.2
"""Width in inches: a text column."""

_ROW = 0.21
"""Inches of one row of text."""

_DPI = 150

_INK, _FAINT = "#24292F", "#D0D7DE"
_THEMED = {_INK.lower(): "currentColor", _FAINT.lower(): "var(--line)", "#ffffff": "var(--card)"}
"""Colours that the page replaces by those of its theme."""

_SYMBOLS = {
    "circle": "o",
    "square": "s",
    "diamond": "D",
    "triangle": "^",
    "cross": "X",
    "star": "*",
    "dash": "_",
}
_LINES = {"solid": "-", "dash": "--"}

_STYLE: dict[Any, Any] = {
    "font.size": 9.0,
    "axes.edgecolor": _FAINT,
    "axes.labelcolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": _FAINT,
    "grid.linewidth": 0.6,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "text.color": _INK,
    "figure.facecolor": "#ffffff",
    "axes.facecolor": "#ffffff",
    # Names are shown as they are, never read as formulas.
    "text.parse_math": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "actionbench",
}


@dataclass(frozen=True, slots=True)
class Drawing:
    """A chart as pictures. `svg` holds letters as text, which can be searched and read by a screen reader."""

    chart: Chart
    svg: str
    png: bytes


def draw(chart: Chart) -> Drawing:
    """The chart as SVG and PNG."""
    with style():
        svg, png = rendered(_figure(chart), chart.title)
    return Drawing(chart, svg, png)


@contextmanager
def style() -> Iterator[None]:
    """Figures that are made and rendered within look like the report's."""
    with matplotlib.rc_context(_STYLE), warnings.catch_warnings():
        # A name in a script that the font lacks is shown as boxes in PNG, and as it is in SVG.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def rendered(figure: Figure, title: str) -> tuple[str, bytes]:
    """A figure as SVG and PNG; the same figure, the same bytes."""
    text, picture = io.StringIO(), io.BytesIO()
    metadata = {"Date": None, "Creator": None, "Title": title}
    FigureCanvasSVG(figure).print_figure(text, format="svg", metadata=metadata)
    # The layout is kept for the PNG: computing it takes most of the time.
    figure.set_layout_engine("none")
    FigureCanvasAgg(figure).print_figure(picture, format="png", dpi=_DPI, metadata={"Software": None})
    return text.getvalue(), picture.getvalue()


def inline(drawing: Drawing) -> str:
    """The `<svg>` element for a page that defines the colours `--line` and `--card`."""
    text = drawing.svg[drawing.svg.index("<svg") :]
    for color, own in _THEMED.items():
        text = text.replace(color, own)
    # Identifiers must be unique in the page.
    text = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{drawing.chart.name}-", text)
    text = re.sub(r"font: ([\d.]+px)[^;\"]*", r"font: \1 system-ui, sans-serif", text)
    return re.sub(
        r'<svg [^>]*?viewBox="([^"]*)"[^>]*>', r'<svg viewBox="\1" aria-hidden="true">', text, count=1
    )


def _figure(chart: Chart) -> Figure:
    figure = Figure(figsize=(WIDTH, chart.height * _ROW), layout="constrained")
    axes = figure.add_subplot()
    for series in chart.series:
        if isinstance(series, Bars):
            _bars(axes, series)
        else:
            _points(axes, series)
    for mark in chart.marks:
        line = axes.axvline if mark.axis == "x" else axes.axhline
        line(mark.value, color=_INK, linewidth=0.8, linestyle=":", label=mark.text or "_")
    _scale(axes, "x", chart.x)
    _scale(axes, "y", chart.y)
    if chart.y.ticks:
        axes.margins(y=0.02)
    # Where an axis has names, its grid would only strike them through.
    axes.grid(visible=not chart.x.ticks, axis="x")
    axes.grid(visible=not chart.y.ticks, axis="y")
    handles, names = axes.get_legend_handles_labels()
    if len(names) > 1:
        figure.legend(handles, names, loc="outside upper left", ncols=min(4, len(names)), frameon=False)
    return figure


def _points(axes: Axes, p: Points) -> None:
    name = p.name if p.legend else "_" + p.name
    if p.line:
        axes.plot(p.x, p.y, color=p.color, linewidth=1.2, linestyle=_LINES[p.line], label=name, zorder=1)
        return
    axes.errorbar(
        p.x,
        p.y,
        xerr=_distances(p.x, p.x_ranges),
        yerr=_distances(p.y, p.y_ranges),
        fmt=_SYMBOLS[p.symbol],
        markersize=p.size * 0.7,
        markerfacecolor="none" if p.hollow else p.color,
        markeredgecolor=p.color,
        markeredgewidth=1.6 if p.symbol == "dash" or p.hollow else 0.5,
        ecolor=p.color,
        elinewidth=1.2,
        capsize=2.5,
        label=name,
        zorder=3,
    )


def _bars(axes: Axes, b: Bars) -> None:
    axes.barh(
        b.y,
        b.lengths,
        b.thickness,
        b.starts,
        color=b.color,
        label=b.name,
        edgecolor="#ffffff",
        linewidth=0.5,
    )
    if b.ranges:
        ends = tuple(start + length for start, length in zip(b.starts, b.lengths, strict=True))
        axes.errorbar(
            ends, b.y, xerr=_distances(ends, b.ranges), fmt="none", ecolor=_INK, elinewidth=0.8, capsize=1.5
        )


def _distances(values: tuple[float, ...], ranges: tuple[Range, ...]) -> list[list[float]] | None:
    """Distances below and above, as `errorbar` takes them; 0 where no range is known."""
    if not any(ranges):
        return None
    known = [r or (v, v) for v, r in zip(values, ranges, strict=True)]
    below = [max(0.0, v - low) for v, (low, _) in zip(values, known, strict=True)]
    above = [max(0.0, high - v) for v, (_, high) in zip(values, known, strict=True)]
    return [below, above]


def _scale(axes: Axes, which: str, axis: Axis) -> None:
    own = axes.xaxis if which == "x" else axes.yaxis
    if axis.log:
        axes.set(**{f"{which}scale": "log"})
        own.set_major_locator(LogLocator(10, (1, 2, 5)))
        own.set_minor_locator(LogLocator(10, range(1, 10)))
        own.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        own.set_minor_formatter(FuncFormatter(lambda *_: ""))
    if axis.step is not None:
        own.set_major_locator(MultipleLocator(axis.step))
    if axis.ticks:
        own.set_ticks([position for position, _ in axis.ticks], [text for _, text in axis.ticks])
        own.set_tick_params(length=0)
    if axis.limits is not None:
        axes.set(**{f"{which}lim": axis.limits})
    axes.set(**{f"{which}label": axis.title})

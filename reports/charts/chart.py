"""A chart as data, independent of the library that draws it, with final positions and colours.

`accuracy.py`, `timing.py` and `all_charts.py` make charts; `plots.py` draws them as files, `interactive.py`
for the HTML page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ...plain_text import plain_line
from ..statistics.intervals import Estimate

OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Colours that colour-blind readers can distinguish, without the palette's yellow and black: one is faint on
white, the other on a dark page. Okabe and Ito (2008), https://jfly.uni-koeln.de/color/."""

COLORS = (*OKABE_ITO, "#7B5FC7", "#8C564B", "#8F8F1F", "#B0305F")
"""Colours of models: further ones where there are more than six, visible on white and on a dark page."""

YELLOW = "#F0E442"
GREY = "#8C959F"
"""For what belongs to no model: visible on white and on a dark page."""

Symbol = Literal["circle", "square", "diamond", "triangle", "cross", "star", "dash"]
SYMBOLS: tuple[Symbol, ...] = ("circle", "square", "diamond", "triangle", "cross", "star")

Range = tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis.

    - `title`: names the unit.
    - `log`: logarithmic scale.
    - `step`: distance of the numbers; None chooses one.
    - `ticks`: (position, text) in place of numbers.
    - `limits`: None fits the data.
    """

    title: str
    log: bool = False
    step: float | None = None
    ticks: tuple[tuple[float, str], ...] = ()
    limits: Range = None


@dataclass(frozen=True, slots=True)
class Points:
    """Points of one series.

    - `name`: in the legend, if `legend` is true.
    - `x`, `y`: positions. `texts`: tooltip of each point.
    - `size`: of a marker, in points.
    - `x_ranges`, `y_ranges`: interval of each point; empty for none.
    - `line`: joined by a line, without markers; None: markers alone. `hollow`: markers are outlines.
    """

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    texts: tuple[str, ...]
    color: str
    symbol: Symbol = "circle"
    size: float = 9
    x_ranges: tuple[Range, ...] = ()
    y_ranges: tuple[Range, ...] = ()
    line: Literal["solid", "dash"] | None = None
    hollow: bool = False
    legend: bool = True


@dataclass(frozen=True, slots=True)
class Bars:
    """Horizontal bars of one series.

    - `y`: vertical positions. `starts`, `lengths`: along x. `thickness`: along y.
    - `texts`: tooltip of each bar.
    - `ranges`: interval of each bar's end; empty for none.
    """

    name: str
    y: tuple[float, ...]
    starts: tuple[float, ...]
    lengths: tuple[float, ...]
    texts: tuple[str, ...]
    color: str
    thickness: float = 0.7
    ranges: tuple[Range, ...] = ()


@dataclass(frozen=True, slots=True)
class Mark:
    """A dotted line across the chart at a value of `axis`, with its meaning as text if it needs one."""

    axis: Literal["x", "y"]
    value: float
    text: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart.

    - `name`: file name without its suffix.
    - `alt`: text alternative for readers who cannot see the picture.
    - `caption`: what it is made from: numbers of videos and processes, kind of interval.
    - `height`: in rows of text.
    """

    name: str
    title: str
    alt: str
    caption: str
    x: Axis
    y: Axis
    series: tuple[Points | Bars, ...]
    height: float
    marks: tuple[Mark, ...] = ()


def label(text: str, most: int = 34) -> str:
    """A name for a chart: one line without control characters, cut in the middle to `most` characters."""
    text = plain_line(text)
    if len(text) <= most:
        return text
    head = (most - 1) // 2
    return f"{text[:head]}…{text[head + 1 - most :]}"


def style(index: int) -> tuple[str, Symbol]:
    """Colour and symbol of a model, the same in every chart."""
    shift = index // len(SYMBOLS)
    return COLORS[index % len(COLORS)], SYMBOLS[(index + shift) % len(SYMBOLS)]


def bounds(estimate: Estimate, scale: float = 1.0) -> Range:
    """The interval × `scale`; None without one."""
    interval = estimate.interval
    return None if interval is None else (interval.low * scale, interval.high * scale)


def methods(estimates: Sequence[Estimate]) -> str:
    """Names of the kinds of intervals that are drawn."""
    return " and ".join(sorted({e.interval.method for e in estimates if e.interval is not None}))


def range_note(times: Sequence[Estimate]) -> str:
    """A sentence on what the ranges drawn at times are."""
    if not (method := methods(times)):
        return "one process, without a range."
    single = any(t.interval is None for t in times)
    return f"{method}{', none where there was one process' if single else ''}."

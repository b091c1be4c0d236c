"""A chart as data: what is drawn, whoever draws it. Positions and stacking are resolved here, colours named.

`charts.py` and its neighbours make them, `plots.py` draws them as files, `interactive.py` for the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ...plain_text import plain_line
from ..statistics.intervals import Estimate

OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Distinct to colour-blind readers, without the palette's yellow and black: one is faint on white, the other
on a dark page. Okabe and Ito (2008), https://jfly.uni-koeln.de/color/."""

YELLOW = "#F0E442"
GREY = "#8C959F"
"""For what belongs to no model: legible on white and on a dark page."""

Symbol = Literal["circle", "square", "diamond", "triangle", "cross", "star", "dash"]
SYMBOLS: tuple[Symbol, ...] = ("circle", "square", "diamond", "triangle", "cross", "star")

Range = tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Axis:
    """`title` names the unit. `ticks`: (position, text) in place of numbers. `limits`: None fits the data.
    `step`: from one number to the next; None where any will do."""

    title: str
    log: bool = False
    step: float | None = None
    ticks: tuple[tuple[float, str], ...] = ()
    limits: Range = None


@dataclass(frozen=True, slots=True)
class Points:
    """Marks at (x, y), each with a text for the pointer and, where known, the interval in x and y.

    - `line`: joined, without marks. `hollow`: outlines. `legend`: whether it is named beside the chart.
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
    line: bool = False
    hollow: bool = False
    legend: bool = True


@dataclass(frozen=True, slots=True)
class Bars:
    """Horizontal bars at the heights `y`, from `starts` on, `lengths` long and `thickness` thick."""

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
    """A dotted line across the chart at a value of `axis`, with its meaning unless the axis says it."""

    axis: Literal["x", "y"]
    value: float
    text: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    """`name` is the file's without an ending. `alt` says what the picture shows to who cannot see it;
    `caption` what it is made from: how many videos and processes, which interval. `height`: in rows of text.
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
    """A name as a chart shows it: harmless, on one line, cut in the middle if it is long."""
    text = plain_line(text)
    if len(text) <= most:
        return text
    head = (most - 1) // 2
    return f"{text[:head]}…{text[head + 1 - most :]}"


def style(index: int) -> tuple[str, Symbol]:
    """Colour and symbol of a model, the same in every chart."""
    shift = index // len(OKABE_ITO)
    return OKABE_ITO[index % len(OKABE_ITO)], SYMBOLS[(index + shift) % len(SYMBOLS)]


def bounds(estimate: Estimate, scale: float = 1.0) -> Range:
    interval = estimate.interval
    return None if interval is None else (interval.low * scale, interval.high * scale)


def methods(estimates: Sequence[Estimate]) -> str:
    """Which intervals are drawn."""
    return " and ".join(sorted({e.interval.method for e in estimates if e.interval is not None}))


def range_note(times: Sequence[Estimate]) -> str:
    """What the lines at times are."""
    if not (method := methods(times)):
        return "one process, without a range."
    single = any(t.interval is None for t in times)
    return f"{method}{', none where there was one process' if single else ''}."

"""A scenario's figures as table columns: formatted for reading, and as raw values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from ...records.scenarios.declaration import Metric, ScenarioType
from ..analysis.scenarios import Figure, value_of
from ..numbers import UNKNOWN, count, mebi, number, percent, spread
from ..statistics.intervals import Estimate
from .table import Column, Record, values


def headings(kind: ScenarioType) -> list[Column]:
    """The columns of a scenario's table, followed by those of metrics with a title of their own."""
    own = [Column(f"{metric.title}\n{metric.unit}".strip()) for metric in kind.metrics if metric.title]
    return [*(Column(column.title) for column in kind.columns), *own]


def cells(kind: ScenarioType, figures: Iterable[tuple[Metric, Figure]]) -> list[str]:
    """The texts of one row, one for each of `headings`.

    - `kind`: the scenario's declaration.
    - `figures`: (metric, figure) of all metrics that its columns name.
    """
    texts = {metric.name: _Text(metric, figure) for metric, figure in figures}
    own = [format(texts[metric.name]) for metric in kind.metrics if metric.title]
    return [*(column.cell.format_map(texts) for column in kind.columns), *own]


def raw(figures: Iterable[tuple[Metric, Figure]]) -> Record:
    """The raw values of one row: an estimate gives four columns, see `table.values`."""
    record: Record = {}
    for metric, figure in figures:
        key = metric.column or metric.name
        if metric.over == "median":
            record |= values(key, figure if isinstance(figure, Estimate) else None)
        else:
            record[key] = _yes_or_no(figure) if isinstance(figure, bool) else value_of(figure)
    return record


def _yes_or_no(figure: bool) -> str:
    return "yes" if figure else "no"


class _Text:
    """A figure that is formatted as its metric declares, or by another format of `Shown`."""

    def __init__(self, metric: Metric, figure: Figure) -> None:
        self._shown, self._figure = metric.shown, figure

    def __format__(self, shown: str) -> str:
        return _WRITTEN[shown or self._shown](self._figure)


def _spread(figure: Figure, scale: float = 1.0) -> str:
    if isinstance(figure, Estimate):
        return spread(figure, scale)
    return number(None if figure is None else figure * scale)


def _whole(figure: Figure) -> str:
    return _yes_or_no(figure) if isinstance(figure, bool) else count(value_of(figure))


def _change(figure: Figure) -> str:
    value = value_of(figure)
    return UNKNOWN if value is None else f"{100 * value:+.1f} %"


def _ms(figure: Figure) -> str:
    value = value_of(figure)
    return number(None if value is None else 1000 * value)


_WRITTEN: Mapping[str, Callable[[Figure], str]] = {
    "spread": _spread,
    "number": lambda figure: number(value_of(figure)),
    "two digits": lambda figure: number(value_of(figure), 2),
    "whole": _whole,
    "percent": lambda figure: percent(value_of(figure)),
    "change": _change,
    "ms": _ms,
    "ms spread": lambda figure: _spread(figure, 1000),
    "MiB": lambda figure: number(mebi(value_of(figure))),
}
"""Format (`Shown`) → its function."""

"""The tables of the scenarios, by their declarations, and of sweeps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from ...records.scenarios.declaration import Metric, ScenarioType
from ...records.scenarios.latency import LATENCY
from ..analysis.scenarios import Figure, ScenarioSummary, value_of
from ..analysis.summary import ModelSummary, Summary
from ..numbers import UNKNOWN, count, giga, mebi, number, one_line, percent, scaled, spread
from ..statistics.intervals import Estimate
from .table import Column, Line, Record, Table, Value, table, values


def scenario(kind: ScenarioType, summary: Summary) -> Table:
    """One row a model that was measured in this scenario: its columns, then those of metrics of their own."""
    own = [metric for metric in kind.metrics if metric.title is not None]
    columns = (
        Column("Model", "left"),
        *(Column(column.title) for column in kind.columns),
        *(Column(f"{metric.title}\n{metric.unit}".strip()) for metric in own),
    )
    cells = [*(column.cell for column in kind.columns), *(f"{{{metric.name}}}" for metric in own)]
    lines: list[Line] = []
    notes = list(kind.notes)
    for m in summary.models:
        if (s := m.scenarios.get(kind.name)) is None:
            continue
        figures = list(_figures(m, s))
        shown = {metric.name: _Text(metric, figure) for metric, figure in figures}
        record: Record = {**_setting(m), "processes": s.processes}
        for metric, figure in figures:
            record |= _raw(metric, figure)
        lines.append(((_named(m), *(cell.format_map(shown) for cell in cells)), record))
        notes += _notes(m, s)
    return table(kind.name, kind.title, columns, lines, notes if lines else [])


def _figures(m: ModelSummary, s: ScenarioSummary) -> Iterator[tuple[Metric, Figure]]:
    """What stands in a model's row: the scenario's metrics, and those of "latency" beside them."""
    yield from ((metric, s.figures[metric.name]) for metric in s.kind.metrics)
    latency = m.scenarios.get("latency")
    for name in s.kind.beside:
        yield LATENCY.metric(name), None if latency is None else latency.figures[name]


class _Text:
    """A figure that is written as its metric declares, or as a format of `Shown` asks."""

    def __init__(self, metric: Metric, figure: Figure) -> None:
        self._shown, self._figure = metric.shown, figure

    def __format__(self, shown: str) -> str:
        return _WRITTEN[shown or self._shown](self._figure)


def _spread(figure: Figure, scale: float = 1.0) -> str:
    if isinstance(figure, Estimate):
        return spread(figure, scale)
    return number(None if figure is None else figure * scale)


def _whole(figure: Figure) -> str:
    return ("yes" if figure else "no") if isinstance(figure, bool) else count(value_of(figure))


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
"""Every `Shown`."""


def _raw(metric: Metric, figure: Figure) -> Record:
    """A metric's columns in the files."""
    key = metric.column or metric.name
    if metric.over == "median":
        return values(key, figure if isinstance(figure, Estimate) else None)
    raw: Value = ("yes" if figure else "no") if isinstance(figure, bool) else value_of(figure)
    return {key: raw}


def _notes(m: ModelSummary, s: ScenarioSummary) -> Iterable[str]:
    name = one_line(m.name)
    if s.disturbed:
        yield (
            f"{name}: disturbed: each of its threads waited for a core {number(s.waiting)} s in every "
            "second; something else was computing."
        )
    yield from (f"{name}: left out {one_line(clip)}: {one_line(reason)}." for clip, reason in s.skipped)
    yield from (f"{name}: {one_line(note)}." for note in s.notes)
    yield from (f"{name}: process {i} measured nothing: {one_line(error)}." for i, error in s.errors)


def sweep(summary: Summary) -> Table:
    """Times at each point of a sweep."""
    models = [m for m in summary.models if m.measured.model.sweep]
    axes = list(dict.fromkeys(axis for m in models for axis in m.measured.model.sweep))
    columns = (
        Column("Model", "left"),
        *(Column(axis) for axis in axes),
        Column("Prediction\nms / view"),
        Column("All work\ns / video"),
        Column("Network\nGFLOP / s"),
        Column("Throughput\nvideos / s"),
    )
    lines: list[Line] = []
    for m in models:
        point, at_once = m.measured.model.sweep, m.estimate("throughput", "videos_per_s")
        texts = (
            _named(m),
            *(UNKNOWN if axis not in point else str(point[axis]) for axis in axes),
            spread(m.timing.prediction_per_view, 1000),
            spread(m.timing.total_per_video),
            number(giga(scaled(m.timing.flops_per_s))),
            spread(at_once),
        )
        record: Record = {
            **_setting(m),
            **{axis: point.get(axis) for axis in axes},
            **values("prediction_ms_per_view", m.timing.prediction_per_view, 1000),
            **values("total_s_per_video", m.timing.total_per_video),
            **values("network_gflop_per_s", m.timing.flops_per_s, 1e-9),
            **values("videos_per_s", at_once),
        }
        lines.append((texts, record))
    notes = [
        "Threads: CPU threads of a process. Window: frames of the one view. Batch: views in a forward call."
    ]
    return table("sweep", "Sweep", columns, lines, notes if lines else [])


def _named(m: ModelSummary) -> str:
    flow = "RGB only" if m.measured.model.flow is None else f"flow {m.measured.model.flow}"
    return f"{one_line(m.name)}\n{one_line(f'{flow}, {m.precision}')}"


def _setting(m: ModelSummary) -> Record:
    return {"model": m.name, "flow": m.measured.model.flow, "precision": m.precision, "device": m.device}

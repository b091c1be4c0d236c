"""The tables of the scenarios, generated from their declarations, and of sweeps."""

from __future__ import annotations

from collections.abc import Iterable

from ...records.scenarios.declaration import ScenarioType
from ...records.scenarios.latency import LATENCY
from ..analysis.scenarios import ScenarioSummary
from ..analysis.summary import ModelSummary, Summary
from ..numbers import UNKNOWN, giga, number, one_line, scaled, spread
from .figures import cells, headings, raw
from .table import Column, Line, Record, Table, table, values


def scenario(kind: ScenarioType, summary: Summary) -> Table:
    """A row for each model that was measured in this scenario."""
    columns = (Column("Model", "left"), *headings(kind))
    lines: list[Line] = []
    notes = list(kind.notes)
    for m in summary.models:
        if (s := m.scenarios.get(kind.name)) is None:
            continue
        figures = [(metric, s.figures[metric.name]) for metric in kind.metrics]
        figures += [
            (metric, m.timing.latency.figures[metric.name])
            for metric in LATENCY.metrics
            if metric.name in kind.beside
        ]
        record: Record = {**_setting(m), "processes": s.processes, **raw(figures)}
        lines.append(((_named(m), *cells(kind, figures)), record))
        notes += _notes(m, s)
    return table(kind.name, kind.title, columns, lines, notes if lines else [])


def _notes(m: ModelSummary, s: ScenarioSummary) -> Iterable[str]:
    name = one_line(m.name)
    if s.disturbed:
        yield (
            f"{name}: disturbed: other programs used the cores; each of its threads waited for a core for "
            f"{number(s.waiting)} s per second."
        )
    yield from (f"{name}: skipped {one_line(clip)}: {one_line(reason)}." for clip, reason in s.skipped)
    yield from (f"{name}: {one_line(note)}." for note in s.notes)
    yield from (f"{name}: process {i} measured nothing: {one_line(error)}." for i, error in s.errors)


def sweep(summary: Summary) -> Table:
    """A row for each point of a sweep."""
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
            spread(m.timing.estimate("prediction_s_per_view"), 1000),
            spread(m.timing.estimate("total_s_per_video")),
            number(giga(scaled(m.timing.estimate("network_flop_per_s")))),
            spread(at_once),
        )
        record: Record = {
            **_setting(m),
            **{axis: point.get(axis) for axis in axes},
            **values("prediction_ms_per_view", m.timing.estimate("prediction_s_per_view"), 1000),
            **values("total_s_per_video", m.timing.estimate("total_s_per_video")),
            **values("network_gflop_per_s", m.timing.estimate("network_flop_per_s"), 1e-9),
            **values("videos_per_s", at_once),
        }
        lines.append((texts, record))
    notes = [
        "threads: CPU threads of a process; window: frames of the single view; batch: views per forward call."
    ]
    return table("sweep", "Sweep", columns, lines, notes if lines else [])


def _named(m: ModelSummary) -> str:
    return f"{one_line(m.name)}\n{one_line(f'{m.measured.model.input}, {m.precision}')}"


def _setting(m: ModelSummary) -> Record:
    return {"model": m.name, "flow": m.measured.model.flow, "precision": m.precision, "device": m.device}

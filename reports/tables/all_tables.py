"""The report's tables, in the order that every format follows; the comparison comes first."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from ...records.scenarios.registry import SCENARIOS, scenario_type
from ..analysis.agreement import verdict_text
from ..analysis.classes import classes
from ..analysis.deployment import deployment
from ..analysis.mistakes import mistakes
from ..analysis.summary import ModelSummary, Summary
from ..numbers import UNKNOWN, counted, one_line
from .accuracy import at_operating_points, confusions, paired, target_class
from .comparison import comparison
from .scenarios import scenario, sweep
from .stream_peaks import stream_peaks
from .table import Column, Line, Record, Table, table
from .timing import latency, stages


def all_tables(summary: Summary) -> tuple[Table, ...]:
    """All tables of a report, in their order."""
    return (
        comparison(summary),
        deployment(summary),
        stream_peaks(summary),
        target_class(summary),
        at_operating_points(summary),
        confusions(summary),
        classes(summary),
        mistakes(summary),
        paired(summary),
        stages(summary),
        latency(summary),
        *(scenario(scenario_type(name), summary) for name in SCENARIOS if name != "latency"),
        sweep(summary),
        models(summary),
        skipped(summary),
        remarks(summary),
        runs(summary),
        environment(summary),
    )


def models(summary: Summary) -> Table:
    """A row for each model: network, backend, device, weights, views, flow."""
    titles = ("Model", "Network", "Backend", "Device", "Weights", "Views", "Flow")
    columns = tuple(Column(title, "left") for title in titles)
    target = summary.target
    notes = [
        f"{one_line(m.name)}: {one_line(remark)}."
        for m in summary.models
        for remark in (m.measured.model.certificate, agreement_text(m, target), quantised_text(m))
        if remark
    ]
    lines = (_model_line(m, target) for m in summary.models)
    return table("models", "What was compared", columns, lines, notes)


def agreement_text(m: ModelSummary, target: str) -> str | None:
    """Whether the model matches its reference, with figures; None if it was not compared."""
    return m.measured.model.agreement if m.agreement is None else verdict_text(m.agreement, target)


def quantised_text(m: ModelSummary) -> str | None:
    """How a network in int8 was made, as the network reported it; None for another one."""
    quantised = m.details.get("quantised")
    return None if quantised is None else f"quantised by {quantised}"


def _published(weights: Mapping[str, Any]) -> str:
    """The kind of a stream's weights, and whether only the file name identifies published ones."""
    unchecked = weights["kind"] == "published" and not weights.get("checked", False)
    return "published (by file name, no checksum)" if unchecked else str(weights["kind"])


def _model_line(m: ModelSummary, target: str) -> Line:
    model, details = m.measured.model, m.details
    weights = (f"{stream}: {_published(w)} {w.get('name') or ''}" for stream, w in model.weights.items())
    precision, threads = details.get("precision"), details.get("threads")
    device = [
        m.device,
        *([str(precision)] if precision else []),
        *([f"threads: {threads}"] if threads else []),
    ]
    texts = (
        one_line(m.name),
        one_line(model.title),
        one_line(str(details.get("backend") or model.backend)),
        one_line(", ".join(device)),
        "\n".join(one_line(w) for w in weights),
        one_line(model.views),
        one_line(model.flow or "none"),
    )
    record: Record = {
        "model": m.name,
        "run": m.measured.run,
        "title": model.title,
        "backend": str(details.get("backend") or model.backend),
        "device": m.device,
        "precision": None if precision is None else str(precision),
        "threads": None if threads is None else str(threads),
        "weights": json.dumps(model.weights, sort_keys=True),
        "views": model.views,
        "flow": model.flow,
        "state": model.state,
        "error": model.error,
        "certificate": model.certificate,
        "agreement": agreement_text(m, target),
        "classes": len(model.labels),
    }
    return texts, record


def runs(summary: Summary) -> Table:
    """A row for each run that the figures come from."""
    columns = (
        Column("Run", "left"),
        Column("Started", "left"),
        Column("State", "left"),
        Column("Videos", "left"),
        Column("n"),
        Column("Digest of the list", "left"),
    )
    lines: list[Line] = []
    for data in summary.merged.runs:
        record: Record = {
            "run": data.name,
            "started": data.run.started,
            "state": data.run.state,
            "data": str(data.run.data.get("name", "")),
            "videos": data.run.data.get("clips"),
            "digest": data.run.data.get("digest"),
        }
        shown = {**record, "digest": str(record["digest"] or UNKNOWN)[:12]}
        lines.append(([one_line(str(UNKNOWN if v is None else v)) for v in shown.values()], record))
    return table("runs", "Runs", columns, lines, map(one_line, summary.merged.notes))


def skipped(summary: Summary) -> Table:
    """Videos without a prediction, with the reason; in the notes, what accuracy does not count."""
    columns = (Column("Model", "left"), Column("Video", "left"), Column("Reason", "left"))
    runs = summary.merged.runs
    found = [
        ("all" if len(runs) == 1 else f"all ({data.name})", str(clip), "listed, but the file is missing")
        for data in runs
        for clip in data.run.data.get("missing", ())
    ]
    found += [(m.name, clip, error) for m in summary.models for clip, error in m.accuracy.failed]
    notes = []
    for m in summary.models:
        left_out = (
            (m.accuracy.unlabelled, "without a label"),
            (m.accuracy.unknown_label, "whose label is not a class of the network"),
        )
        notes += [
            f"{one_line(m.name)}: not counted in accuracy: {counted(n, 'video')} {why}."
            for n, why in left_out
            if n
        ]
    labels = sorted({str(label) for data in runs for label in data.run.data.get("unknown_labels", ())})
    if labels:
        notes.append(f"Labels outside the vocabulary: {', '.join(map(one_line, labels))}.")
    lines: list[Line] = [
        (tuple(map(one_line, line)), dict(zip(("model", "clip", "reason"), line, strict=True)))
        for line in found
    ]
    return table("skipped", "Skipped videos", columns, lines, notes)


def remarks(summary: Summary) -> Table:
    """Remarks on single predictions."""
    columns = (Column("Model", "left"), Column("Video", "left"), Column("Remark", "left"))
    found = [
        (m.name, m.measured.clips.clips[row], note)
        for m in summary.models
        for row, notes in m.measured.clips.notes.items()
        for note in notes
    ]
    lines: list[Line] = [
        (tuple(map(one_line, line)), dict(zip(("model", "clip", "remark"), line, strict=True)))
        for line in found
    ]
    return table("remarks", "Remarks on videos", columns, lines)


def environment(summary: Summary) -> Table:
    """Hardware and software as recorded: a row for each property, a column for each run."""
    runs = summary.merged.runs
    columns = (Column("Property", "left"), *(Column(one_line(data.name), "left") for data in runs))
    facts = [dict(_flat(data.run.environment)) for data in runs]
    lines: list[Line] = []
    for name in dict.fromkeys(name for fact in facts for name in fact):
        given = [fact.get(name) for fact in facts]
        record: Record = {"fact": name, **{d.name: g for d, g in zip(runs, given, strict=True)}}
        lines.append(((one_line(name), *(one_line(g or UNKNOWN) for g in given)), record))
    return table("environment", "Environment", columns, lines)


def _flat(facts: Any, prefix: str = "") -> Iterable[tuple[str, str]]:
    """Nested properties as ("a.b", text) pairs; those that are None are omitted."""
    if isinstance(facts, dict):
        for key, value in facts.items():
            yield from _flat(value, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(facts, list | tuple) and any(isinstance(value, dict | list) for value in facts):
        for i, value in enumerate(facts):
            yield from _flat(value, f"{prefix}.{i}")
    elif isinstance(facts, list | tuple):
        yield prefix, ", ".join(str(value) for value in facts)
    elif facts is not None:
        yield prefix, str(facts)

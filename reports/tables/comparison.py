"""The report's first table: every model with its accuracy, its times and its size, best to deploy first."""

from __future__ import annotations

from dataclasses import replace

from ..analysis.deployment import Pareto, pareto_front, ranked
from ..analysis.summary import ModelSummary, Summary
from ..numbers import giga, number, one_line, percent, scaled, spread
from ..statistics.intervals import LEVEL
from .accuracy import precision_text, share_text
from .table import Column, Line, Record, Table, table, values
from .timing import DRIFT_NOTE, DRIFT_TITLE, drift_text, drift_values, spread_notes

MOST_UNFOLDED = 6
"""Rows of a comparison of which nothing is folded."""


def comparison(summary: Summary) -> Table:
    """A row for each model: accuracy, times and size; with a reference, how far the model is from it."""
    drifts = any(m.agreement for m in summary.models)
    found = pareto_front(summary)
    one_protocol = len({m.measured.model.views for m in summary.models}) == 1
    columns = (
        Column("Model", "left"),
        Column("Top-1\nall videos"),
        Column(f"{one_line(summary.target)}\nprecision,\nrecall"),
        Column("Prediction\ns / video"),
        Column("Preprocessing\ns / video"),
        Column("Real-time factor\nall work,\nprediction only"),
        Column("Parameters\nmillions"),
        Column("GFLOPs\n/ view,\n/ video"),
        *([Column(DRIFT_TITLE)] if drifts else []),
    )
    notes = [
        *order_notes(summary),
        _protocol_note(summary, one_protocol),
        *_licence_notes(summary),
        *(
            f"{one_line(m.name)} failed: {one_line(m.measured.model.error or 'no reason recorded')}"
            for m in summary.models
            if m.measured.model.state == "failed"
        ),
        "Prediction: upload, network, download. Preprocessing: decoding, resizing, optical flow.",
        "Real-time factor: seconds of video per second of work; at 1 or above, the work keeps up.",
        "GFLOPs: 2 × multiply–accumulates of the network in units of 10⁹, without preprocessing; of a video: "
        "of all its views that were timed.",
    ]
    if any(m.accuracy.top1 for m in summary.models):
        notes.append(f"Accuracy: fraction of videos [{percent(LEVEL)} interval, Wilson].")
    if drifts:
        notes.append(DRIFT_NOTE)
    return table(
        "comparison",
        "Comparison",
        columns,
        (_comparison_line(m, drifts, found, one_protocol) for m in ranked(summary)),
        [*notes, *spread_notes(summary)],
    )


def folded(comparison: Table) -> tuple[Table, Table | None]:
    """The comparison without its dominated rows, and a table of these; None where none are to be folded.

    - `comparison`: the whole table; of `MOST_UNFOLDED` rows or fewer nothing is folded.
    """
    dominated = [record["pareto"] == "dominated" for record in comparison.records]
    if len(dominated) <= MOST_UNFOLDED or not any(dominated):
        return comparison, None
    return _chosen(comparison, [not each for each in dominated]), _chosen(comparison, dominated)


def _chosen(table: Table, chosen: list[bool]) -> Table:
    rows = tuple(row for row, shown in zip(table.rows, chosen, strict=True) if shown)
    records = tuple(record for record, shown in zip(table.records, chosen, strict=True) if shown)
    return replace(table, rows=rows, records=records)


def order_notes(summary: Summary) -> list[str]:
    """How the rows are ordered and what is marked; nothing for a single model."""
    if len(summary.models) < 2:
        return []
    found = pareto_front(summary)
    order = (
        "Order: first what keeps up in real time with preprocessing counted (the whole range of the "
        "real-time factor of all work is at 1 or above; next, where only the median is), then by top-1 "
        "accuracy where trained weights were measured, then by the time of all work. What failed or does not "
        "match its reference comes last."
    )
    if found.reason is not None:
        return [order, f"No Pareto front of accuracy and time is marked: {found.reason}."]
    unmarked = any(found.standing(m.name) is None for m in summary.models)
    return [
        order,
        "On the Pareto front: no other model is at least as accurate and at least as fast, all work counted, "
        "and better in one of the two. Dominated: another one is. By the figures themselves, whose intervals "
        "may overlap."
        + (
            " Not marked: a model without a time, or without an accuracy by trained weights."
            if unmarked
            else ""
        ),
    ]


def _protocol_note(summary: Summary, one_protocol: bool) -> str:
    if one_protocol:
        views = one_line(summary.models[0].measured.model.views)
        return f"Accuracy, times and GFLOPs of a video are of the same views: {views}."
    return "Accuracy, times and GFLOPs of a model are of the same views, which are named below its weights."


def _licence_notes(summary: Summary) -> list[str]:
    return [
        f"{one_line(m.name)}: non-commercial: the licence of its weights, {one_line(licence)}, excludes "
        "commercial use."
        for m in summary.models
        for licence in m.non_commercial
    ]


def _comparison_line(m: ModelSummary, drifts: bool, found: Pareto, one_protocol: bool) -> Line:
    model, t, a = m.measured.model, m.timing, m.accuracy
    failed = "failed; " if model.state == "failed" else ""
    standing = found.standing(m.name)
    head = [one_line(m.name), f"{failed}{one_line(m.setting)}"]
    head += [] if one_protocol else [one_line(model.views)]
    head += {"front": ["on the Pareto front"], "dominated": ["dominated"], None: []}[standing]
    texts = (
        "\n".join(head),
        share_text(m, a.top1),
        f"{precision_text(m)}\n{share_text(m, a.target.recall)}",
        spread(t.estimate("prediction_s_per_video")),
        spread(t.estimate("preprocessing_s_per_video")),
        f"{number(scaled(t.estimate('realtime_factor')))}\n{number(scaled(t.estimate('realtime_factor_prediction')))}",
        number(None if m.parameters is None else m.parameters / 1e6),
        f"{number(giga(t.value('flop_per_view')))}\n{number(giga(t.value('flop_per_video')))}",
        *([drift_text(m)] if drifts else []),
    )
    record: Record = {
        "model": m.name,
        "run": m.measured.run,
        "state": model.state,
        "weights": m.measured.weights_kind,
        "non_commercial": "yes" if m.non_commercial else "no",
        "views": model.views,
        "pareto": standing,
        "flow": model.flow,
        "device": m.device,
        **values("top1", a.top1),
        "videos_scored": None if a.top1 is None else a.top1.n,
        **values("target_precision", a.target.precision),
        **values("target_recall", a.target.recall),
        "target_videos": a.target.videos,
        **values("prediction_s_per_video", t.estimate("prediction_s_per_video")),
        **values("prediction_ms_per_view", t.estimate("prediction_s_per_view"), 1000),
        **values("preprocessing_s_per_video", t.estimate("preprocessing_s_per_video")),
        **values("realtime_factor", t.estimate("realtime_factor")),
        **values("realtime_factor_prediction", t.estimate("realtime_factor_prediction")),
        "timed_videos": t.videos,
        "timed_processes": t.processes,
        "parameters": m.parameters,
        "gflops_per_view": giga(t.value("flop_per_view")),
        "gflops_per_video": giga(t.value("flop_per_video")),
        **drift_values(m),
    }
    return texts, record

"""Tables of time: stages, totals, start-up, memory."""

from __future__ import annotations

from ...records.scenarios.latency import LATENCY
from ..analysis.agreement import delta_p
from ..analysis.summary import ModelSummary, Summary
from ..numbers import UNKNOWN, number, one_line, percent, scaled, spread
from .figures import cells, headings, raw
from .table import Column, Line, Record, Table, table, values

DRIFT_TITLE = "Drift of\nlogits,\nΔp (videos)"

DRIFT_NOTE = (
    "Drift: relative L2 distance of the logits from those of the reference (the first float32 variant with "
    "the same network and weights) on synthetic input; then the largest difference of a probability over the "
    "videos that both predicted, and the number of these videos."
)


def drift_text(m: ModelSummary) -> str:
    """How far the model is from its reference, for a cell; unknown if it was not compared."""
    if (found := m.agreement) is None:
        return UNKNOWN
    clips = found.on_clips
    return "\n".join(
        [
            *(["does not match"] if found.verdict == "other" else []),
            f"{found.drawn.relative_l2:.1e}",
            "no videos" if clips is None else f"{delta_p(clips.p_largest)} ({clips.clips})",
        ]
    )


def drift_values(m: ModelSummary) -> Record:
    """How far the model is from its reference, as raw values."""
    found = m.agreement
    drawn = None if found is None else found.drawn
    clips = None if found is None else found.on_clips
    return {
        "drift_verdict": None if found is None else found.verdict,
        "drift_relative_l2": None if drawn is None else drawn.relative_l2,
        "drift_limit": None if drawn is None else drawn.limit,
        "drift_target_score": None if drawn is None else drawn.target_score,
        "drift_videos": None if clips is None else clips.clips,
        "drift_videos_same_top1": None if clips is None else clips.same_top1,
        "drift_videos_p_median": None if clips is None else clips.p_median,
        "drift_videos_p_largest": None if clips is None else clips.p_largest,
        "drift_videos_p_target": None if clips is None else clips.p_target,
        "drift_videos_relative_l2": None if clips is None else clips.relative_l2,
    }


def spread_notes(summary: Summary) -> list[str]:
    """Notes on what the brackets after a time mean, or why there are none."""
    totals = [m.timing.estimate("total_s_per_video") for m in summary.models]
    methods = sorted({e.interval.method for e in totals if e is not None and e.interval is not None})
    notes = []
    if methods:
        notes.append(f"Times: median over processes of their medians [{'; '.join(methods)}].")
    if any(m.timing.processes == 1 for m in summary.models):
        notes.append(
            "Timed in one process only: the variation between processes is unknown, so no range is given."
        )
    return notes


def stages(summary: Summary) -> Table:
    """A row for each model and stage: time per video."""
    columns = (
        Column("Model", "left"),
        Column("Stage", "left"),
        Column("ms / video"),
        Column("Share of total"),
    )
    notes = [
        "resize includes crop and scaling to the network's range; download includes averaging over views."
    ]
    if any(m.measured.model.people is not None for m in summary.models):
        notes.append("people: finding the main person, with a decoding of its own.")
    lines = [line for m in summary.models for line in _stage_lines(m)]
    return table("stages", "Stages", columns, lines, [*notes, *spread_notes(summary)] if lines else [])


def _stage_lines(m: ModelSummary) -> list[Line]:
    name = one_line(m.name)
    lines: list[Line] = [
        (
            (name, stage, spread(spent.seconds, 1000), percent(spent.share, 1)),
            {
                "model": m.name,
                "stage": stage,
                **values("ms_per_video", spent.seconds, 1000),
                "share": spent.share,
            },
        )
        for stage, spent in m.timing.stages
    ]
    rest = m.timing.other_share
    if rest is not None:
        record = {"model": m.name, "stage": "between stages", **values("ms_per_video", None), "share": rest}
        lines.append(((name, "between stages", UNKNOWN, percent(rest, 1)), record))
    return lines


def latency(summary: Summary) -> Table:
    """A row for each model: total times, sustained rate, start-up, memory."""
    columns = (
        Column("Model", "left"),
        Column("Videos ×\nprocesses"),
        *headings(LATENCY),
        Column("Network\nGFLOP / s,\nof GEMM"),
        Column(DRIFT_TITLE),
    )
    notes = list(LATENCY.notes)
    timed = [m for m in summary.models if m.measured.processes]
    if any(m.agreement for m in timed):
        notes.append(DRIFT_NOTE)
    if not timed:
        return table("latency", "Latency", columns, [])
    for m in timed:
        notes += _latency_notes(m)
    if any(s is None for m in timed for _, s in m.timing.percentiles):
        notes.append("A percentile is given only where ten samples lie beyond it (95 %: of 200 samples).")
    return table("latency", "Latency", columns, map(_latency_line, timed), notes)


def _latency_line(m: ModelSummary) -> Line:
    t = m.timing
    figures = [(metric, t.latency.figures[metric.name]) for metric in LATENCY.metrics]
    texts = (
        one_line(m.name),
        f"{t.videos} × {t.processes}",
        *cells(LATENCY, figures),
        f"{number(scaled(t.estimate('network_flop_per_s'), 1e-9))}\n{percent(_of_peak(m))}",
        drift_text(m),
    )
    record: Record = {
        "model": m.name,
        "timed_videos": t.videos,
        "timed_processes": t.processes,
        "timed_samples": t.samples,
        **raw(figures),
        **{f"total_s_p{100 * q:g}": seconds for q, seconds in t.percentiles},
        **values("network_gflop_per_s", t.estimate("network_flop_per_s"), 1e-9),
        "gemm_gflop_per_s": None if m.gemm_peak is None else m.gemm_peak.gflop_per_s,
        "share_of_gemm": _of_peak(m),
        "samples_repeated": t.repeated,
        **drift_values(m),
    }
    return texts, record


def _of_peak(m: ModelSummary) -> float | None:
    """GFLOP/s of the network divided by those of a matrix product with the same threads and precision."""
    speed, peak = m.timing.estimate("network_flop_per_s"), m.gemm_peak
    return None if speed is None or peak is None else speed.value * 1e-9 / peak.gflop_per_s


def _latency_notes(m: ModelSummary) -> list[str]:
    t, name = m.timing, one_line(m.name)
    notes = []
    if (peak := m.gemm_peak) is not None:
        above = "; the network is faster than that" if (_of_peak(m) or 0) > 1 else ""
        notes.append(
            f"{name}: GEMM, a square matrix product in {one_line(m.precision)} on the same threads: "
            f"{number(peak.gflop_per_s)} GFLOP/s ({one_line(peak.by)}){above}."
        )
    if t.repeated:
        notes.append(
            f"{name}: {t.repeated} sample{'' if t.repeated == 1 else 's'} disturbed by other programs, "
            "repeated and excluded from all figures."
        )
    known = [f"{percent(q)} within {number(s)} s" for q, s in t.percentiles if s is not None]
    if known:
        notes.append(f"{name}: total time of a video: {', '.join(known)} ({t.samples} samples).")
    if t.disturbed:
        notes.append(
            f"{name}: disturbed: other programs used the cores; its threads waited for a core for "
            f"{number(t.latency.waiting)} s per second."
        )
    return notes + [f"{name}: process {i} gave no samples: {one_line(error)}." for i, error in t.errors]

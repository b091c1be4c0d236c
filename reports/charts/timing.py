"""Charts of time: stages, and the variation between repetitions and processes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from ...records.run import STAGES
from ...records.scenarios.latency import LatencyRecord
from ..analysis.summary import Summary
from ..analysis.timing import undisturbed
from ..numbers import counted, number, percent, spread
from .chart import (
    COLORS,
    GREY,
    OKABE_ITO,
    YELLOW,
    Axis,
    Bars,
    Chart,
    Mark,
    Points,
    bounds,
    label,
    range_note,
    style,
)

MOST_MARKS = 60
"""Most points of one process; of more samples, evenly spaced quantiles are drawn."""

_STAGE_COLORS = {
    "decode": OKABE_ITO[5],
    "people": COLORS[6],
    "resize": OKABE_ITO[4],
    "flow": OKABE_ITO[1],
    "upload": YELLOW,
    "forward": OKABE_ITO[0],
    "download": OKABE_ITO[2],
}


def stage_bars(summary: Summary) -> Chart | None:
    """Time of a video by stage, one bar per model; None if nothing was timed."""
    timed = [m for m in summary.models if m.timing.stages]
    if not timed:
        return None
    rows = {m.name: float(len(timed) - 1 - i) for i, m in enumerate(timed)}
    ends = dict.fromkeys(rows, 0.0)
    series: list[Points | Bars] = []
    for stage in STAGES:
        found = [(m, s) for m in timed for name, s in m.timing.stages if name == stage]
        if not found:
            continue
        lengths = tuple(1000 * s.seconds.value for _, s in found)
        texts = tuple(
            f"{label(m.name)}, {stage}: {spread(s.seconds, 1000)} ms, {percent(s.share, 1)} of all work"
            for m, s in found
        )
        starts = tuple(ends[m.name] for m, _ in found)
        series.append(
            Bars(stage, tuple(rows[m.name] for m, _ in found), starts, lengths, texts, _STAGE_COLORS[stage])
        )
        for (m, _), length in zip(found, lengths, strict=True):
            ends[m.name] += length
    totals = [(m, total) for m in timed if (total := m.timing.estimate("total_s_per_video")) is not None]
    series.append(
        Points(
            "all work",
            tuple(1000 * total.value for _, total in totals),
            tuple(rows[m.name] for m, _ in totals),
            tuple(f"{label(m.name)}, all work: {spread(total, 1000)} ms / video" for m, total in totals),
            GREY,
            "diamond",
            x_ranges=tuple(bounds(total, 1000) for _, total in totals),
        )
    )
    described = "; ".join(f"{label(m.name)}: {spread(total)} s" for m, total in totals)
    return Chart(
        "stages",
        "Where the time goes",
        f"Stacked bars of milliseconds per video and stage. All work: {described}.",
        "Median of each stage, stacked; the diamond is the median of the total, which can differ from the "
        f"sum of the medians. Lines: {range_note([total for _, total in totals])}",
        Axis("ms per video"),
        Axis("", ticks=tuple((row, label(name)) for name, row in rows.items())),
        tuple(series),
        5 + 2.4 * len(timed),
    )


def repetitions(summary: Summary) -> Chart | None:
    """Every timed sample, relative to the median of the same video and model; None if nothing was timed."""
    timed = [(i, m) for i, m in enumerate(summary.models) if m.measured.latencies]
    if not timed:
        return None
    series: list[Points] = []
    x_medians: list[float] = []
    y_medians: list[float] = []
    texts: list[str] = []
    thinned = False
    for column, (i, m) in enumerate(timed):
        processes = _relative_times(undisturbed(m.measured.latencies))
        color, symbol = style(i)
        x: list[float] = []
        y: list[float] = []
        marks: list[str] = []
        for place, (process, samples) in enumerate(processes):
            x_process = column + (place + 0.5) / len(processes) * 0.8 - 0.4
            chosen = _thinned(samples)
            thinned = thinned or len(chosen) < len(samples)
            width = 0.5 / len(processes)
            x += [x_process + width * (k / max(1, len(chosen) - 1) - 0.5) for k in range(len(chosen))]
            y += [ratio for ratio, _ in chosen]
            marks += [
                f"{label(m.name)}, process {process}: {number(s.total_s)} s for {label(s.clip)}"
                for _, s in chosen
            ]
            median = float(np.median([ratio for ratio, _ in samples]))
            x_medians.append(x_process)
            y_medians.append(median)
            texts.append(
                f"{label(m.name)}, process {process}: median {number(median)} of {len(samples)} samples"
            )
        series.append(Points(label(m.name), tuple(x), tuple(y), tuple(marks), color, symbol, 5))
    # In the colour of no model, as wide as one process.
    series.append(
        Points("median of a process", tuple(x_medians), tuple(y_medians), tuple(texts), GREY, "dash", 16)
    )
    sizes = "; ".join(
        f"{label(m.name)}: {m.timing.samples} samples of {counted(m.timing.videos, 'video')} in "
        f"{counted(m.timing.processes, 'process', 'processes')}"
        for _, m in timed
    )
    fewer = f" At most {MOST_MARKS} points per process: evenly spaced quantiles." if thinned else ""
    return Chart(
        "repetitions",
        "Every repetition",
        f"Each timed video's time relative to the median of the same video, by process. {sizes}.",
        "Total time of every timed video ÷ the median of the same video and model: one strip per process, in "
        f"the order of measurement. {sizes}.{fewer}",
        Axis(
            "",
            ticks=tuple((float(k), label(m.name)) for k, (_, m) in enumerate(timed)),
            limits=(-0.6, len(timed) - 0.4),
        ),
        Axis("time ÷ median"),
        tuple(series),
        17,
        (Mark("y", 1.0),),
    )


def _relative_times(
    samples: Sequence[LatencyRecord],
) -> list[tuple[int, list[tuple[float, LatencyRecord]]]]:
    """Process → (time ÷ median of the same clip, sample), in the order of measurement."""
    of_clip: defaultdict[str, list[float]] = defaultdict(list)
    for s in samples:
        of_clip[s.clip].append(s.total_s)
    medians = {clip: float(np.median(times)) for clip, times in of_clip.items()}
    found: defaultdict[int, list[tuple[float, LatencyRecord]]] = defaultdict(list)
    for s in samples:
        if medians[s.clip] > 0:
            found[s.process].append((s.total_s / medians[s.clip], s))
    return sorted(found.items())


def _thinned(samples: list[tuple[float, LatencyRecord]]) -> list[tuple[float, LatencyRecord]]:
    if len(samples) <= MOST_MARKS:
        return samples
    order = sorted(range(len(samples)), key=lambda k: samples[k][0])
    kept = {order[round(q)] for q in np.linspace(0, len(order) - 1, MOST_MARKS)}
    return [samples[k] for k in sorted(kept)]

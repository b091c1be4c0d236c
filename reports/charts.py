"""The report's charts; each maker gives None where there is nothing to draw."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from .chart import GREY, OKABE_ITO, SYMBOLS, YELLOW, Axis, Bars, Chart, Mark, Points, Range, Symbol, label
from .classes import class_accuracies, weakest_first
from .formats import number, one_line, percent, share, spread
from .records import STAGES, LatencyRecord
from .statistics import Estimate
from .summary import Summary

MOST_CLASSES = 20
MOST_CONFUSIONS = 15

MOST_MARKS = 60
"""Marks for one process: beyond it, evenly spaced quantiles of its samples stand for them."""

_STAGE_COLORS = {
    "decode": OKABE_ITO[5],
    "resize": OKABE_ITO[4],
    "flow": OKABE_ITO[1],
    "upload": YELLOW,
    "forward": OKABE_ITO[0],
    "download": OKABE_ITO[2],
}


def all_charts(summary: Summary) -> tuple[Chart, ...]:
    """Every chart that this report has something for, in its order."""
    made = (make(summary) for make in (pareto, stage_bars, repetitions, class_bars, confusion_bars))
    return tuple(chart for chart in made if chart is not None)


CHARTS = ("pareto", "stages", "repetitions", "classes", "confusions")
"""Names of all charts there can be."""


def pareto(summary: Summary) -> Chart | None:
    """Accuracy against time: up is more often right, left is faster."""
    shown = [
        (i, m, total, top1)
        for i, m in enumerate(summary.models)
        if (total := m.timing.total_per_video) is not None and (top1 := m.accuracy.top1) is not None
    ]
    if not shown:
        return None
    series: list[Points] = []
    for i, m, total, top1 in shown:
        color, symbol = _style(i)
        series.append(_pareto_point(label(m.name), total, top1, "all work", color, symbol))
        if (prediction := m.timing.prediction_per_video) is not None:
            point = _pareto_point(label(m.name), prediction, top1, "prediction only", color, symbol)
            series.append(_hollow(point))
    front = _front([(total.value, top1.value) for _, _, total, top1 in shown])
    if len(front) > 1:
        x, y = zip(*((seconds, 100 * right) for seconds, right in front), strict=True)
        texts = ("nothing measured is both faster and more often right",) * len(front)
        series.insert(0, Points("Pareto front", x, y, texts, GREY, line=True))
    times = [x for points in series for x in points.x]
    lengths = {m.timing.video_s for _, m, _, _ in shown}
    marks: tuple[Mark, ...] = ()
    if len(lengths) == 1 and (video_s := lengths.pop()) is not None:
        marks = (Mark("x", video_s, f"real time: {number(video_s)} s of video"),)
        times.append(video_s)
    words = "; ".join(f"{label(m.name)}: {share(top1)} at {spread(total)} s" for _, m, total, top1 in shown)
    totals, shares = [total for _, _, total, _ in shown], [top1 for _, _, _, top1 in shown]
    videos = ", ".join(sorted({str(top1.n) for top1 in shares}))
    return Chart(
        "pareto",
        "Accuracy against latency",
        f"Top-1 accuracy against seconds per video. {words}.",
        "Filled: all work, preprocessing counted; hollow: the prediction alone. Lines: "
        f"accuracy: {_method(shares)}, of {videos} videos; {_spread_in_words(totals)}",
        Axis("time per video, s", log=max(times) > 5 * min(times)),
        Axis("top-1 accuracy, %", limits=(-3, 103)),
        tuple(series),
        18,
        marks,
    )


def _pareto_point(
    name: str, seconds: Estimate, right: Estimate, what: str, color: str, symbol: Symbol
) -> Points:
    text = f"{name}, {what}: {spread(seconds)} s / video, {share(right)} right of {right.n}"
    return Points(
        name,
        (seconds.value,),
        (100 * right.value,),
        (text,),
        color,
        symbol,
        size=12,
        x_ranges=(_range(seconds),),
        y_ranges=(_range(right, 100),),
    )


def _hollow(p: Points) -> Points:
    """Where the prediction alone would stand: an outline, without the interval that the filled one has."""
    return Points(p.name, p.x, p.y, p.texts, p.color, p.symbol, 9, hollow=True, legend=False)


def _front(points: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """The (time, accuracy) that no other is both faster and more accurate than, the fastest first."""
    front: list[tuple[float, float]] = []
    for seconds, right in sorted(points, key=lambda point: (point[0], -point[1])):
        if not front or right > front[-1][1]:
            front.append((seconds, right))
    return front


def stage_bars(summary: Summary) -> Chart | None:
    """Where the time of a video goes, one bar a model."""
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
    totals = [(m, total) for m in timed if (total := m.timing.total_per_video) is not None]
    series.append(
        Points(
            "all work",
            tuple(1000 * total.value for _, total in totals),
            tuple(rows[m.name] for m, _ in totals),
            tuple(f"{label(m.name)}, all work: {spread(total, 1000)} ms / video" for m, total in totals),
            GREY,
            "diamond",
            x_ranges=tuple(_range(total, 1000) for _, total in totals),
        )
    )
    words = "; ".join(f"{label(m.name)}: {spread(total)} s" for m, total in totals)
    return Chart(
        "stages",
        "Where the time goes",
        f"Stacked bars of milliseconds per video and stage. All work: {words}.",
        "Each stage's median, stacked; the diamond is the median of the whole, which the medians of its "
        f"parts need not add up to. {_spread_in_words([total for _, total in totals])}",
        Axis("ms per video"),
        Axis("", ticks=tuple((row, label(name)) for name, row in rows.items())),
        tuple(series),
        5 + 2.4 * len(timed),
    )


def repetitions(summary: Summary) -> Chart | None:
    """Every timed video of every process, relative to the median of the same video and model."""
    timed = [(i, m) for i, m in enumerate(summary.models) if m.measured.latencies]
    if not timed:
        return None
    series: list[Points] = []
    x_medians: list[float] = []
    y_medians: list[float] = []
    texts: list[str] = []
    thinned = False
    for column, (i, m) in enumerate(timed):
        processes = _relative_times(m.measured.latencies)
        color, symbol = _style(i)
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
    # The colour of no model, and only as wide as a process.
    series.append(
        Points("median of a process", tuple(x_medians), tuple(y_medians), tuple(texts), GREY, "dash", 16)
    )
    counted = "; ".join(
        f"{label(m.name)}: {m.timing.samples} samples of {m.timing.videos} videos in {m.timing.processes} "
        f"process{'' if m.timing.processes == 1 else 'es'}"
        for _, m in timed
    )
    fewer = f" At most {MOST_MARKS} marks a process: evenly spaced quantiles." if thinned else ""
    return Chart(
        "repetitions",
        "Every repetition",
        f"Each timed video's time relative to the median of the same video, by process. {counted}.",
        "All work of every timed video ÷ the median of the same video and model: one strip a process, in the "
        f"order of measurement. {counted}.{fewer}",
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
    """Process → its samples with their time by the median of the same clip, in the order of measurement."""
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


def class_bars(summary: Summary) -> Chart | None:
    """Recall of the target class and of the least recognised ones."""
    order = weakest_first(summary)
    if not order:
        return None
    first = [summary.target] if summary.target in order else []
    chosen = (first + [name for name in order if name != summary.target])[:MOST_CLASSES]
    found = [(i, m, {c.label: c for c in class_accuracies(m)}) for i, m in enumerate(summary.models)]
    found = [(i, m, by_label) for i, m, by_label in found if by_label]
    series = []
    for place, (i, m, by_label) in enumerate(found):
        rows = [
            (_row(k, place, len(chosen), len(found)), by_label.get(name)) for k, name in enumerate(chosen)
        ]
        known = [(y, c, c.recall) for y, c in rows if c is not None and c.recall is not None]
        series.append(
            Bars(
                label(m.name),
                tuple(y for y, _, _ in known),
                (0.0,) * len(known),
                tuple(100 * recall.value for _, _, recall in known),
                tuple(
                    f"{label(m.name)}: {share(recall)} of {c.videos} videos of {label(c.label)}"
                    for _, c, recall in known
                ),
                _style(i)[0],
                0.8 / len(found),
                tuple(_range(recall, 100) for _, _, recall in known),
            )
        )
    shown = f"{len(order)} classes" if len(chosen) == len(order) else f"{len(chosen)} of {len(order)} classes"
    recalls = [c.recall for _, _, by_label in found for c in by_label.values() if c.recall is not None]
    videos = [c.videos for _, _, by_label in found for name, c in by_label.items() if name in chosen]
    n = f"{min(videos)}" if min(videos) == max(videos) else f"{min(videos)} to {max(videos)}"
    return Chart(
        "classes",
        "Classes",
        f"Share of videos recognised in each of {shown}, one bar a model, as in the table of classes.",
        f"Recall in {shown}{', the target first, then' if first else ','} the least recognised; {n} videos "
        f"of each. Lines: {_method(recalls)}, of each class by itself.",
        Axis("videos of the class recognised, %", limits=(0, 102)),
        Axis("", ticks=tuple((_row(k, 0, len(chosen), 1), label(name)) for k, name in enumerate(chosen))),
        tuple(series),
        5 + len(chosen) * max(1.2, 0.75 * len(found)),
    )


def confusion_bars(summary: Summary) -> Chart | None:
    """What the target was taken for, and what was taken for it."""
    target = summary.target
    counts: defaultdict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for m in summary.models:
        for taken, n in m.accuracy.target.taken_for:
            counts[target, taken][m.name] = n
        for true, n in m.accuracy.target.mistaken:
            counts[true, target][m.name] = n
    if not counts:
        return None
    order = sorted(counts, key=lambda pair: (-sum(counts[pair].values()), pair))
    chosen = order[:MOST_CONFUSIONS]
    models = [(i, m) for i, m in enumerate(summary.models) if m.accuracy.target.recall is not None]
    models = models or list(enumerate(summary.models))
    series = []
    ends = dict.fromkeys(chosen, 0.0)
    for i, m in models:
        known = [(k, pair, counts[pair][m.name]) for k, pair in enumerate(chosen) if m.name in counts[pair]]
        starts = tuple(ends[pair] for _, pair, _ in known)
        for _, pair, n in known:
            ends[pair] += n
        series.append(
            Bars(
                label(m.name),
                tuple(_row(k, 0, len(chosen), 1) for k, _, _ in known),
                starts,
                tuple(float(n) for _, _, n in known),
                tuple(
                    f"{label(m.name)}: {n} of {label(pair[0])} taken for {label(pair[1])}"
                    for _, pair, n in known
                ),
                _style(i)[0],
            )
        )
    ticks = tuple(
        (_row(k, 0, len(chosen), 1), f"{label(true, 20)} → {label(taken, 20)}")
        for k, (true, taken) in enumerate(chosen)
    )
    words = "; ".join(
        f"{label(m.name)}: {m.accuracy.target.hits} of {m.accuracy.target.videos} recognised, "
        f"{m.accuracy.target.predicted - m.accuracy.target.hits} others taken for it"
        for _, m in models
    )
    fewer = "" if len(chosen) == len(order) else f" The {len(chosen)} most frequent of {len(order)}."
    return Chart(
        "confusions",
        f"Confusions of {label(one_line(target))}",
        f"True class and what it was taken for, in numbers of videos. {words}.",
        f"True class → what it was taken for, the models' videos side by side. {words}.{fewer}",
        Axis("videos", whole=True),
        Axis("", ticks=ticks),
        tuple(series),
        5 + 1.3 * len(chosen),
    )


def _row(row: int, place: int, rows: int, places: int) -> float:
    """Height of a bar: `row` from above, and the `place` among the bars that share it."""
    return rows - 1 - row + 0.4 - 0.8 * (place + 0.5) / places


def _style(index: int) -> tuple[str, Symbol]:
    """Colour and symbol of a model, the same in every chart."""
    shift = index // len(OKABE_ITO)
    return OKABE_ITO[index % len(OKABE_ITO)], SYMBOLS[(index + shift) % len(SYMBOLS)]


def _range(estimate: Estimate, scale: float = 1.0) -> Range:
    interval = estimate.interval
    return None if interval is None else (interval.low * scale, interval.high * scale)


def _method(estimates: Sequence[Estimate]) -> str:
    """Which intervals are drawn."""
    return " and ".join(sorted({e.interval.method for e in estimates if e.interval is not None}))


def _spread_in_words(times: Sequence[Estimate]) -> str:
    """What the lines at times are."""
    if not (method := _method(times)):
        return "times: one process, without a range."
    single = any(t.interval is None for t in times)
    return f"times: {method}{', none where there was one process' if single else ''}."

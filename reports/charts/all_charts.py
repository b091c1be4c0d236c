"""The report's charts; each function returns None if there is nothing to draw."""

from __future__ import annotations

from ..analysis.deployment import pareto_front
from ..analysis.summary import Summary
from ..numbers import number, share, spread
from ..statistics.intervals import Estimate
from .accuracy import class_bars, confusion_bars
from .chart import GREY, Axis, Chart, Mark, Points, Symbol, bounds, label, methods, range_note, style
from .timing import repetitions, stage_bars

CHARTS = ("pareto", "stages", "repetitions", "classes", "confusions")
"""Names of all charts, drawn or not."""


def all_charts(summary: Summary) -> tuple[Chart, ...]:
    """All charts that this report has data for, in their order."""
    made = (make(summary) for make in (pareto, stage_bars, repetitions, class_bars, confusion_bars))
    return tuple(chart for chart in made if chart is not None)


def pareto(summary: Summary) -> Chart | None:
    """Top-1 accuracy against time per video; None without a model that has both."""
    shown = [
        (i, m, total, top1)
        for i, m in enumerate(summary.models)
        if (total := m.timing.estimate("total_s_per_video")) is not None
        and (top1 := m.accuracy.top1) is not None
    ]
    if not shown:
        return None
    series: list[Points] = []
    for i, m, total, top1 in shown:
        color, symbol = style(i)
        series.append(_pareto_point(label(m.name), total, top1, "all work", color, symbol))
        if (prediction := m.timing.estimate("prediction_s_per_video")) is not None:
            point = _pareto_point(label(m.name), prediction, top1, "prediction only", color, symbol)
            series.append(_hollow(point))
    on_front = pareto_front(summary).front
    front = sorted((total.value, top1.value) for _, m, total, top1 in shown if m.name in on_front)
    if len(front) > 1:
        x, y = zip(*((seconds, 100 * right) for seconds, right in front), strict=True)
        texts = ("no measured model is both faster and more accurate",) * len(front)
        series.insert(0, Points("Pareto front", x, y, texts, GREY, line="dash"))
    times = [x for points in series for x in points.x]
    lengths = {m.timing.value("video_s") for _, m, _, _ in shown}
    marks: tuple[Mark, ...] = ()
    if len(lengths) == 1 and (video_s := lengths.pop()) is not None:
        marks = (Mark("x", video_s, f"real time: {number(video_s)} s of video"),)
        times.append(video_s)
    described = "; ".join(
        f"{label(m.name)}: {share(top1)} at {spread(total)} s" for _, m, total, top1 in shown
    )
    totals, shares = [total for _, _, total, _ in shown], [top1 for _, _, _, top1 in shown]
    videos = ", ".join(sorted({str(top1.n) for top1 in shares}))
    return Chart(
        "pareto",
        "Accuracy against latency",
        f"Top-1 accuracy against seconds per video. {described}.",
        "Filled: total time with preprocessing; hollow: prediction only. Lines: "
        f"accuracy: {methods(shares)}, of {videos} videos; times: {range_note(totals)}",
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
        x_ranges=(bounds(seconds),),
        y_ranges=(bounds(right, 100),),
    )


def _hollow(p: Points) -> Points:
    """The point of the prediction only: an outline without intervals or a legend entry."""
    return Points(p.name, p.x, p.y, p.texts, p.color, p.symbol, 9, hollow=True, legend=False)

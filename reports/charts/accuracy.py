"""Charts of accuracy: recall of classes, and confusions of the target class."""

from __future__ import annotations

import math
from collections import defaultdict

from ..analysis.classes import class_accuracies, weakest_first
from ..analysis.summary import Summary
from ..numbers import counted, one_line, share
from .chart import Axis, Bars, Chart, bounds, label, methods, style

MOST_CLASSES = 20
MOST_CONFUSIONS = 15


def class_bars(summary: Summary) -> Chart | None:
    """Recall of the target class and of the classes with the lowest recall; None if nothing was scored."""
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
                    f"{label(m.name)}: {share(recall)} of {counted(c.videos, 'video')} of {label(c.label)}"
                    for _, c, recall in known
                ),
                style(i)[0],
                0.8 / len(found),
                tuple(bounds(recall, 100) for _, _, recall in known),
            )
        )
    shown = f"{len(order)} classes" if len(chosen) == len(order) else f"{len(chosen)} of {len(order)} classes"
    recalls = [c.recall for _, _, by_label in found for c in by_label.values() if c.recall is not None]
    videos = [c.videos for _, _, by_label in found for name, c in by_label.items() if name in chosen]
    n = f"{min(videos)}" if min(videos) == max(videos) else f"{min(videos)} to {max(videos)}"
    return Chart(
        "classes",
        "Classes",
        f"Recall of each of {shown}, one bar per model, as in the table of classes.",
        f"Recall of {shown}{': the target class first, then' if first else ':'} the lowest; {n} videos of "
        f"each. Lines: {methods(recalls)}, of each single class.",
        Axis("recall, %", limits=(0, 102)),
        Axis("", ticks=tuple((_row(k, 0, len(chosen), 1), label(name)) for k, name in enumerate(chosen))),
        tuple(series),
        5 + len(chosen) * max(1.2, 0.75 * len(found)),
    )


def confusion_bars(summary: Summary) -> Chart | None:
    """What the target class was predicted as, and what was predicted as it; None without confusions."""
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
                    f"{label(m.name)}: {n} of {label(pair[0])} predicted as {label(pair[1])}"
                    for _, pair, n in known
                ),
                style(i)[0],
            )
        )
    ticks = tuple(
        (_row(k, 0, len(chosen), 1), f"{label(true, 20)}\n→ {label(taken, 20)}")
        for k, (true, taken) in enumerate(chosen)
    )
    sizes = "; ".join(
        f"{label(m.name)}: {m.accuracy.target.hits} of {m.accuracy.target.videos} correct, "
        f"false positives: {m.accuracy.target.predicted - m.accuracy.target.hits}"
        for _, m in models
    )
    fewer = "" if len(chosen) == len(order) else f" The {len(chosen)} most frequent of {len(order)}."
    return Chart(
        "confusions",
        f"Confusions of {label(one_line(target))}",
        f"True class and predicted class, in numbers of videos. {sizes}.",
        f"True class → predicted class, the models' videos stacked. {sizes}.{fewer}",
        Axis("videos", step=math.ceil(max(ends.values()) / 6)),
        Axis("", ticks=ticks),
        tuple(series),
        5 + 1.8 * len(chosen),
    )


def _row(row: int, place: int, rows: int, places: int) -> float:
    """Vertical position of a bar: row `row` of `rows` from the top, bar `place` of `places` in that row."""
    return rows - 1 - row + 0.4 - 0.8 * (place + 0.5) / places

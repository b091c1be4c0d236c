"""How many clips and groups each class has, from which source, and in which part of which split."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ...records.composition import Composition, Member
from ..charts.chart import Axis, Bars, Chart, label, style
from ..numbers import percent
from ..tables.table import Column, Line, Table, table

PARTS = ("train", "validation", "test")

MOST_BARS = 60
"""With more, the chart shows the whole set only."""


def distribution_table(composition: Composition) -> Table:
    """A line for each class and source, one for each class, one for all.

    Where there are several splits, the text of a part is one number for each; the raw values have columns
    of their own.
    """
    of_each = "\nof each fold" if len(composition.splits) > 1 else ""
    columns = (
        Column("Class", "left"),
        Column("Source", "left"),
        Column("Clips"),
        Column("Share"),
        Column("Groups"),
        *(Column(f"{title}{of_each}") for title in ("Train", "Validation", "Test")),
    )
    sources = list(dict.fromkeys(member.source for member in composition.members))
    lines: list[Line] = []
    for name in composition.labels:
        of_label = [member for member in composition.members if member.label == name]
        by_source = {source: [member for member in of_label if member.source == source] for source in sources}
        lines += [_line(composition, name, source, found) for source, found in by_source.items() if found]
        lines.append(_line(composition, name, "all", of_label))
    lines.append(_line(composition, "all", "all", composition.members))
    return table("distribution", "Clips per class, source and split", columns, lines)


def _line(composition: Composition, name: str, source: str, members: Sequence[Member]) -> Line:
    clips, groups = len(members), len({member.group for member in members})
    share = clips / len(composition.members)
    record: dict[str, str | float | int | None] = {
        "class": name,
        "source": source,
        "clips": clips,
        "share": share,
        "groups": groups,
    }
    texts = [name, source, str(clips), percent(share, 1), str(groups)]
    for part in PARTS:
        counts = [_count(members, place, part) for place in range(len(composition.splits))]
        texts.append(" ".join(map(str, counts)))
        record |= {f"{split}: {part}": count for split, count in zip(composition.splits, counts, strict=True)}
    return texts, record


def _count(members: Iterable[Member], place: int, part: str) -> int:
    return sum(member.parts[place] == part for member in members)


def distribution_chart(composition: Composition) -> Chart:
    """Bars of clips per class and part, the sources one after the other in each.

    The parts are those of the split; of several, which are folds, the test part of each.
    """
    parts = [(split, "test", place) for place, split in enumerate(composition.splits)]
    if len(composition.splits) == 1:
        parts = [(part, part, 0) for part in PARTS]
    if len(parts) * len(composition.labels) > MOST_BARS:
        parts = []
    selections: list[tuple[str, list[Member]]] = []
    for name in composition.labels:
        of_label = [member for member in composition.members if member.label == name]
        selections.append((name, of_label))
        selections += [
            (f"{title}, {name}", [m for m in of_label if m.parts[place] == part])
            for title, part, place in parts
        ]
    sources = list(dict.fromkeys(member.source for member in composition.members))
    rows = tuple(float(row) for row in reversed(range(len(selections))))  # the first at the top
    starts = [0] * len(selections)
    series = []
    for number, source in enumerate(sources):
        counts = [sum(member.source == source for member in members) for _, members in selections]
        series.append(
            Bars(
                label(source),
                rows,
                tuple(map(float, starts)),
                tuple(map(float, counts)),
                tuple(
                    f"{title}: {count} clips of {source}"
                    for (title, _), count in zip(selections, counts, strict=True)
                ),
                style(number)[0],
            )
        )
        starts = [start + count for start, count in zip(starts, counts, strict=True)]
    shown = "the test part of each fold" if len(composition.splits) > 1 else "the parts of the split"
    return Chart(
        "distribution",
        "Clips per class, source and split",
        f"Number of clips of each class in the whole set{f' and in {shown}' if parts else ''}, by source.",
        f"{len(composition.members)} clips in {len({m.group for m in composition.members})} groups"
        f"{f'; below each class {shown}' if parts else ''}.",
        Axis("clips"),
        Axis("", ticks=tuple((row, label(title)) for row, (title, _) in zip(rows, selections, strict=True))),
        tuple(series),
        5 + 1.2 * len(selections),
    )

"""Recall and precision of each class."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from ..numbers import one_line, percent, share
from ..statistics.intervals import LEVEL, Estimate, proportion
from ..tables.table import Column, Line, Record, Table, table, values
from .summary import ModelSummary, Summary


@dataclass(frozen=True, slots=True)
class ClassAccuracy:
    """One class of one model.

    - `label`: the class.
    - `videos`: scored videos of the class. `predicted`: scored videos predicted as the class.
    - `hits`: videos that are in both (true positives).
    - `recall`, `precision`: 0–1; None where undefined.
    """

    label: str
    videos: int
    predicted: int
    hits: int
    recall: Estimate | None
    precision: Estimate | None


def class_accuracies(m: ModelSummary) -> tuple[ClassAccuracy, ...]:
    """All classes that have a scored video, sorted by name; empty if accuracy was not measured."""
    if m.accuracy.top1 is None:
        return ()
    answered = [(str(r.label), r.top5[0][0]) for r in m.measured.clips if r.error is None and r.scored]
    videos = Counter(label for label, _ in answered)
    predicted = Counter(taken for _, taken in answered)
    hits = Counter(label for label, taken in answered if label == taken)
    return tuple(
        ClassAccuracy(
            label,
            n,
            predicted[label],
            hits[label],
            proportion(hits[label], n),
            proportion(hits[label], predicted[label]),
        )
        for label, n in sorted(videos.items())
    )


def weakest_first(summary: Summary) -> tuple[str, ...]:
    """All classes that have a scored video, by recall over all models, the lowest first."""
    videos: Counter[str] = Counter()
    hits: Counter[str] = Counter()
    for m in summary.models:
        for c in class_accuracies(m):
            videos[c.label] += c.videos
            hits[c.label] += c.hits
    return tuple(sorted(videos, key=lambda label: (hits[label] / videos[label], label)))


def classes(summary: Summary) -> Table:
    """A row for each class and model, the classes with the lowest recall first."""
    columns = (
        Column("Class", "left"),
        Column("Model", "left"),
        Column("Videos"),
        Column("Recall"),
        Column("Predicted"),
        Column("Precision"),
    )
    lines = list(_lines(summary))
    notes = []
    if lines:
        notes.append(
            f"Lowest recall first. In brackets: {percent(LEVEL)} intervals (Wilson) of each single class; "
            "among many classes some are low by chance."
        )
    return table("classes", "Classes", columns, lines, notes)


def _lines(summary: Summary) -> Iterator[Line]:
    found: defaultdict[str, list[tuple[str, ClassAccuracy]]] = defaultdict(list)
    for m in summary.models:
        for c in class_accuracies(m):
            found[c.label].append((m.name, c))
    for label in weakest_first(summary):
        for name, c in found[label]:
            texts = (
                one_line(label),
                one_line(name),
                str(c.videos),
                share(c.recall),
                str(c.predicted),
                share(c.precision),
            )
            record: Record = {
                "class": label,
                "model": name,
                "videos": c.videos,
                "predicted": c.predicted,
                "hits": c.hits,
                **values("recall", c.recall),
                **values("precision", c.precision),
            }
            yield texts, record

"""Recall and precision of each class."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

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
    clips = m.measured.clips
    labels, taken = clips.column("label"), clips.top1
    videos, predicted, hits = (
        np.bincount(numbers, minlength=len(clips.names)).tolist()
        for numbers in (labels[clips.counted], taken[clips.counted], labels[clips.right])
    )
    return tuple(
        ClassAccuracy(
            clips.names[i],
            videos[i],
            predicted[i],
            hits[i],
            proportion(hits[i], videos[i]),
            proportion(hits[i], predicted[i]),
        )
        for i in sorted(range(len(clips.names)), key=clips.names.__getitem__)
        if videos[i]
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

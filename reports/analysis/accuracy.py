"""Accuracy from predictions: top-1 and top-5, the target class, and models compared in pairs."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...operating_point import OperatingPoint
from ...records.clips.columns import ClipColumns
from ...records.clips.scores import CHUNK
from ..statistics.intervals import Estimate, f1, holm, mcnemar_exact, proportion, ranking
from .load_runs import MergedRuns, ModelData

RANDOM_WEIGHTS = "random weights: accuracy not measured"
SWEPT = "a sweep is about time: accuracy not measured"
DEMO_WEIGHTS = "demo weights: accuracy says nothing about real video"


@dataclass(frozen=True, slots=True)
class TargetAccuracy:
    """A class, the target or that of an operating point, one-vs-rest.

    - `videos`: scored videos of the class. `predicted`: scored videos predicted as the class.
    - `hits`: videos that are in both (true positives).
    - `precision`, `recall`, `f1`, `average_precision`: 0–1; None where undefined.
    - `taken_for`: what its missed videos were predicted as. `mistaken`: the true classes of its false
      positives. Both are (label, number of videos) pairs, most frequent first.
    - `reason`: why there are no figures; None if there are.
    """

    videos: int = 0
    predicted: int = 0
    hits: int = 0
    precision: Estimate | None = None
    recall: Estimate | None = None
    f1: Estimate | None = None
    average_precision: Estimate | None = None
    taken_for: tuple[tuple[str, int], ...] = ()
    mistaken: tuple[tuple[str, int], ...] = ()
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class AtOperatingPoint:
    """A model's predictions by its operating point, beside those of the most probable class.

    - `point`: the operating point. `accuracy`: share (0–1) of the scored videos whose class is right by it.
    - `decided`: the point's class by the operating point. `most_probable`: the same class by the top-1 label.
    """

    point: OperatingPoint
    accuracy: Estimate | None
    decided: TargetAccuracy
    most_probable: TargetAccuracy


@dataclass(frozen=True, slots=True)
class Accuracy:
    """One model's predictions of a run's videos.

    - `target`: the target class; a video counts as predicted if the target is its top-1 label.
    - `at_operating_point`: None without an operating point.
    - `top1`, `top5`: accuracy (0–1) over the scored videos; None if there are none, or for `reason`.
    - `unlabelled`, `unknown_label`: numbers of predicted videos that are not scored, because they have no
      label or one that is none of the network's classes.
    - `failed`: (clip, error) of the videos without a prediction.
    - `reason`: why accuracy was not measured; None if it was.
    """

    top1: Estimate | None
    top5: Estimate | None
    target: TargetAccuracy
    unlabelled: int
    unknown_label: int
    failed: tuple[tuple[str, str], ...]
    reason: str | None = None
    at_operating_point: AtOperatingPoint | None = None


@dataclass(frozen=True, slots=True)
class Paired:
    """Two models on the videos that both predicted.

    - `first`, `second`: names of the models.
    - `label`: the class of the videos; None for videos of all classes.
    - `both`, `only_first`, `only_second`, `neither`: numbers of videos that both models, one or none of them
      predicted correctly.
    - `p_value`: exact McNemar test, two-sided.
    - `adjusted_p`: the same by Holm's method, over all pairs of models of the report with this `label`.
    """

    first: str
    second: str
    label: str | None
    both: int
    only_first: int
    only_second: int
    neither: int
    p_value: float
    adjusted_p: float

    @property
    def n(self) -> int:
        """Number of videos."""
        return self.both + self.only_first + self.only_second + self.neither


def accuracy(measured: ModelData, target: str) -> Accuracy:
    """Top-1, top-5 and target-class accuracy of one model; none with random weights or in a sweep."""
    clips = measured.clips
    failed = tuple((clips.clips[row], error) for row, error in clips.errors.items())
    answered = int(clips.answered.sum())
    unlabelled = int((clips.answered & (clips.column("label") < 0)).sum())
    scored = np.flatnonzero(clips.counted)
    unknown = answered - len(scored) - unlabelled
    if measured.weights_kind == "random" or measured.model.sweep:
        why = RANDOM_WEIGHTS if measured.weights_kind == "random" else SWEPT
        return Accuracy(None, None, TargetAccuracy(reason=why), unlabelled, unknown, failed, why)
    reason = None if len(scored) else "no labelled video was predicted"
    among_five = (clips.column("top5")[scored] == clips.column("label")[scored, None]).any(axis=1)
    return Accuracy(
        proportion(int(clips.right.sum()), len(scored)),
        proportion(int(among_five.sum()), len(scored)),
        _target_accuracy(measured, scored, clips.top1[scored], target),
        unlabelled,
        unknown,
        failed,
        reason,
        _at_operating_point(measured, scored),
    )


def _at_operating_point(measured: ModelData, scored: npt.NDArray[np.intp]) -> AtOperatingPoint | None:
    point, labels, clips = measured.model.operating_point, measured.model.labels, measured.clips
    if point is None or not len(scored):
        return None
    columns = np.concatenate(
        [
            point.decide(measured.scores.rows(scored[start : start + CHUNK]), labels)
            for start in range(0, len(scored), CHUNK)
        ]
    )
    decided = np.array([clips.number(label) for label in labels])[columns]
    return AtOperatingPoint(
        point,
        proportion(int((decided == clips.column("label")[scored]).sum()), len(scored)),
        _target_accuracy(measured, scored, decided, point.label),
        _target_accuracy(measured, scored, clips.top1[scored], point.label),
    )


def _target_accuracy(
    measured: ModelData, scored: npt.NDArray[np.intp], answers: npt.NDArray[np.int32], target: str
) -> TargetAccuracy:
    """The class `target` where `answers` are the numbers of what is predicted of the `scored` rows."""
    if target not in measured.model.labels:
        return TargetAccuracy(reason=f"{target} is not a class of this network")
    clips = measured.clips
    labels = clips.column("label")[scored]
    predicted, true = answers == clips.number(target), labels == clips.number(target)
    videos, taken = int(true.sum()), int(predicted.sum())
    mistaken = _ranked(clips, labels[predicted & ~true])
    if videos == 0:
        return TargetAccuracy(0, taken, 0, mistaken=mistaken, reason=f"no video of {target} was predicted")
    hits = int((true & predicted).sum())
    scores = measured.scores.of_class(scored, measured.model.labels.index(target))
    return TargetAccuracy(
        videos,
        taken,
        hits,
        precision=proportion(hits, taken),
        recall=proportion(hits, videos),
        f1=f1(hits, taken - hits, videos - hits),
        average_precision=ranking(true, scores),
        taken_for=_ranked(clips, answers[true & ~predicted]),
        mistaken=mistaken,
    )


def _ranked(clips: ClipColumns, numbers: npt.NDArray[np.int32]) -> tuple[tuple[str, int], ...]:
    """(class name, how often its number is among `numbers`), the most frequent first."""
    found, counts = np.unique(numbers, return_counts=True)
    named = [(clips.names[number], int(n)) for number, n in zip(found, counts, strict=True)]
    return tuple(sorted(named, key=lambda item: (-item[1], item[0])))


def pairs(merged: MergedRuns) -> tuple[Paired, ...]:
    """All pairs of models with measured accuracy, on all shared videos and on those of the target class.

    Backends of one network with identical predictions count as one model: the first of them stands for all.
    """
    models = [group[0] for group in same_answers([m for m in merged.models if m.weights_kind != "random"])]
    found = _pairs(models, None) + _pairs(models, merged.target)
    return tuple(found)


def _pairs(models: Sequence[ModelData], label: str | None) -> list[Paired]:
    counted = []
    for a, b in itertools.combinations(models, 2):
        rows, others = _same_videos(a.clips, b.clips)
        chosen = a.clips.counted[rows] & b.clips.counted[others]
        if label is not None:
            chosen &= a.clips.column("label")[rows] == a.clips.number(label)
        if chosen.any():
            right = 2 * a.clips.right[rows[chosen]] + b.clips.right[others[chosen]]
            counted.append((a.name, b.name, np.bincount(right, minlength=4).tolist()))
    p_values = [mcnemar_exact(only_first, only_second) for _, _, (_, only_second, only_first, _) in counted]
    return [
        Paired(a, b, label, both, only_first, only_second, neither, p, adjusted)
        for (a, b, (neither, only_second, only_first, both)), p, adjusted in zip(
            counted, p_values, holm(p_values), strict=True
        )
    ]


def _same_videos(a: ClipColumns, b: ClipColumns) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """The rows of the clips that both have with the same label."""
    rows, others = a.shared(b)
    same = _numbers_of(a, b)[a.column("label")[rows]] == b.column("label")[others]
    return rows[same], others[same]


def _numbers_of(a: ClipColumns, b: ClipColumns) -> npt.NDArray[np.int32]:
    """The numbers that `b` has for the class names of `a`, and last, where -1 leads, for none."""
    if a.names is b.names:
        return np.append(np.arange(len(a.names), dtype=np.int32), np.int32(-1))
    numbers = {name: number for number, name in enumerate(b.names)}
    return np.array([*(numbers.get(name, -2) for name in a.names), -1], np.int32)


def same_answers(models: Sequence[ModelData]) -> list[list[ModelData]]:
    """Group backends of one network that made identical predictions; the order of the models is kept.

    A group has the same run, network, weights, views and flow, and the same top-1 label for every video.
    """
    groups: list[tuple[object, list[ModelData]]] = []
    for m in models:
        network, _, _ = m.model.key.partition("@")
        weights = json.dumps(m.model.weights, sort_keys=True)
        key = (m.run, network, m.model.title, weights, m.model.views, m.model.flow)
        for other, group in groups:
            if other == key and _identical(m.clips, group[0].clips):
                group.append(m)
                break
        else:
            groups.append((key, [m]))
    return [group for _, group in groups]


def _identical(a: ClipColumns, b: ClipColumns) -> bool:
    """Whether two models of one run have the same top-1 label, or none, for the same clips."""
    rows, others = a.shared(b)
    same = _numbers_of(a, b)[a.top1[rows]] == b.top1[others]
    return len(a) == len(b) == int(same.sum())

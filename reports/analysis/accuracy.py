"""Accuracy from predictions: top-1 and top-5, the target class, and models compared in pairs."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ...operating_point import OperatingPoint
from ...records.run import ClipRecord
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
    - `failed`: records with an error.
    - `reason`: why accuracy was not measured; None if it was.
    """

    top1: Estimate | None
    top5: Estimate | None
    target: TargetAccuracy
    unlabelled: int
    unknown_label: int
    failed: tuple[ClipRecord, ...]
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
    failed = tuple(r for r in measured.clips if r.error is not None)
    answered = [r for r in measured.clips if r.error is None]
    scored = [r for r in answered if r.scored]
    unlabelled = sum(r.label is None for r in answered)
    unknown = len(answered) - len(scored) - unlabelled
    if measured.weights_kind == "random" or measured.model.sweep:
        why = RANDOM_WEIGHTS if measured.weights_kind == "random" else SWEPT
        return Accuracy(None, None, TargetAccuracy(reason=why), unlabelled, unknown, failed, why)
    reason = None if scored else "no labelled video was predicted"
    return Accuracy(
        proportion(sum(_right(r) for r in scored), len(scored)),
        proportion(sum(r.label in dict(r.top5) for r in scored), len(scored)),
        _target_accuracy(measured, scored, [r.top5[0][0] for r in scored], target),
        unlabelled,
        unknown,
        failed,
        reason,
        _at_operating_point(measured, scored),
    )


def _right(record: ClipRecord) -> bool:
    return record.top5[0][0] == record.label


def _at_operating_point(measured: ModelData, scored: Sequence[ClipRecord]) -> AtOperatingPoint | None:
    point, labels = measured.model.operating_point, measured.model.labels
    if point is None or not scored:
        return None
    columns = point.decide(np.stack([measured.scores[r.clip] for r in scored]), labels)
    decided = [labels[column] for column in columns]
    return AtOperatingPoint(
        point,
        proportion(sum(taken == r.label for taken, r in zip(decided, scored, strict=True)), len(scored)),
        _target_accuracy(measured, scored, decided, point.label),
        _target_accuracy(measured, scored, [r.top5[0][0] for r in scored], point.label),
    )


def _target_accuracy(
    measured: ModelData, scored: Sequence[ClipRecord], answers: Sequence[str], target: str
) -> TargetAccuracy:
    """The class `target` where `answers` are the classes that are predicted of the `scored` videos."""
    if target not in measured.model.labels:
        return TargetAccuracy(reason=f"{target} is not a class of this network")
    predicted = [answer == target for answer in answers]
    true = [r.label == target for r in scored]
    videos, taken = sum(true), sum(predicted)
    mistaken = Counter(str(r.label) for r, p, t in zip(scored, predicted, true, strict=True) if p and not t)
    if videos == 0:
        return TargetAccuracy(
            0, taken, 0, mistaken=_ranked(mistaken), reason=f"no video of {target} was predicted"
        )
    hits = sum(p and t for p, t in zip(predicted, true, strict=True))
    taken_for = Counter(a for a, p, t in zip(answers, predicted, true, strict=True) if t and not p)
    return TargetAccuracy(
        videos,
        taken,
        hits,
        precision=proportion(hits, taken),
        recall=proportion(hits, videos),
        f1=f1(hits, taken - hits, videos - hits),
        average_precision=ranking(true, [_score(measured, r, target) for r in scored]),
        taken_for=_ranked(taken_for),
        mistaken=_ranked(mistaken),
    )


def _score(measured: ModelData, record: ClipRecord, target: str) -> float:
    return float(measured.scores[record.clip][measured.model.labels.index(target)])


def _ranked(counts: Counter[str]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def pairs(merged: MergedRuns) -> tuple[Paired, ...]:
    """All pairs of models with measured accuracy, on all shared videos and on those of the target class.

    Backends of one network with identical predictions count as one model: the first of them stands for all.
    """
    models = [group[0] for group in same_answers([m for m in merged.models if m.weights_kind != "random"])]

    def of_target(record: ClipRecord) -> bool:
        return record.label == merged.target

    found = _pairs(models, None, lambda _: True) + _pairs(models, merged.target, of_target)
    return tuple(found)


def _pairs(
    models: Sequence[ModelData], label: str | None, chosen: Callable[[ClipRecord], bool]
) -> list[Paired]:
    counted = []
    for a, b in itertools.combinations(models, 2):
        mine, theirs = (
            {(r.clip, r.label): _right(r) for r in m.clips if _counts(r) and chosen(r)} for m in (a, b)
        )
        counts = Counter((mine[key], theirs[key]) for key in mine.keys() & theirs.keys())
        if counts:
            counted.append((a.name, b.name, counts))
    p_values = [mcnemar_exact(c[True, False], c[False, True]) for _, _, c in counted]
    return [
        Paired(a, b, label, c[True, True], c[True, False], c[False, True], c[False, False], p, adjusted)
        for (a, b, c), p, adjusted in zip(counted, p_values, holm(p_values), strict=True)
    ]


def same_answers(models: Sequence[ModelData]) -> list[list[ModelData]]:
    """Group backends of one network that made identical predictions; the order of the models is kept.

    A group has the same run, network, weights, views and flow, and the same top-1 label for every video.
    """
    groups: dict[object, list[ModelData]] = {}
    for m in models:
        network, _, _ = m.model.key.partition("@")
        weights = json.dumps(m.model.weights, sort_keys=True)
        answers = frozenset((r.clip, r.top5[0][0] if r.top5 else None) for r in m.clips)
        key = (m.run, network, m.model.title, weights, m.model.views, m.model.flow, answers)
        groups.setdefault(key, []).append(m)
    return list(groups.values())


def _counts(record: ClipRecord) -> bool:
    return record.error is None and record.scored

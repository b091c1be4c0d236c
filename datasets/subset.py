"""Sampling N videos of each class; the sample is the same on every machine."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..errors import UsageError
from .clip import Clip, ClipSet
from .labels import LabelMatcher


@dataclass(frozen=True, slots=True)
class Subset:
    """A sample of videos.

    - `clips`: class by class in alphabetical order, in the order of sampling.
    - `per_class`, `seed`: as requested.
    - `shortfalls`: class → number of videos, where it is less than `per_class`.
    - `rejected`: clips that were sampled but do not decode.
    """

    clips: ClipSet
    per_class: int
    seed: int
    shortfalls: dict[str, int]
    rejected: tuple[Clip, ...]


def draw_subset(
    clips: ClipSet,
    per_class: int = 10,
    seed: int = 0,
    classes: Iterable[str] | None = None,
    *,
    decodes: Callable[[Clip], bool],
) -> Subset:
    """A sample of the clips of each class.

    - `clips`: to sample from; clips without a label are not sampled.
    - `per_class`: number of clips per class, at least 1.
    - `seed`: of the sample.
    - `classes`: names, matched to the labels by `LabelMatcher`; None for all classes. One without a clip is a
      shortfall.
    - `decodes`: whether a clip can be used; called for no more clips than needed.

    Clips are sampled in the order of sha256("seed:id"), so the sample depends on the ids and the seed alone,
    and a sample of 5 is the beginning of a sample of 10. Raises UsageError for a `per_class` below 1.
    """
    if per_class < 1:
        raise UsageError("videos per class must be at least 1", found=per_class)
    by_class: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        if clip.label is not None:
            by_class[clip.label].append(clip)
    drawn: list[Clip] = []
    rejected: list[Clip] = []
    shortfalls: dict[str, int] = {}
    matcher = LabelMatcher(by_class)
    wanted = by_class if classes is None else {matcher(name) or name for name in classes}
    for label in sorted(wanted):
        found = 0
        for clip in sorted(by_class.get(label, ()), key=lambda clip: rank(seed, clip.id)):
            if found == per_class:
                break
            if decodes(clip):
                drawn.append(clip)
                found += 1
            else:
                rejected.append(clip)
        if found < per_class:
            shortfalls[label] = found
    name = f"{clips.name}, {per_class} per class, seed {seed}"
    unknown = tuple(label for label in clips.unknown_labels if any(clip.label == label for clip in drawn))
    subset = ClipSet(name, tuple(drawn), unknown_labels=unknown)
    return Subset(subset, per_class, seed, shortfalls, tuple(rejected))


def rank(seed: int, name: str) -> bytes:
    """What clips are ordered by before the first ones are taken; `name`: the id of a clip."""
    return hashlib.sha256(f"{seed}:{name}".encode()).digest()

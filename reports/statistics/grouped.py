"""Intervals of results on clips that come in groups: the groups, not the clips, are what was drawn."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from .intervals import LEVEL, Estimate, Interval

DRAWS = 2000
FEWEST_GROUPS = 10
"""Below this no interval is given: a bootstrap of fewer groups is too narrow to be told as one."""


def balanced_accuracy(
    truth: Sequence[Hashable],
    predicted: Sequence[Hashable],
    groups: Sequence[Hashable],
    level: float = LEVEL,
    seed: int = 0,
) -> Estimate | None:
    """The mean over classes of the share recognised; `n` is the number of clips. None without a clip.

    Whoever guesses, or always names one class, has 1 / the number of classes, however rare some are.
    The interval is the percentile bootstrap of whole groups (Davison and Hinkley, Bootstrap Methods and
    their Application (1997), §3.8); classes that a draw lacks are left out of its mean. Clips of one group
    resemble each other, so an interval that takes each for itself would be too narrow.
    """
    if not truth:
        return None
    classes = {name: place for place, name in enumerate(dict.fromkeys(truth))}
    places = {name: place for place, name in enumerate(dict.fromkeys(groups))}
    clips = np.zeros((len(places), len(classes)))
    right = np.zeros_like(clips)
    for true, answer, group in zip(truth, predicted, groups, strict=True):
        clips[places[group], classes[true]] += 1
        right[places[group], classes[true]] += true == answer
    value = float(np.mean(right.sum(axis=0) / clips.sum(axis=0)))
    if len(places) < FEWEST_GROUPS:
        return Estimate(value, None, len(truth))
    generator = np.random.default_rng(seed)
    weights = generator.multinomial(len(places), [1 / len(places)] * len(places), size=DRAWS)
    drawn = weights @ clips
    recalls = np.divide(weights @ right, drawn, out=np.full(drawn.shape, np.nan), where=drawn > 0)
    low, high = np.quantile(np.nanmean(recalls, axis=1), [(1 - level) / 2, (1 + level) / 2])
    method = f"bootstrap of {len(places)} groups, {100 * level:g} %"
    return Estimate(value, Interval(float(low), float(high), method), len(truth))

"""Duplicate clips: the same bytes, or the same pictures in another encoding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from .appearance import MOST_PICTURES, SIDE, Appearance
from .example import Example

LARGEST_DIFFERENCE = 8
"""Grey levels by which a cell of the tiny pictures may differ. On 345 clips of HMDB51, ARID and URFD, the two
most similar that are not duplicates differ by 9 (rooms with a fixed camera and hardly a person), the next by
21; 14 of them, encoded again, by 1 to 3 (H.264, CRF 23), by 1 to 9 (MPEG-4, 200 kbit/s, 70 % of the size),
and by 6 to 20 (H.264, CRF 35, half the size), so heavy compression can hide a duplicate."""

LENGTH_SHARE, LENGTH_S = 0.05, 0.2
"""By how much the lengths of two encodings may differ: the sum of this share and these seconds."""


def same_bytes(examples: Sequence[Example]) -> Iterator[tuple[int, int]]:
    """Indices of examples that are the same segment of the same bytes, with the first such; digests known."""
    first: dict[tuple[object, ...], int] = {}
    for index, example in enumerate(examples):
        clip = example.clip
        original = first.setdefault((clip.sha256, clip.start_s, clip.end_s), index)
        if original != index:
            yield original, index


def same_pictures(appearances: Sequence[Appearance]) -> Iterator[tuple[int, int]]:
    """Indices of clips of one length whose pictures differ nowhere by more than `LARGEST_DIFFERENCE`.

    Pictures at the same times from the start are compared, so segments that overlap are not found.
    """
    seconds = np.array([each.seconds for each in appearances])
    counts = np.array([len(each.pictures) for each in appearances])
    pictures = np.zeros((len(appearances), MOST_PICTURES, SIDE * SIDE), np.int16)
    for index, each in enumerate(appearances):
        pictures[index, : len(each.pictures)] = each.pictures.reshape(len(each.pictures), -1)
    means = pictures[:, 0].mean(axis=1)
    order = np.argsort(seconds, kind="stable")
    longest = seconds[order] * (1 + LENGTH_SHARE) + LENGTH_S
    ends = np.searchsorted(seconds[order], longest, side="right")
    for place, (index, end) in enumerate(zip(order, ends, strict=True)):
        others = order[place + 1 : end]
        # Where cells differ by no more than so much, their means do not either.
        others = others[np.abs(means[others] - means[index]) <= LARGEST_DIFFERENCE]
        differences = np.abs(pictures[others] - pictures[index]).max(axis=2)
        in_both = np.arange(MOST_PICTURES) < np.minimum(counts[others], counts[index])[:, None]
        alike = others[np.where(in_both, differences, 0).max(axis=1, initial=0) <= LARGEST_DIFFERENCE]
        for other in alike:
            yield min(int(index), int(other)), max(int(index), int(other))

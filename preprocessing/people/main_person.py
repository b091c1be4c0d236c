"""The person that a clip is about: one square for all of its frames."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from ...datasets.clip import Clip
from ...datasets.video.reader import read_frames
from ...errors import ClipError
from ...models.detectors.detector import Detector
from .square import MARGIN, Corners, Square, square_around
from .tracking import LEAST_HITS, LEAST_OVERLAP, Tracker

VERSION = 1
"""Version of the squares; raised when earlier ones must not be used any more."""

LOOKS_PER_S = 10.0
"""Frames of a second that persons are looked for in: a person moves little in a tenth of a second."""

PATIENCE_S = 0.5
"""Seconds without a detection after which a person is another one."""

MOST_LOOKS = 1800
"""Most frames of a clip that persons are looked for in: 3 minutes."""


class FindsPerson(Protocol):
    """Finds the main person of a clip."""

    def __call__(self, clip: Clip, looked: Callable[[int], None]) -> Square | None:
        """The square that shows the main person, in pixels of the clip's frames; None if nobody was found.

        - `looked`: called with the number of frames that were looked at so far.

        Raises ClipError if the clip cannot be read or is too long.
        """

    def describe(self) -> dict[str, Any]:
        """What squares depend on besides the clip; plain values, for keys of caches."""


@dataclass(slots=True)
class _Seen:
    """A track: its boxes so far."""

    boxes: list[Corners] = field(default_factory=list)

    @property
    def size(self) -> float:
        """How long and how large it was: the sum of the areas, pixels."""
        corners = np.stack(self.boxes)
        return float((corners[:, 2:] - corners[:, :2]).prod(axis=1).sum())


@dataclass(frozen=True, slots=True)
class MainPerson:
    """Finds the main person by `detector`: of all that are followed, the one whose boxes have the largest sum
    of areas, which is who is seen longest and largest.

    A track counts from LEAST_HITS boxes on; in a clip with fewer looks, from as many as there were. The clip
    is decoded for this alone, since the square has to be known before its first frame is cut.
    """

    detector: Detector

    def __call__(self, clip: Clip, looked: Callable[[int], None] = lambda _: None) -> Square | None:
        """See `FindsPerson`."""
        seen: dict[int, _Seen] = {}
        looks, height, width = 0, 0, 0
        tracker = Tracker(patience=round(PATIENCE_S * LOOKS_PER_S))
        reader = read_frames(clip)
        every = max(1, round(float(reader.native_rate) / LOOKS_PER_S))
        with closing(reader):
            for number, frame in enumerate(reader):
                if number % every:
                    continue
                if looks == MOST_LOOKS:
                    raise ClipError(
                        "is too long to look for its main person",
                        where=clip.path,
                        expected=f"at most {MOST_LOOKS} frames to look at, {LOOKS_PER_S:g} of a second",
                        remedy="Cut it into segments in a manifest (start_s, end_s).",
                    )
                height, width = frame.shape[:2]
                for track in tracker.update(self.detector.detect(frame)):
                    if track.detected:
                        seen.setdefault(track.id, _Seen()).boxes.append(track.corners)
                looks += 1
                looked(looks)
        people = [each for each in seen.values() if len(each.boxes) >= min(LEAST_HITS, looks)]
        if not people:
            return None
        return square_around(np.stack(max(people, key=lambda each: each.size).boxes), height, width)

    def describe(self) -> dict[str, Any]:
        """See `FindsPerson`."""
        return {
            "version": VERSION,
            "looks_per_s": LOOKS_PER_S,
            "patience_s": PATIENCE_S,
            "least_hits": LEAST_HITS,
            "least_overlap": LEAST_OVERLAP,
            "margin": MARGIN,
            **self.detector.describe(),
        }

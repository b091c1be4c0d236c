"""The main persons of a set's clips, found once and kept on disk.

Folds, seeds and experiments share them: the key is that of the clip and of all that a square depends on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...array_cache import ArrayCache
from ...datasets.clip import Clip
from ...datasets.sources.manifest import verify
from ...preprocessing.people.main_person import FindsPerson
from ...preprocessing.people.square import Square
from ..reporting import Reporter
from .features import clip_identity
from .frames import ResizedFrames

MOST_BYTES = 10**8
"""Disk space for squares."""


@dataclass(frozen=True, slots=True)
class KnownPersons:
    """A `FindsPerson` that asks `finder` once for each clip. `cache`: of what it answered."""

    finder: FindsPerson
    cache: ArrayCache

    def __call__(self, clip: Clip, looked: Callable[[int], None] = lambda _: None) -> Square | None:
        """See `FindsPerson`. Raises ClipError, too, for a file that is not the one of the clip's digest."""
        identity = {"people": self.describe(), "clip": clip_identity(clip)}
        key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
        kept = self.cache.get(key)
        if kept is None:
            verify(clip)
            square = self.finder(clip, looked)
            values = () if square is None else (square.x, square.y, square.side)
            self.cache.put(key, np.array(values, np.float32))  # exact: pixels are small whole numbers
            return square
        return None if not len(kept) else Square(*map(int, kept))

    def describe(self) -> dict[str, Any]:
        """See `FindsPerson`."""
        return self.finder.describe()


def without_person(frames: ResizedFrames, clips: Sequence[Clip], reporter: Reporter) -> list[str]:
    """Ids of the clips in which nobody is found, so that `frames` shows whole ones; the reporter says so."""
    assert frames.people is not None, "frames of persons have who finds them"
    whole = []
    with reporter.task("people", len(clips)) as progress:
        for clip in clips:
            if frames.people(clip, lambda _: None) is None:
                whole.append(clip.id)
            progress.advance(clip.id)
    if whole:
        reporter.say(f"no person found in {len(whole)} of {len(clips)} clips: whole frames of these")
    return whole

"""The resized frames of a set's clips, held in memory as far as a bound allows."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from statistics import median

import numpy as np
import numpy.typing as npt

from ...datasets.clip import Clip
from ...datasets.sources.manifest import verify
from ...datasets.video.reader import read_frames
from ...models.spec import Preprocessing, Views
from ...preprocessing.people.main_person import FindsPerson
from ...preprocessing.preparer import Preparer
from ...preprocessing.stopwatch import Stopwatch
from .memory import HeldArrays

Pixels = npt.NDArray[np.uint8]


class ResizedFrames:
    """Clips' frames, resized as the weights need them and not yet cropped.

    Each file is checked when it is first read, and again where it has changed since.

    - `how`: rate, size and filter of the frames.
    - `memory`: holds decoded frames as far as it has room; other clips are decoded each time.
    - `people`: finds a clip's main person, of whom the frames show a square; None: they are whole.
    """

    def __init__(self, how: Preprocessing, memory: HeldArrays, people: FindsPerson | None = None) -> None:
        self.people, self.memory = people, memory
        self._preparer = Preparer({"rgb": how}, Views(None, None, "loop", "logits", 1), people=people)
        (self._geometry,) = self._preparer.geometries()
        self._checked: dict[Path, tuple[int, ...]] = {}  # file → its state when it was the clip's

    def __call__(self, clip: Clip) -> Pixels:
        """The clip's frames (T, H, W, 3) uint8; not to be changed.

        Raises ClipError if they cannot be read, or if the file is not the one of the clip's digest.
        """
        key = (clip.path, clip.start_s, clip.end_s)
        if (held := self.memory.get(key)) is not None:
            return held
        if self._checked.get(clip.path) != (state := _state(clip.path)):
            verify(clip)
            self._checked[clip.path] = state
        watch = Stopwatch()
        square, _ = self._preparer.main_person(clip, watch, _silent)
        resized = self._preparer.resized_frames(clip, self._geometry, watch, _silent, square=square)
        self.memory.hold(key, resized.pixels)
        return resized.pixels


def _state(path: Path) -> tuple[int, ...]:
    """What is another one when a file was replaced or written; nothing of a file that is not there."""
    try:
        status = path.stat()
    except OSError:
        return ()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _silent(stage: str, done: int, total: int) -> None:
    """Report nothing: the progress of a training is that of its clips."""


def median_rate(clips: Iterable[Clip]) -> float:
    """Median of the frame rates that the clips' files state. Raises ClipError for one that is unreadable."""
    rates = []
    for clip in clips:
        with read_frames(clip) as reader:
            rates.append(float(reader.native_rate))
    return median(rates)

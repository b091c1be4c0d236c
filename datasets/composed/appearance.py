"""What little of a clip's look is needed to find traps: its length, its brightness, a few tiny pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction

import cv2
import numpy as np

from ...errors import ClipError
from ..clip import Clip
from ..video.reader import read_frames
from ..video.sampling import Pixels

RATE = Fraction(2)
"""Frames a second that are looked at."""

SIDE = 16
MOST_PICTURES = 8


@dataclass(frozen=True, slots=True, eq=False)
class Appearance:
    """- `seconds`: of video, as decoded. `brightness`: mean grey value of the frames looked at, 0 to 255.
    - `pictures`: (T, 16, 16) uint8, the first of them in grey, T at most 8.
    """

    seconds: float
    brightness: float
    pictures: Pixels


def look_at(clip: Clip) -> Appearance:
    """Decode a clip and keep what `Appearance` holds. Raises ClipError if it does not decode."""
    pictures: list[Pixels] = []
    brightness: list[float] = []
    with read_frames(clip, RATE) as reader:
        for frame in reader:
            small = cv2.resize(frame, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
            grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
            brightness.append(float(grey.mean()))
            if len(pictures) < MOST_PICTURES:
                pictures.append(np.asarray(grey, np.uint8))
    return Appearance(reader.video_s, float(np.mean(brightness)), np.stack(pictures))


def look_at_all(clips: Sequence[Clip], workers: int = 1) -> Iterator[Appearance | ClipError]:
    """The appearance of each clip in their order, or the error that its decoding ended with.

    - `workers`: clips that are decoded at the same time.
    """

    def attempt(clip: Clip) -> Appearance | ClipError:
        try:
            return look_at(clip)
        except ClipError as error:
            return error

    with ThreadPoolExecutor(workers, thread_name_prefix="look") as threads:
        yield from threads.map(attempt, clips)

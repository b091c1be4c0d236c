"""By what shortcuts and duplicates are found: a clip's length, its brightness, a few tiny pictures."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import cv2
import numpy as np

from ...errors import ClipError
from ..clip import Clip
from ..decoder_pool import DecoderPool
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


@dataclass(frozen=True, slots=True)
class Look:
    """An `Appearance` of plain values, as a child process sends it. `pictures`: base64 of their bytes."""

    seconds: float
    brightness: float
    pictures: str


def look(clip: Clip) -> Look:
    """`look_at`, for a `DecoderPool`."""
    found = look_at(clip)
    return Look(found.seconds, found.brightness, base64.b64encode(found.pictures.tobytes()).decode())


def look_at_all(
    clips: Sequence[Clip], *, timeout_s: float = 60, workers: int = 1
) -> Iterator[Appearance | ClipError]:
    """The appearance of each clip in their order, or the error that its decoding ended with.

    - `timeout_s`, `workers`: of the `DecoderPool`.
    """
    with DecoderPool(timeout_s=timeout_s, workers=workers) as pool:

        def attempt(clip: Clip) -> Appearance | ClipError:
            try:
                found = pool.ask("look", clip, Look)
            except ClipError as error:
                return error
            pictures = np.frombuffer(base64.b64decode(found.pictures), np.uint8)
            return Appearance(found.seconds, found.brightness, pictures.reshape(-1, SIDE, SIDE))

        yield from pool.map(attempt, clips)

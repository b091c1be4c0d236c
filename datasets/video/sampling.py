"""Sampling in time: which of a video's frames are read, at its own rate or at another one.

All times are `Fraction`s of a second, so that 30000/1001 frames a second stay exact over any length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]

HALF = Fraction(1, 2)

# Headers state wrong values such as 90000 (the time base) where there is no frame rate.
MAX_RATE = 1000

# A longer gap between timestamps is damage; filling it would repeat one frame for hours.
MAX_GAP_S = 60


@dataclass(frozen=True, slots=True, eq=False)
class TimedFrame:
    """A frame with the time that it is shown.

    - `start`, `end`: seconds from the file's first frame.
    - `pixels`: gives the (H, W, 3) uint8 RGB array. A function, so that frames that are not sampled need not
      be converted.
    """

    start: Fraction
    end: Fraction
    pixels: Callable[[], Pixels]


class FrameSource(Protocol):
    """An open file.

    - `native_rate`: frames per second that it states.
    - `notes`: irregularities found so far.
    """

    native_rate: Fraction
    notes: list[str]

    def frames(self, since: Fraction | None) -> Iterator[TimedFrame]:
        """Frames in presentation order; with `since` (seconds), those that end before it may be left out."""

    def close(self) -> None:
        """Free the file."""


def each(frames: Iterable[TimedFrame], start: Fraction, end: Fraction | None) -> Iterator[TimedFrame]:
    """Every frame whose start is in [start, end), once; an `end` of None is the end of the file."""
    for frame in frames:
        if end is not None and frame.start >= end:
            return
        if frame.start >= start:
            yield frame


def resample(
    frames: Iterable[TimedFrame], rate: Fraction, start: Fraction, end: Fraction | None
) -> Iterator[TimedFrame]:
    """The frames of [start, end) at a constant rate; a frame is repeated or left out as needed.

    - `frames`: in presentation order.
    - `rate`: frames per second of the output.
    - `start`, `end`: seconds; an `end` of None is the end of the file.

    Output frame k stands for the interval [k, k+1)/rate after `start` and is the last frame that appeared
    before the middle of that interval. It exists if its middle is not later than the end of the segment
    or of the last frame. At least one frame is given if there is any. This is what FFmpeg's `fps` filter
    does by default (libavfilter/vf_fps.c: timestamps are rounded to the nearest output frame, the last
    one wins); unlike sampling at k/rate it does not stutter where a container rounds to milliseconds.
    """
    shown: TimedFrame | None = None
    k = 0
    for frame in frames:
        if end is not None and frame.start >= end:
            break
        while shown is not None and start + (k + HALF) / rate <= frame.start:
            yield shown
            k += 1
        shown = frame
    if shown is None or (k == 0 and shown.end <= start):
        return
    last = shown.end if end is None else min(shown.end, end)
    while k == 0 or start + (k + HALF) / rate <= last:
        yield shown
        k += 1

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


@dataclass(frozen=True, slots=True, eq=False)
class TimedFrame:
    """A frame that is on screen from `start` until `end`, in seconds from the file's first frame.

    `pixels()` gives the (H, W, 3) uint8 RGB array. It is a call because converting costs time, which is
    saved for frames that are not sampled.
    """

    start: Fraction
    end: Fraction
    pixels: Callable[[], Pixels]


class FrameSource(Protocol):
    """An open file: its frames in presentation order, and what was odd about it."""

    native_rate: Fraction
    notes: list[str]

    def frames(self, since: Fraction | None) -> Iterator[TimedFrame]:
        """All frames; with `since`, those that end before it may be left out."""

    def close(self) -> None:
        """Free the file."""


def each(frames: Iterable[TimedFrame], start: Fraction, end: Fraction | None) -> Iterator[TimedFrame]:
    """Every frame that appears in [start, end), once."""
    for frame in frames:
        if end is not None and frame.start >= end:
            return
        if frame.start >= start:
            yield frame


def resample(
    frames: Iterable[TimedFrame], rate: Fraction, start: Fraction, end: Fraction | None
) -> Iterator[TimedFrame]:
    """The frames of [start, end) at a constant `rate`; a frame is repeated or left out as needed.

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

"""Which frames of a live source the network sees: a grid of its rate, by presentation time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from .frame import Frame


@dataclass(frozen=True, slots=True)
class Chosen:
    """What one frame of the source adds to the window.

    - `anew`: the window begins anew: no frame before these belongs to it.
    - `frames`: that are added, in order; one that stands for several grid points is there several times.
    """

    anew: bool
    frames: tuple[Frame, ...]


class Sampler:
    """Chooses frames at a constant rate while they come, without waiting for the next one.

    - `rate`: frames a second; None: frames of the source as they are.
    - `every`: without a `rate`, only every so many-th frame of the source, from the window's first one on.
    - `longest_gap_s`: after a longer pause the window begins anew.

    Grid point k is at k / rate seconds after the first frame of the window. A frame belongs to the point that
    is nearest to it; of several at one point, the first is taken. A point without one is given the last frame
    before it, when the next one comes, as `datasets.video.sampling.resample` does. That one takes the last
    frame of a point instead of the first, which is known only when the next frame is there: a frame later.
    """

    def __init__(self, rate: Fraction | None, every: int, longest_gap_s: float) -> None:
        self._rate = None if rate is None else float(rate)
        self._every = every
        self._longest_gap_s = longest_gap_s
        self._last: Frame | None = None
        self._origin_s = 0.0
        self._next = 0

    def add(self, frame: Frame) -> Chosen:
        """What the next frame of the source adds."""
        last, self._last = self._last, frame
        anew = (
            last is None
            or not frame.continues
            or frame.time_s - last.time_s > self._longest_gap_s
            or frame.pixels.shape != last.pixels.shape
        )
        if anew:
            self._origin_s, self._next = frame.time_s, 0
        if self._rate is None:
            chosen = () if self._next % self._every else (frame,)
            self._next += 1
            return Chosen(anew, chosen)
        point = math.floor((frame.time_s - self._origin_s) * self._rate + 0.5)
        missing = max(0, point - self._next)
        filled = () if last is None else (last,) * missing
        chosen = (frame,) if point >= self._next else ()
        self._next = max(self._next, point + 1)
        return Chosen(anew, filled + chosen)

"""One frame of a live source."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

FALLBACK_FPS = Fraction(25)
"""Frames a second of a source that states none, and of one whose every frame a network takes, where a rate is
needed beforehand."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A decoded frame and its times.

    - `pixels`: (H, W, 3) uint8 RGB; not to be modified. The size may change between frames.
    - `number`: frames of this session that were decoded before it.
    - `time_s`: presentation time on the session's timeline, seconds: 0 for the first frame, and it never goes
      back, also across reconnects.
    - `captured_s`: when it was there, before it was decoded, `time.monotonic()`; of a file that is played in
      real time: when it was due; of a stream, see `Arrivals`.
    - `continues`: False for a first frame, and where frames before it are missing (after a reconnect): no
      window may hold frames from both sides.
    """

    pixels: npt.NDArray[np.uint8]
    number: int
    time_s: float
    captured_s: float
    continues: bool = True

"""A picture as a source gives it, before it has a place on the session's timeline."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A decoded picture.

    - `pixels`: (H, W, 3) uint8 RGB.
    - `stamp_s`: its time by the source's clock, seconds; None where the source gives none.
    - `step_s`: time from one picture to the next, as the source states it, seconds.
    - `decode_s`: seconds that decoding and conversion to RGB took, without waiting for data.
    """

    pixels: npt.NDArray[np.uint8]
    stamp_s: float | None
    step_s: float
    decode_s: float


class SourceLost(Exception):
    """A source gives no more pictures; its text says why, without the source's address."""

"""What the network said of one window of a live source."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, eq=False)
class Recognised:
    """The network's answer to one window.

    - `probabilities`: (classes,) float32; they add up to 1.
    - `start_s`, `end_s`: presentation times of the window's first and last frame (`Frame.time_s`).
    - `captured_s`: when its last frame was there, `time.monotonic()`.
    - `answered_s`: when the probabilities were there, on the same clock.
    - `window`: frames of the window.
    - `stride`: frames from one label to the next, as in effect.
    - `rate`: different frames a second that the network sees: fewer than its own rate where the source has
      fewer, or where frames were dropped, and the frame before is repeated in their place.
    - `person`: id of the person whom the window shows; None where it shows whole frames. `zone`: where that
      person was in its last frame; None without zones.
    """

    probabilities: npt.NDArray[np.float32]
    start_s: float
    end_s: float
    captured_s: float
    answered_s: float
    window: int
    stride: int
    rate: float
    person: int | None = None
    zone: str | None = None

    @property
    def age_s(self) -> float:
        """How old the window's last frame was when its label was there, seconds."""
        return self.answered_s - self.captured_s

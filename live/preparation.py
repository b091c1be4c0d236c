"""From frames to windows of network input: each frame is chosen, resized and turned into flow once."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from ..models.spec import InputArray
from ..preprocessing.preparer import Preparer
from ..preprocessing.rolling_window import RollingWindow
from ..preprocessing.stopwatch import Stopwatch
from .frame import Frame
from .measurements import Measurements
from .sampling import Sampler

FALLBACK_FPS = Fraction(25)
"""By which the longest pause within a window is judged where the network takes a video's own frames."""


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """A window for which a label is due.

    - `inputs`: stream → its frames, (H, W, C) each.
    - `start_s`, `end_s`, `captured_s`, `rate`: see `Recognised`.
    """

    inputs: Mapping[str, list[InputArray]]
    start_s: float
    end_s: float
    captured_s: float
    rate: float


class Preparation:
    """Keeps the last frames of a source as network input, and hands them on when a label is due.

    - `preparer`: how the network's streams are prepared.
    - `window`: frames of a window. `rate`: frames a second that are chosen; None: every frame.
    - `stride`: frames from one label to the next, as asked for.
    - `measurements`: gets times, and counts frames and labels that are late.
    """

    def __init__(
        self,
        preparer: Preparer,
        window: int,
        rate: Fraction | None,
        stride: int,
        measurements: Measurements,
    ) -> None:
        self._has_flow = preparer.flow is not None
        self._rolling = RollingWindow(preparer, window)
        self._sampler = Sampler(rate, float(window / (rate or FALLBACK_FPS)))
        self._rate, self._stride, self._measurements = rate, stride, measurements
        self._kept: deque[tuple[Frame, bool]] = deque(maxlen=window)
        self._added: Frame | None = None
        self._until_due = 0
        self._strides: int | None = None  # since the last label of this window

    def add(self, frame: Frame, multiple: int) -> Window | None:
        """Take the next frame; the window that ends with it, if a label is due.

        - `multiple`: a label is given at each `multiple`-th stride only, since the network is too slow.
        """
        chosen = self._sampler.add(frame)
        if chosen.anew:
            self._rolling.clear()
            self._kept.clear()
            self._added = None
            self._until_due, self._strides = 0, None
        due = False
        for each in chosen.frames:
            self._add(each)
            due = self._is_due(multiple) or due
        self._measurements.count("processed", len(chosen.frames))
        return self._window() if due else None

    def _add(self, frame: Frame) -> None:
        repeated = frame is self._added
        watch = Stopwatch()
        if repeated:
            self._rolling.repeat()
        else:
            self._rolling.add(frame.pixels, watch)
            self._measurements.observe("prepare", watch.seconds["resize"])
            if self._has_flow:
                self._measurements.observe("flow", watch.seconds["flow"])
        self._added = frame
        self._kept.append((frame, repeated))

    def _is_due(self, multiple: int) -> bool:
        """Whether a label is to be given for the frames so far: at the first whole window, then by stride."""
        if not self._rolling.whole():
            return False
        self._until_due -= 1
        if self._until_due > 0:
            return False
        self._until_due = self._stride
        if self._strides is not None:
            self._strides += 1
            if self._strides < multiple:
                self._measurements.count("late")
                return False
        self._strides = 0
        return True

    def _window(self) -> Window:
        first, last = self._kept[0][0], self._kept[-1][0]
        different = sum(not repeated for _, repeated in self._kept)
        seconds = last.time_s - first.time_s
        if self._rate is not None:
            rate = float(self._rate) * different / len(self._kept)
        else:
            rate = (len(self._kept) - 1) / seconds if seconds > 0 else 0.0
        return Window(self._rolling.frames(), first.time_s, last.time_s, last.captured_s, rate)

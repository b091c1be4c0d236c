"""From frames to windows of network input: each frame is chosen, resized and turned into flow once."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from ..models.spec import InputArray
from ..preprocessing.people.square import Pixels
from ..preprocessing.preparer import Preparer
from ..preprocessing.rolling_window import RollingWindow
from ..preprocessing.stopwatch import Stopwatch
from .frame import FALLBACK_FPS, Frame
from .measurements import Measurements
from .people.finder import Cut, People, PeopleFinder, Present
from .sampling import Sampler


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """A window for which a label is due.

    - `inputs`: stream → its frames, (H, W, C) each.
    - `start_s`, `end_s`, `captured_s`, `rate`, `person`, `zone`: see `Recognised`.
    """

    inputs: Mapping[str, list[InputArray]]
    start_s: float
    end_s: float
    captured_s: float
    rate: float
    person: int | None
    zone: str | None


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """What a frame leads to.

    - `windows`: for which a label is due: at most one, or one of each person.
    - `people`: who is in the picture; None where nobody is looked for.
    - `anew`: all windows begin again with it.
    """

    windows: tuple[Window, ...]
    people: tuple[Present, ...] | None
    anew: bool


class Preparation:
    """Keeps the last frames of a source as network input, and hands them on when a label is due.

    - `preparer`: how the network's streams are prepared.
    - `window`: frames of a window. `rate`: frames a second that are chosen; None: every `every`-th frame.
    - `stride`: frames from one label to the next, as asked for.
    - `measurements`: gets times, and counts frames and labels that are late.
    - `people`: how persons are found, who then have a window each; None: one window, of whole frames.
    """

    def __init__(
        self,
        preparer: Preparer,
        window: int,
        rate: Fraction | None,
        stride: int,
        measurements: Measurements,
        people: People | None = None,
        every: int = 1,
    ) -> None:
        self._preparer, self._length = preparer, window
        expected = rate or FALLBACK_FPS / every
        self._sampler = Sampler(rate, every, float(window / expected))
        self._rate, self._stride, self._measurements = rate, stride, measurements
        self._finder = None if people is None else PeopleFinder(people, window, expected)
        self._rolling: dict[int | None, _Rolling] = {}
        # Presentation times, and whether the frame is a repetition: their pixels would be kept for nothing.
        self._times: deque[tuple[float, bool]] = deque(maxlen=window)
        self._added: Frame | None = None

    def add(self, frame: Frame, multiple: int) -> Prepared:
        """Take the next frame; what it leads to.

        - `multiple`: a label is given at each `multiple`-th stride only, since the network is too slow.
        """
        chosen = self._sampler.add(frame)
        if chosen.anew:
            self._rolling.clear()
            self._times.clear()
            self._added = None
            if self._finder is not None:
                self._finder.forget()
        due: dict[int | None, Cut] = {}
        for each in chosen.frames:
            due |= self._add(each, multiple)
        self._measurements.count("processed", len(chosen.frames))
        windows = tuple(self._window(key, cut) for key, cut in due.items() if key in self._rolling)
        return Prepared(windows, None if self._finder is None else self._finder.present, chosen.anew)

    def _add(self, frame: Frame, multiple: int) -> dict[int | None, Cut]:
        """Add a frame to all windows; those of which a label is due with it."""
        repeated = frame is self._added
        self._added = frame
        self._times.append((frame.time_s, repeated))
        by_key = {
            None if cut.person is None else cut.person.id: cut for cut in self._cuts(frame.pixels, repeated)
        }
        self._rolling = {
            key: self._rolling.get(key) or _Rolling(self._preparer, self._length, self._measurements)
            for key in by_key
        }
        return {
            key: cut for key, cut in by_key.items() if self._rolling[key].add(cut, self._stride, multiple)
        }

    def _cuts(self, pixels: Pixels, repeated: bool) -> tuple[Cut, ...]:
        """What a frame adds to each window; `repeated`: it is the last one once more."""
        if self._finder is None:
            return (Cut(None, () if repeated else (pixels,), anew=False),)
        if repeated:
            return self._finder.repeat()
        begin = time.perf_counter()
        cuts = self._finder.add(pixels)
        self._measurements.observe("people", time.perf_counter() - begin)
        self._measurements.set_trouble("people", self._finder.too_many)
        return cuts

    def _window(self, key: int | None, cut: Cut) -> Window:
        # All windows end with the last frame, and a whole one has them all.
        last = self._added
        assert last is not None, "a label is due with a frame"
        start_s = self._times[0][0]
        different = sum(not repeated for _, repeated in self._times)
        seconds = last.time_s - start_s
        if self._rate is not None:
            rate = float(self._rate) * different / len(self._times)
        else:
            rate = (len(self._times) - 1) / seconds if seconds > 0 else 0.0
        zone = None if cut.person is None else cut.person.zone
        inputs = self._rolling[key].frames()
        return Window(inputs, start_s, last.time_s, last.captured_s, rate, key, zone)


class _Rolling:
    """The frames of one window, and when its next label is due."""

    def __init__(self, preparer: Preparer, length: int, measurements: Measurements) -> None:
        self._has_flow = preparer.flow is not None
        self._window, self._measurements = RollingWindow(preparer, length), measurements
        self._until_due = 0
        self._strides: int | None = None  # since the last label of this window

    def add(self, cut: Cut, stride: int, multiple: int) -> bool:
        """Add what a frame adds; whether a label is due: at the first whole window, then by stride."""
        if cut.anew:
            self._window.clear()
        for pixels in cut.frames:
            self._add(pixels)
        if not cut.frames:
            self._window.repeat()
        if cut.person is not None and not cut.person.watched:
            self._until_due, self._strides = 0, None
            return False
        return self._is_due(stride, multiple)

    def _add(self, pixels: Pixels) -> None:
        watch = Stopwatch()
        self._window.add(pixels, watch)
        self._measurements.observe("prepare", watch.seconds["resize"])
        if self._has_flow:
            self._measurements.observe("flow", watch.seconds["flow"])

    def _is_due(self, stride: int, multiple: int) -> bool:
        if not self._window.whole():
            return False
        self._until_due -= 1
        if self._until_due > 0:
            return False
        self._until_due = stride
        if self._strides is not None:
            self._strides += 1
            if self._strides < multiple:
                self._measurements.count("late")
                return False
        self._strides = 0
        return True

    def frames(self) -> dict[str, list[InputArray]]:
        """The window's frames, stream → (H, W, C) each; later frames do not change it."""
        return self._window.frames()

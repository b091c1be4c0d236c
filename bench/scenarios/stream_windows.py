"""One camera of the scenario "stream": its windows, of whole frames or of each person, and what is due."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ...live.people.finder import People, PeopleFinder
from ...models.detectors.detector import Detector
from ...preprocessing.preparer import Preparer
from ...preprocessing.rolling_window import RollingWindow
from ...preprocessing.stopwatch import Stopwatch

Frame = npt.NDArray[np.uint8]


class CameraWindows(Protocol):
    """The windows that end with a camera's last frame."""

    def add(self, frame: Frame, watch: Stopwatch) -> None:
        """Add the next frame, (H, W, 3) uint8 RGB; `watch` gets the time of the work on it, by stage."""

    def whole(self) -> Mapping[int | None, RollingWindow]:
        """Those that are whole, by person; None: that of whole frames."""

    def due(self) -> int:
        """Labels that are due if this frame is at a stride."""

    def persons(self) -> int | None:
        """Persons in the picture; None if nobody is looked for."""


class FrameWindow:
    """One window, of whole frames. Its label is due at each stride, whatever frames were lost before."""

    def __init__(self, preparer: Preparer, length: int) -> None:
        self._window = RollingWindow(preparer, length)

    def add(self, frame: Frame, watch: Stopwatch) -> None:
        """See `CameraWindows`."""
        self._window.add(frame, watch)

    def whole(self) -> Mapping[int | None, RollingWindow]:
        """See `CameraWindows`."""
        return {None: self._window} if self._window.whole() else {}

    def due(self) -> int:
        """See `CameraWindows`."""
        return 1

    def persons(self) -> int | None:
        """See `CameraWindows`."""
        return None


class PersonWindows:
    """A window of each person whom `detector` finds, as in a live session. A label is due of those that are
    whole: when there will be persons is not known beforehand.

    - `preparer`: how the network's streams are prepared. `length`: frames of a window.
    - `fps`: frames of the camera a second.
    """

    def __init__(self, preparer: Preparer, length: int, fps: Fraction, detector: Detector) -> None:
        self._preparer, self._length = preparer, length
        self._finder = PeopleFinder(People(detector), length, fps)
        self._windows: dict[int, RollingWindow] = {}

    def add(self, frame: Frame, watch: Stopwatch) -> None:
        """See `CameraWindows`; the time of "people" is that of finding, following and cutting."""
        with watch.stage("people"):
            cuts = self._finder.add(frame)
        before, self._windows = self._windows, {}
        for cut in cuts:
            assert cut.person is not None, "a finder of persons cuts persons"
            window = before.get(cut.person.id) or RollingWindow(self._preparer, self._length)
            self._windows[cut.person.id] = window
            if cut.anew:
                window.clear()
            for pixels in cut.frames:
                window.add(pixels, watch)

    def whole(self) -> Mapping[int | None, RollingWindow]:
        """See `CameraWindows`."""
        return {person: window for person, window in self._windows.items() if window.whole()}

    def due(self) -> int:
        """See `CameraWindows`."""
        return len(self.whole())

    def persons(self) -> int | None:
        """See `CameraWindows`; those beyond MOST_PEOPLE, who have no window, are among them."""
        return len(self._finder.present)


@dataclass(slots=True)
class Watched:
    """What was done for one camera.

    - `age_s`: of its labels.
    - `frame_s`, `stages_s`, `waiting_frames`: of each frame the work, and those that waited behind it.
    - `due`: labels that were due. `persons`: those in the picture at each stride.
    - `dropped`: frames that were lost.
    - `resident_bytes`: memory of the process at its last frame.
    """

    age_s: list[float] = field(default_factory=list)
    frame_s: list[float] = field(default_factory=list)
    stages_s: dict[str, list[float]] = field(default_factory=dict)
    waiting_frames: list[int] = field(default_factory=list)
    due: int = 0
    persons: list[int] = field(default_factory=list)
    dropped: int = 0
    resident_bytes: int = 0

    def ask(self, strides: int, windows: CameraWindows) -> None:
        """Count what is due at so many strides, by the last frame that was processed."""
        self.due += strides * windows.due()
        if (persons := windows.persons()) is not None:
            self.persons += strides * [persons]

    def add(self, seconds: float, watch: Stopwatch, waiting: int) -> None:
        """Count a frame: all work on it, its stages, and the frames that waited behind it."""
        self.frame_s.append(seconds)
        for stage, of_stage in watch.seconds.items():
            self.stages_s.setdefault(stage, []).append(of_stage)
        self.waiting_frames.append(waiting)

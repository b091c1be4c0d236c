"""Captures a source: pictures become frames with their times; a live source that is lost is opened again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field

from ...errors import ClipError
from ..frame import Frame
from ..measurements import Measurements
from .arrivals import Arrivals
from .camera import read_camera
from .picture import Picture, SourceLost
from .source import Source
from .timeline import Timeline
from .video import read_video

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0
"""Seconds before a lost source is opened again: at first, then twice as long each time, up to the longest."""

MOST_LATE_S = 1.0
"""A file that is decoded later than this is played more slowly from there on; of a stream it is said."""

_NO_PICTURE = "gives no picture"
_ENDED = "the stream ended"
_LAGS = "the stream is decoded more slowly than it comes: frames wait before they are decoded"
_MAY_LAG = "the stream has no time stamps and is hardly waited for: frames may be older than their age says"

Read = Callable[[Source, Callable[[], None]], Iterator[Picture]]
"""Opens a source and gives its pictures; the function is to be called for each damage (`read_video`)."""


def read_source(source: Source, damaged: Callable[[], None]) -> Iterator[Picture]:
    """The pictures of a source; see `read_video` and `read_camera`."""
    return read_camera(int(source.address)) if source.kind == "camera" else read_video(source, damaged)


def check_file(source: Source) -> None:
    """Check that a video file can be opened and has a picture; of another source nothing is known beforehand.

    Raises ClipError as `Capture.run` would.
    """
    if source.kind != "file":
        return
    try:
        with closing(read_source(source, lambda: None)) as pictures:  # type: ignore[type-var]
            found = next(pictures, None)
    except SourceLost as error:
        raise ClipError(str(error), where=source.public) from None
    if found is None:
        raise ClipError(_NO_PICTURE, where=source.public)


@dataclass(slots=True)
class Capture:
    """Captures a source in the thread that calls `run`.

    - `source`: what is captured.
    - `give`: takes each frame; where it waits, capture waits.
    - `measurements`: counts frames, damage and reconnects.
    - `stop`: ends the capture when it is set.
    - `paced`: of a file: play it in real time, by its presentation times.
    - `seconds`: presentation time after which it ends; None for no limit.
    - `say`: is told, in words, when the source is lost and when it is back.
    - `read`: opens the source.
    - `clock`: seconds, as `time.monotonic`.
    """

    source: Source
    give: Callable[[Frame], None]
    measurements: Measurements
    stop: threading.Event
    paced: bool = False
    seconds: float | None = None
    say: Callable[[str], None] = lambda _: None
    read: Read = read_source
    clock: Callable[[], float] = time.monotonic
    _timeline: Timeline = field(default_factory=Timeline)
    _arrivals: Arrivals = field(default_factory=Arrivals)
    _number: int = 0
    _origin_s: float | None = None

    def run(self) -> None:
        """Capture until the source ends, `seconds` are over, or `stop` is set.

        Raises ClipError if the source cannot be opened at first, or gives no picture.
        """
        wait_s = FIRST_WAIT_S
        while not self.stop.is_set():
            before = self._number
            reason = _ENDED
            try:
                if not self._read_through():
                    return
            except SourceLost as error:
                reason = str(error)
            self._timeline.interrupt()
            self.measurements.set_connected(False)
            if self.stop.is_set():
                return
            if not self._number:
                what = reason if reason != _ENDED else _NO_PICTURE
                raise ClipError(what, where=self.source.public)
            if not self.source.live:
                if reason != _ENDED:
                    self.say(f"{self.source.public} ends early: {reason}")
                return
            was_there = self._number > before
            wait_s = FIRST_WAIT_S if was_there else min(2 * wait_s, LONGEST_WAIT_S)
            words = f"{self.source.public} is lost ({reason}); it is opened again in {wait_s:g} s"
            self.measurements.set_trouble("source", words)
            if was_there:
                self.say(words)
            self.stop.wait(wait_s)

    def _read_through(self) -> bool:
        """Give frames until the source ends, and say True; or until enough was captured, and say False."""
        opened = False
        with closing(self.read(self.source, self._damaged)) as pictures:  # type: ignore[type-var]
            asked_s = self.clock()
            for picture in pictures:
                read_s = self.clock() - picture.decode_s  # decoding is part of a label's age
                if self.stop.is_set():
                    return False
                if not opened:
                    self._found()
                    opened = True
                if not self._take(picture, read_s, read_s - asked_s):
                    return False
                asked_s = self.clock()
        return True

    def _damaged(self) -> None:
        self.measurements.count("damaged")

    def _found(self) -> None:
        self.measurements.set_connected(True)
        if self._number:
            self.measurements.count("reconnects")
            self.measurements.set_trouble("source", None)
            self.say(f"{self.source.public} is back")

    def _take(self, picture: Picture, read_s: float, waited_s: float) -> bool:
        """Give one frame at its time; False if `seconds` are over.

        - `read_s`: when the picture was read. `waited_s`: for how long it had been waited for.
        """
        time_s, continues = self._timeline.place(picture.stamp_s, picture.step_s, read_s)
        if self.seconds is not None and time_s >= self.seconds:
            return False
        captured_s = read_s
        if self.paced:
            captured_s = self._when_due(time_s, read_s)
        elif self.source.kind == "stream":
            captured_s = self._arrivals.place(picture.stamp_s, read_s, waited_s, continues)
            words = _LAGS if read_s - captured_s > MOST_LATE_S else None
            if picture.stamp_s is None and not self._arrivals.keeps_up:
                words = _MAY_LAG
            self.measurements.set_trouble("pace", words)
        self.measurements.count("captured")
        self.measurements.observe("decode", picture.decode_s)
        self.give(Frame(picture.pixels, self._number, time_s, captured_s, continues))
        self._number += 1
        return not self.stop.is_set()

    def _when_due(self, time_s: float, now_s: float) -> float:
        """Wait until a frame of a file is due; when that was."""
        if self._origin_s is None:
            self._origin_s = now_s - time_s
        due_s = self._origin_s + time_s
        if now_s - due_s > MOST_LATE_S:
            self._origin_s += now_s - due_s
            due_s = now_s
            words = "the file cannot be decoded in real time: it is played more slowly"
            self.measurements.set_trouble("pace", words)
        elif due_s > now_s:
            self.measurements.set_trouble("pace", None)
            self.stop.wait(due_s - now_s)
        return due_s

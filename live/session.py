"""A live session: capture, preparation, network and outputs side by side, each in a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from ..errors import MeasurementError
from ..plain_text import plain_line
from ..preprocessing.preparer import Preparer, View
from .capture.capture import Capture, Read, read_source
from .capture.source import Source
from .decision import GAP_S, Decider
from .dispatch import Dispatcher
from .frame import Frame
from .labelling import Labelling
from .measurements import Measurements, SessionSummary
from .outputs.output import Output, Shown
from .people.finder import People
from .preparation import FALLBACK_FPS, Preparation, Prepared, Window
from .queues import Newest, Turns
from .recognition import Recognised
from .stride import AdaptiveStride

ROOM_S = 0.5
"""Seconds of video that wait for preparation, or for the outputs, at most."""

TICK_S = 0.5
"""Seconds between two looks at the session from outside."""

MOST_FAILURES = 5
"""Windows in a row for which the network may raise before the session ends."""

ENDING_S = 10.0
"""Seconds that the network may take for its last window when the session ends."""

Recognise = Callable[[View], npt.NDArray[np.float32]]
"""From a window, stream → (T, H, W, C), to probabilities (classes,) float32."""


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """How a session runs.

    - `window`: frames of a window. `rate`: frames a second that the network sees; None: every `every`-th of
      the source's.
    - `stride`: frames from one label to the next.
    - `lossless`: nothing is dropped: every thread waits for the next one. For files.
    - `seconds`: after which it ends; None for no limit. Of presentation time where it is lossless.
    - `stall_s`: seconds without an answer of the network after which the session ends.
    """

    window: int
    rate: Fraction | None
    stride: int
    lossless: bool = False
    seconds: float | None = None
    stall_s: float = 60.0
    every: int = 1


def run_session(
    source: Source,
    network: Recognise,
    preparer: Preparer,
    labels: tuple[str, ...],
    settings: SessionSettings,
    outputs: Sequence[Output],
    measurements: Measurements,
    stop: threading.Event,
    *,
    decider: Decider,
    people: People | None = None,
    say: Callable[[str], None] = lambda _: None,
    watch: Callable[[Shown], None] = lambda _: None,
    read: Read = read_source,
    clock: Callable[[], float] = time.monotonic,
) -> SessionSummary:
    """Recognise what a source shows until it ends, `settings.seconds` are over, or `stop` is set.

    - `source`: what is watched; `read` opens it.
    - `network`: answers a window; one thread calls it.
    - `preparer`: how the network's streams are prepared.
    - `labels`: names of the classes.
    - `outputs`: are given frames and events, and are closed at the end, however it comes.
    - `measurements`: of this session.
    - `stop`: ends the session when it is set, from any thread.
    - `decider`: makes labels and events of the answers.
    - `people`: how persons are found, who are then recognised one by one; None: whole frames.
    - `say`: is told what the user should know, in words.
    - `watch`: is told every TICK_S seconds what is recognised and how the session is.
    - `clock`: by which frames are captured and answered.

    Raises ClipError if the source cannot be opened, MeasurementError if the network raises MOST_FAILURES
    times in a row or does not answer for `settings.stall_s` seconds.
    """
    session = _Session(
        network, preparer, labels, settings, outputs, measurements, decider, people, say, clock
    )
    capture = Capture(
        source,
        session.take,
        measurements,
        stop,
        paced=source.kind == "file" and not settings.lossless,
        seconds=settings.seconds if settings.lossless else None,
        say=say,
        read=read,
        clock=clock,
    )
    try:
        session.start(capture)
        begin = time.monotonic()
        while not session.ended.wait(TICK_S):
            watch(session.dispatcher.shown())
            session.check_network()
            session.check_source()
            over = settings.seconds is not None and time.monotonic() - begin >= settings.seconds
            if stop.is_set() or (over and not settings.lossless):
                break
    finally:
        stop.set()
        session.finish()
    if session.failure is not None:
        raise session.failure
    watch(session.dispatcher.shown())
    return measurements.summary()


@dataclass(frozen=True, slots=True, eq=False)
class _Work:
    """What the network is to answer.

    - `windows`: one; where nothing may be lost, all those of a frame.
    - `shown`: where nothing may be lost, the frame, which is shown after the answers that it led to, with
      what it led to. None where frames are shown when they are captured.
    """

    windows: tuple[Window, ...]
    shown: tuple[Frame, Prepared] | None = None


class _Session:
    """The threads of a session, and the queues between them. `failure`: what ended it early."""

    def __init__(
        self,
        network: Recognise,
        preparer: Preparer,
        labels: tuple[str, ...],
        settings: SessionSettings,
        outputs: Sequence[Output],
        measurements: Measurements,
        decider: Decider,
        people: People | None,
        say: Callable[[str], None],
        clock: Callable[[], float],
    ) -> None:
        self._network, self._settings, self._by_person = network, settings, people is not None
        self._measurements, self._say, self._clock = measurements, say, clock
        # Of the source's frames, which may be more than the network sees.
        room = max(2, round(ROOM_S * max(settings.rate or 0, FALLBACK_FPS)))
        self._frames: Newest[Frame] = Newest(room, lossless=settings.lossless)
        self._work: Turns[int | None, _Work] = Turns(lossless=settings.lossless)
        measurements.watch_queue("preparation", self._frames.__len__)
        measurements.watch_queue("network", self._work.__len__)
        self.dispatcher = Dispatcher(outputs, labels, measurements, room, settings.lossless, say)
        self._labelling = Labelling(decider, self.dispatcher.label)
        self._preparation = Preparation(
            preparer,
            settings.window,
            settings.rate,
            settings.stride,
            measurements,
            people,
            settings.every,
        )
        self._stride = AdaptiveStride()
        self._failures = 0
        self._last_s = 0.0
        self._busy_since_s: float | None = None
        self._taken_s: float | None = None
        self.failure: BaseException | None = None
        self.ended = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self, capture: Capture) -> None:
        """Start capture, preparation and network. `ended` is set when there is nothing left to do."""
        for name, work in (
            ("network", self._recognise),
            ("preparation", self._prepare),
            ("capture", lambda: self._capture(capture)),
        ):
            thread = threading.Thread(target=self._guarded, args=(work,), name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            self.failure = self.failure or error
            self.ended.set()

    def take(self, frame: Frame) -> None:
        """Take a captured frame."""
        self._taken_s = time.monotonic()
        replaced = self._frames.put(frame)
        if replaced is not None and replaced is not frame:
            self._measurements.count("dropped")
        if not self._settings.lossless:
            self.dispatcher.frame(frame)

    def _capture(self, capture: Capture) -> None:
        try:
            capture.run()
        finally:
            self._frames.close()

    def _prepare(self) -> None:
        lossless = self._settings.lossless
        # Persons take turns, each with the newest window: none has to be left out before.
        regular = lossless or self._by_person
        try:
            while (frame := self._frames.take()) is not None:
                prepared = self._preparation.add(frame, 1 if regular else self._stride.multiple)
                self._last_s = frame.time_s
                if lossless:
                    self._work.put(None, _Work(prepared.windows, (frame, prepared)))
                    continue
                self._seen(frame, prepared)
                if prepared.people is not None:
                    self._work.keep(self._labelling.watched)
                for window in prepared.windows:
                    if self._work.put(window.person, _Work((window,))) is not None:
                        self._measurements.count("late")
        finally:
            self._work.close()

    def _seen(self, frame: Frame, prepared: Prepared) -> None:
        if prepared.anew:
            self._labelling.begin_anew(frame.time_s)
        if prepared.people is not None:
            self._labelling.seen(prepared.people, frame.time_s)
            self._say_turns()

    def _recognise(self) -> None:
        while (work := self._work.take()) is not None:
            if work.shown is not None:
                self._seen(*work.shown)
            for window in work.windows:
                self._answer(window)
            if work.shown is not None:
                self.dispatcher.frame(work.shown[0])
        self.ended.set()

    def _answer(self, window: Window) -> None:
        self._busy_since_s = time.monotonic()
        begin = self._clock()
        try:
            probabilities = self._network({name: np.stack(kept) for name, kept in window.inputs.items()})
        except Exception as error:
            self._network_failed(error)
            return
        finally:
            self._busy_since_s = None
        answered = self._clock()
        if self._failures:
            self._failures = 0
            self._measurements.set_trouble("network", None)
        stride = self._settings.stride * self._stride.multiple
        recognised = Recognised(
            probabilities,
            window.start_s,
            window.end_s,
            window.captured_s,
            answered,
            self._settings.window,
            stride,
            window.rate,
            window.person,
            window.zone,
        )
        self._measurements.observe("forward", answered - begin)
        self._measurements.observe("age", recognised.age_s)
        self._measurements.count("labels")
        self._labelling.answered(recognised)
        rate = float(self._settings.rate or window.rate)
        if not self._settings.lossless and rate > 0:
            self._adapt(answered - begin, self._settings.stride / rate)

    def _adapt(self, answer_s: float, stride_s: float) -> None:
        """Find the stride that the network sustains for each person who is recognised, or for the picture."""
        many = max(1, len(self._labelling.watched))
        self._stride.observe(many * answer_s, stride_s)
        self._measurements.set_stride(self._settings.stride * self._stride.multiple)
        self._say_turns()

    def _say_turns(self) -> None:
        many = len(self._labelling.watched)
        turns = f"{many} persons take turns" if many > 1 and self._stride.multiple > 1 else None
        self._measurements.set_trouble("turns", turns)

    def _network_failed(self, error: Exception) -> None:
        self._failures += 1
        words = plain_line(f"the network failed: {error or type(error).__name__}")
        self._measurements.set_trouble("network", words)
        self._say(words)
        if self._failures >= MOST_FAILURES:
            raise MeasurementError(f"{words}, {MOST_FAILURES} times in a row") from error

    def check_network(self) -> None:
        """Raise MeasurementError if the network has not answered for too long."""
        since = self._busy_since_s
        if since is not None and time.monotonic() - since > self._settings.stall_s:
            raise MeasurementError(
                f"no answer of the network for {self._settings.stall_s:g} s (--clip-timeout)"
            )

    def check_source(self) -> None:
        """End what goes on where no frame has come for GAP_S: nobody sees whether it does."""
        taken, idle = self._taken_s, self._busy_since_s is None and not len(self._work)
        if not self._settings.lossless and taken is not None and idle and time.monotonic() - taken > GAP_S:
            self._taken_s = None
            self._labelling.lost(self._last_s)

    def finish(self) -> None:
        """End all threads, give the outputs what is left, and close them."""
        self._frames.close()
        if self.failure is not None:
            self._work.close()
        for thread in self._threads:
            # A capture may be waiting for its source's next frame, or for a source to come back.
            if thread.name != "capture":
                thread.join(ENDING_S)
        self.dispatcher.events(self._labelling.finish(self._last_s))
        if not self.dispatcher.close():
            self._say("outputs that did not end in time were left as they are")

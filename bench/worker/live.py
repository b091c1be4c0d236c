"""The task "live": a live session, until its source ends or the parent asks for its end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from queue import SimpleQueue

import numpy as np

from ...live.config import LiveConfig
from ...live.decision import Decider
from ...live.events import ActionEvent, SessionHeader
from ...live.measurements import Measurements
from ...live.outputs.assembly import make_outputs
from ...live.outputs.output import Shown
from ...live.people.finder import People
from ...live.people.zones import Zones
from ...live.queues import Newest
from ...live.session import Recognise, SessionSettings, run_session
from ...models.detectors.registry import ChosenDetector, load_detector
from ...models.spec import FloatArray
from ...operating_point import OperatingPoint
from ...preprocessing.preparer import View
from ...preprocessing.rolling_window import still_window
from ...preprocessing.stopwatch import Stopwatch
from ..scenarios.inference import average_views, forward_views
from ..scenarios.scenario import Loaded
from .events import Happened, Notice, Recognising, Send, SessionBegun, SessionEnded
from .job import Job
from .notices import notices_to


@dataclass(frozen=True, slots=True)
class LiveSettings:
    """What a worker is to watch.

    - `config`: the session's settings.
    - `model`: the network as it was asked for. `labels`: its classes.
    - `window`: frames of a window. `rate`: frames a second that the network sees; None: every `every`-th of
      the source's own.
    - `weights`: stream → kind. `caveat`: what they forbid to conclude, in words; None for trained ones.
    - `operating_point`: of the weights; None without one.
    - `people`: detector by which persons are found; None: the network sees whole frames. `zones`: in which
      they are recognised; None: everywhere.
    """

    config: LiveConfig
    model: str
    labels: tuple[str, ...]
    window: int
    rate: Fraction | None
    weights: Mapping[str, str]
    caveat: str | None
    operating_point: OperatingPoint | None
    people: ChosenDetector | None = None
    zones: Zones | None = None
    every: int = 1

    def decider(self) -> Decider:
        """A new one, of a session that begins. Raises as `Decider` does."""
        return Decider(self.labels, self.config.decision, self.operating_point, self.model)

    def session(self) -> SessionSettings:
        """How a session runs."""
        return SessionSettings(
            window=self.window,
            rate=self.rate,
            stride=self.config.stride,
            lossless=self.config.as_fast_as_possible,
            seconds=self.config.seconds,
            stall_s=self.config.clip_timeout,
            every=self.every,
        )


def ready(job: Job, loaded: Loaded) -> tuple[Recognise, People | None]:
    """The network of a session, warm, and how it finds persons, by the job's `LiveSettings`."""
    settings: LiveSettings = job.settings
    network, average = loaded.network, job.views.average

    def recognise(view: View) -> FloatArray:
        return average_views(forward_views(network, [view], job.classes, Stopwatch()), average)

    people = None
    if settings.people is not None:
        people = People(load_detector(settings.people, threads=1), settings.zones)
    blank = np.zeros((480, 640, 3), np.uint8)
    recognise(still_window(loaded.preparer, settings.window, blank))  # compiles what is compiled at first use
    return recognise, people


def recognise_live(job: Job, loaded: Loaded, send: Send, asked: SimpleQueue[bytes]) -> None:
    """Run the session and report it; it ends when `asked` has a line, and by SIGTERM or SIGINT."""
    settings: LiveSettings = job.settings
    config = settings.config
    recognise, people = ready(job, loaded)
    stop = threading.Event()
    _stop_when_asked(stop, asked)
    decider = settings.decider()
    caveats = [*filter(None, [settings.caveat]), *loaded.preparer.notes]
    if config.as_fast_as_possible:
        caveats.append("as fast as possible, not in real time: ages are not those of a live source")
    measurements = Measurements(config.stride, tuple(caveats))
    header = SessionHeader(
        source=config.parsed_source.public,
        model=settings.model,
        weights=dict(settings.weights),
        caveat="; ".join(caveats) or None,
        window=settings.window,
        stride=config.stride,
        rate=float(settings.rate or 0),
        no_action=decider.no_action,
        time=datetime.now(UTC).isoformat(),
        people=None if settings.people is None else str(settings.people),
        zones=() if settings.zones is None else settings.zones.names,
        every=settings.every,
    )
    with closing(Reports(send)) as reports, notices_to(reports.say):
        say = reports.say
        # First: a parent that is gone, or interrupts before it knows, leaves no file without a picture.
        send(SessionBegun(header))
        outputs = make_outputs(config, header, settings.labels, measurements, say, stop.set)
        summary = run_session(
            config.parsed_source,
            recognise,
            loaded.preparer,
            settings.labels,
            settings.session(),
            (*outputs, _Parent(send)),
            measurements,
            stop,
            decider=decider,
            people=people,
            say=say,
            report=reports.show,
        )
    send(SessionEnded(summary))


class Reports:
    """Tells the parent in a thread of its own how the session is: a parent that reads nothing delays nothing.

    - `send`: reports to the parent. When the parent is gone, nobody is told.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._waiting: Newest[Recognising | Notice] = Newest(always=lambda each: isinstance(each, Notice))
        self._thread = threading.Thread(target=self._run, name="reports", daemon=True)
        self._thread.start()

    def say(self, words: str) -> None:
        """Tell the user something."""
        self._waiting.put(Notice(words))

    def show(self, shown: Shown) -> None:
        """Tell what is recognised; replaces what the parent has not been told yet."""
        self._waiting.put(_recognising(shown))

    def _run(self) -> None:
        with suppress(BrokenPipeError):
            while (event := self._waiting.take()) is not None:
                self._send(event)
        self._waiting.close()

    def close(self) -> None:
        """Wait until the parent has been told what there was."""
        self._waiting.close()
        self._thread.join()


def _stop_when_asked(stop: threading.Event, asked: SimpleQueue[bytes]) -> None:
    def wait() -> None:
        asked.get()
        stop.set()

    threading.Thread(target=wait, name="stop", daemon=True).start()
    # A service manager sends signals to all processes of a service.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())


def _recognising(shown: Shown) -> Recognising:
    if shown.decision is None:
        return Recognising(None, None, None, shown.status, waiting=shown.waiting)
    decision = shown.decision
    return Recognising(decision.label, decision.confidence, shown.age_s, shown.status, shown.person)


class _Parent:
    """The output that reports events to the parent."""

    def __init__(self, send: Send) -> None:
        self._send = send

    def event(self, event: ActionEvent) -> None:
        """Report the event."""
        self._send(Happened(event))

    def close(self) -> None:
        """Nothing."""

"""The task "live": a live session, until its source ends or the parent asks for its end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction

import numpy as np

from ...live.config import LiveConfig
from ...live.decision import Decider
from ...live.events import ActionEvent, SessionHeader
from ...live.frame import Frame
from ...live.measurements import Measurements
from ...live.outputs.assembly import make_outputs
from ...live.outputs.output import Shown
from ...live.people.finder import People
from ...live.people.zones import Zones
from ...live.session import SessionSettings, run_session
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


def recognise_live(job: Job, loaded: Loaded, send: Send, turns: threading.Semaphore) -> None:
    """Run the session and report it; it ends when `turns` is released, and by SIGTERM or SIGINT."""
    settings: LiveSettings = job.settings
    config = settings.config
    network, average = loaded.network, job.views.average

    def recognise(view: View) -> FloatArray:
        return average_views(forward_views(network, [view], job.classes, Stopwatch()), average)

    people = None
    if settings.people is not None:
        people = People(load_detector(settings.people, threads=1), settings.zones)
    blank = np.zeros((480, 640, 3), np.uint8)
    recognise(still_window(loaded.preparer, settings.window, blank))  # compiles what is compiled at first use
    stop = threading.Event()
    _stop_when_asked(stop, turns)
    decider = Decider(settings.labels, config.decision, settings.operating_point, settings.model)
    caveats = [*filter(None, [settings.caveat]), *loaded.preparer.notes]
    if config.as_fast_as_possible:
        caveats.append("as fast as possible, not in real time: ages are not those of a live source")
    measurements = Measurements(config.stride, tuple(caveats))
    header = SessionHeader(
        source=config.watched.shown,
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
    say = notices(send)
    outputs = make_outputs(config, header, settings.labels, measurements, say, stop.set)
    send(SessionBegun(header))
    summary = run_session(
        config.watched,
        recognise,
        loaded.preparer,
        settings.labels,
        SessionSettings(
            window=settings.window,
            rate=settings.rate,
            stride=config.stride,
            lossless=config.as_fast_as_possible,
            seconds=config.seconds,
            stall_s=config.clip_timeout,
            every=settings.every,
        ),
        (*outputs, _Parent(send)),
        measurements,
        stop,
        decider=decider,
        people=people,
        say=say,
        watch=lambda shown: send(_recognising(shown)),
    )
    send(SessionEnded(summary))


def notices(send: Send) -> Callable[[str], None]:
    """Function that tells the parent something; does nothing when the parent is gone.

    The outputs' thread says that it cannot report events any more, and then has files to complete.
    """

    def say(words: str) -> None:
        with suppress(BrokenPipeError):
            send(Notice(words))

    return say


def _stop_when_asked(stop: threading.Event, turns: threading.Semaphore) -> None:
    def wait() -> None:
        turns.acquire()
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

    def frame(self, frame: Frame, shown: Shown) -> None:
        """Nothing: frames stay in this process."""

    def event(self, event: ActionEvent) -> None:
        """Report the event."""
        self._send(Happened(event))

    def close(self) -> None:
        """Nothing."""

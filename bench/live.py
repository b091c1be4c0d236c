"""A live session as its user sees it: planned, run in a worker process, shown, and ended in good order."""

from __future__ import annotations

import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import MeasurementError, UsageError, unknown_name
from ..live.config import LiveConfig
from ..live.events import ActionEvent, SessionHeader
from ..live.measurements import SessionSummary
from ..live.people.zones import read_zones
from ..plain_text import plain_line
from .console.status_line import StatusLine
from .plan.config import from_mapping
from .plan.files import with_files
from .plan.plan import PlannedModel, plan_models
from .predict import caveat
from .worker.events import Happened, Recognising, SessionBegun, SessionEnded
from .worker.live import LiveSettings
from .worker.supervisor import Outcome, Worker

LOADING_TIMEOUT_S = 300.0
"""Seconds without a sign of life until the process is killed: a network may take long to load or compile."""

_OF_NETWORK = ("weights", "device", "threads", "flow", "people")


def plan_live(config: LiveConfig, say: Callable[[str], None]) -> PlannedModel:
    """The network of a session, with its files.

    - `say`: is given what is made first (demo weights, an int8 network), in words.

    Raises UsageError, WeightsError, BackendUnavailable or MeasurementError for what is wrong with it.
    """
    settings = {name: getattr(config, name) for name in _OF_NETWORK}
    # No clips are read; that of the demo clips would allow demo weights that nobody asked for.
    run = from_mapping({**settings, "models": (config.model,), "data": "."}, "command line").resolved()
    (model,) = plan_models(run, target=None)
    for label in config.alert_labels:
        if label not in model.labels:
            raise unknown_name(f"class of {model.key} in --alert-labels", label, model.labels)
    if config.zones is not None and model.people is None:
        raise UsageError(
            "are zones for persons, but nobody is looked for", where="--zones", remedy="Add --people."
        )
    return with_files(model, run, say)


def watch(
    model: PlannedModel, config: LiveConfig, line: StatusLine, print_event: Callable[[str], None]
) -> SessionSummary:
    """Run a session to its end: of its source or time, or by SIGINT, SIGTERM or SIGHUP.

    - `model`: the network.
    - `line`: shows what is recognised, and messages.
    - `print_event`: is given the session's header and each event, as a line of JSON.

    Raises MeasurementError if the session failed.
    """
    settings = LiveSettings(
        config=config,
        model=model.key,
        labels=model.labels,
        window=model.stream_window,
        rate=model.stream_rate,
        weights={stream: weights.kind for stream, weights in model.weights.items()},
        caveat=caveat([weights.kind for weights in model.weights.values()]),
        operating_point=model.operating_point,
        people=model.people,
        zones=None if config.zones is None else read_zones(Path(config.zones)),
        every=model.stream_every,
    )
    # The session finds persons itself: in a stream, and not one of a clip.
    job = replace(model.stream_job("live", (), settings), people=None)
    stop = threading.Event()
    outcome = Outcome()
    summary: SessionSummary | None = None
    with ExitStack() as stack:
        folder, begun = stack.enter_context(tempfile.TemporaryDirectory()), stack.enter_context(ends(stop))
        log = Path(folder) / "log"
        worker = Worker(job, model.python, log, LOADING_TIMEOUT_S, line.say)
        events = stack.enter_context(closing(worker.events(outcome, stop)))
        try:
            for event in events:
                match event:
                    case SessionBegun(header):
                        begun.set()
                        _say_header(line, header)
                        print_event(header.to_json())
                    case Recognising():
                        line.show(status_text(event))
                    case Happened(action):
                        line.say(event_text(action))
                        print_event(action.to_json())
                    case SessionEnded():
                        summary = event.summary
        except Exception:
            # Nothing more can be shown (a closed pipe): the session's files are completed all the same.
            stop.set()
            for _ in events:
                pass
            raise
        finally:
            line.clear()
    if outcome.failed is not None:
        raise MeasurementError(outcome.failed.removesuffix(f" (see {log})"))
    assert summary is not None  # a worker that has done its job has reported it
    return summary


@contextmanager
def ends(stop: threading.Event) -> Iterator[threading.Event]:
    """While the block runs, Ctrl-C, `kill` and the end of the terminal set `stop`, once a session has begun.

    Before, and the second time, they interrupt at once: there are no files yet, or the user does not wait.
    The end of a terminal often comes twice, from the shell and from the system. Signals that the caller
    ignores stay ignored.

    - `stop`: ends the session.

    Gives `begun`, which is to be set when the session has begun.
    """
    begun = threading.Event()
    hangup = getattr(signal, "SIGHUP", None)  # Windows has none

    def end(number: int, _: Any) -> None:
        if not begun.is_set() or (stop.is_set() and number != hangup):
            raise KeyboardInterrupt
        stop.set()

    before = {
        number: signal.signal(number, end)
        for number in (signal.SIGINT, signal.SIGTERM, hangup)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield begun
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say_header(line: StatusLine, header: SessionHeader) -> None:
    own = "all frames of the source" if header.every == 1 else f"1 in {header.every} frames of the source"
    rate = f"{header.rate:g} frames/s" if header.rate else own
    source, model, rule = map(plain_line, (header.source, header.model, header.no_action))
    windows = f"windows of {header.window} frames, a label every {header.stride} frames"
    line.say(f"{source}: {model}, {rate}, {windows}; no action: {rule}")
    if header.people is not None:
        zones = f", in the zones {', '.join(header.zones)}" if header.zones else ""
        line.say(f"persons are found by {plain_line(header.people)}{zones}")
    if header.caveat is not None:
        line.say(header.caveat)


def status_text(now: Recognising) -> str:
    """What a session recognises and how it is, on one line; what is wrong stands before the counts."""
    status = now.status
    label = "no action" if now.label is None else plain_line(now.label)
    whose = "" if now.person is None else f" (person {now.person})"
    seen = [] if now.waiting is None else [now.waiting]
    if now.age_s is not None:
        seen = [f"{label} {now.confidence or 0:.0%}{whose}", f"{1000 * now.age_s:.0f} ms old"]
    if not status.connected:
        seen = ["no picture"]
    counts = [
        f"{status.camera_fps:.1f} frames/s",
        *_counts(status.dropped, status.damaged, status.reconnects),
    ]
    return ", ".join([*seen, *status.caveats, *counts])


def event_text(event: ActionEvent) -> str:
    """An event as a message."""
    label = plain_line(event.label)
    if event.person is not None:
        zone = "" if event.zone is None else f", {plain_line(event.zone)}"
        label = f"person {event.person}{zone}: {label}"
    match event.state:
        case "start":
            return f"{_time(event.start_s)}  {label} starts ({event.confidence:.0%}, {event.age_s:.2f} s old)"
        case "update":
            return f"{_time(event.window_end_s)}  {label} goes on ({event.confidence:.0%})"
        case "end":
            return f"{_time(event.end_s or event.window_end_s)}  {label} ended"
        case "cleared":
            return f"{_time(event.window_end_s)}  {label} is cleared"


def summary_text(summary: SessionSummary) -> str:
    """A session as a whole, on one line."""
    counts = [f"{summary.captured} frames", f"{summary.labels} labels"]
    if summary.age_p50_s is not None:
        age = f"age of a label {1000 * summary.age_p50_s:.0f} ms (median)"
        counts.append(age if summary.age_p95_s is None else f"{age}, {1000 * summary.age_p95_s:.0f} ms (p95)")
    if summary.people_s is not None:
        counts.append(f"finding persons {1000 * summary.people_s:.0f} ms a frame (mean)")
    counts += [
        f"{summary.dropped} frames dropped",
        f"{summary.late} labels late",
        f"{summary.damaged} damaged",
        f"{summary.reconnects} reconnects",
    ]
    return f"{summary.seconds:.1f} s: {', '.join(counts)}"


def _counts(dropped: int, damaged: int, reconnects: int) -> list[str]:
    named = {"dropped": dropped, "damaged": damaged, "reconnects": reconnects}
    return [f"{number} {name}" for name, number in named.items() if number]


def _time(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds, 1), 60)
    return f"{minutes:.0f}:{seconds:04.1f}"

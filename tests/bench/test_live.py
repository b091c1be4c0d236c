"""What is shown of a live session."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace

import pytest

from actionbench.bench.live import ends, event_text, status_text, summary_text
from actionbench.bench.worker.events import Happened, Recognising, SessionBegun, read_event
from actionbench.child_process import event_writer
from actionbench.live.events import ActionEvent, SessionHeader
from actionbench.live.measurements import SessionStatus, SessionSummary

STATUS = SessionStatus(captured_fps=24.96, connected=True, queues={"network": 1})
EVENT = ActionEvent(
    "1", "start", "falling", 61.25, None, 0.934, 59.0, 61.25, 0.312, 64, 8, 25.0, "i3d", "now"
)
HEADER = SessionHeader("camera 0", "i3d", {"rgb": "random"}, "random", 64, 8, 25.0, "below 0.5", "now")


@pytest.mark.parametrize(
    ("now", "text"),
    [
        (Recognising(None, None, None, replace(STATUS, connected=False)), "no picture, 25.0 frames/s"),
        (Recognising(None, None, None, STATUS), "25.0 frames/s"),
        (Recognising("falling", 0.934, 0.312, STATUS), "falling 93%, 312 ms old, 25.0 frames/s"),
        (
            Recognising(
                None,
                0.2,
                0.5,
                replace(STATUS, dropped=3, damaged=1, reconnects=2, caveats=("random weights",)),
            ),
            "no action 20%, 500 ms old, random weights, 25.0 frames/s, 3 dropped, 1 damaged, 2 reconnects",
        ),
    ],
)
def test_the_status(now: Recognising, text: str) -> None:
    assert status_text(now) == text


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (EVENT, "1:01.2  falling starts (93%, 0.31 s old)"),
        (replace(EVENT, state="update", window_end_s=62.0), "1:02.0  falling goes on (93%)"),
        (replace(EVENT, state="end", end_s=63.0), "1:03.0  falling ended"),
        (replace(EVENT, state="end", end_s=119.96), "2:00.0  falling ended"),
        (replace(EVENT, state="cleared", cleared_s=68.0, label="a\x1b[2Jb"), "1:08.0  a�[2Jb is cleared"),
    ],
)
def test_events(event: ActionEvent, text: str) -> None:
    assert event_text(event) == text


def test_whose_label_and_event_it_is() -> None:
    now = Recognising("falling", 0.934, 0.312, STATUS, person=3)
    assert status_text(now) == "falling 93% (person 3), 312 ms old, 25.0 frames/s"
    nobody = Recognising(None, None, None, STATUS, waiting="nobody in the picture")
    assert status_text(nobody) == "nobody in the picture, 25.0 frames/s"
    assert event_text(replace(EVENT, state="end", end_s=63.0, person=3)) == "1:03.0  person 3: falling ended"
    named = replace(EVENT, state="end", end_s=63.0, person=3, zone="bed\x1b")
    assert event_text(named) == "1:03.0  person 3, bed\ufffd: falling ended"


@contextmanager
def handled(number: int, handler: signal.Handlers) -> Iterator[None]:
    """Whatever the tests' own caller does with the signal: `nohup` and `&` of a script ignore some."""
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_ends_a_session_in_good_order(name: str) -> None:
    number, stop = getattr(signal, name), threading.Event()
    with handled(number, signal.SIG_DFL), ends(stop) as begun:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
        assert not stop.is_set(), "there is no session yet"
        begun.set()
        signal.raise_signal(number)
        assert stop.is_set()
        again: AbstractContextManager[object]
        again = nullcontext() if name == "SIGHUP" else pytest.raises(KeyboardInterrupt)
        with again:
            signal.raise_signal(number)


def test_a_signal_that_the_caller_ignores_stays_ignored() -> None:
    stop = threading.Event()
    with handled(signal.SIGHUP, signal.SIG_IGN), ends(stop) as begun:
        begun.set()
        signal.raise_signal(signal.SIGHUP)
    assert not stop.is_set()


def test_the_summary() -> None:
    summary = SessionSummary(60.0, 1500, 1498, 2, 1, 1, 180, 0, 4, 0, 0.3, 0.5)
    assert summary_text(summary) == (
        "60.0 s: 1500 frames, 180 labels, age of a label 300 ms (median), 500 ms (p95), 2 frames dropped, "
        "4 labels late, 1 damaged, 1 reconnects"
    )
    assert "300 ms (median), 500 ms (p95), finding persons 12 ms a frame (mean), 2 frames" in summary_text(
        replace(summary, people_s=0.0123)
    )
    assert summary_text(replace(summary, lost_events=3)).endswith("1 reconnects, 3 events lost for outputs")
    assert "(p95)" not in summary_text(replace(summary, age_p95_s=None))
    assert "age of" not in summary_text(replace(summary, age_p50_s=None, age_p95_s=None))


@pytest.mark.parametrize(
    "event", [Recognising("falling", 0.5, 0.25, STATUS), Happened(EVENT), SessionBegun(HEADER)]
)
def test_what_a_worker_reports_arrives_as_it_was(event: Recognising | Happened | SessionBegun) -> None:
    import io

    stream = io.BytesIO()
    event_writer(stream)(event)
    assert read_event(stream.getvalue()) == event

"""A live session whose parent reads nothing, or is gone; what our own code warns of meanwhile."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
import warnings
from contextlib import closing
from dataclasses import replace
from queue import SimpleQueue

import pytest

from actionbench.bench.worker import notices, process
from actionbench.bench.worker.events import Event, Notice, Recognising, read_event
from actionbench.bench.worker.live import Reports
from actionbench.bench.worker.notices import notices_to
from actionbench.child_process import event_writer
from actionbench.live.dispatch import Dispatcher
from actionbench.live.events import ActionEvent
from actionbench.live.measurements import Measurements, SessionStatus
from actionbench.live.outputs.output import Shown

from ...live.making import event, shown
from ...live.waiting import wait_until


class Output:
    """`raises`: at the first event."""

    def __init__(self, raises: bool = False) -> None:
        self.raises, self.closed = raises, False

    def event(self, event: ActionEvent) -> None:  # noqa: ARG002
        if self.raises:
            raise BrokenPipeError

    def close(self) -> None:
        self.closed = True


def test_other_outputs_are_closed_where_the_parent_is_gone() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb", buffering=0) as stream, closing(Reports(event_writer(stream))) as reports:
        reports.say("here")
        assert read_event(os.read(reading, 1000)) == Notice("here")
        os.close(reading)
        file, parent = Output(), Output(raises=True)
        dispatcher = Dispatcher([file, parent], ("falling",), Measurements(), 2, False, reports.say)
        dispatcher.events([event()])
        assert dispatcher.close() == ()
        assert (file.closed, parent.closed) == (True, True)


def numbered(number: int) -> Shown:
    return replace(shown(), status=SessionStatus(captured=number))


def test_a_parent_that_reads_nothing_delays_nothing_and_then_gets_the_newest_status() -> None:
    go, sent = threading.Event(), list[Event]()
    begun = threading.Event()

    def send(event: Event) -> None:
        begun.set()
        assert go.wait(10)
        sent.append(event)

    with closing(Reports(send)) as reports:
        reports.show(numbered(0))
        assert begun.wait(10)
        for number in range(1, 100):
            reports.show(numbered(number))
        reports.say("the camera is lost")
        reports.show(numbered(100))
        assert sent == []
        go.set()
        wait_until(lambda: len(sent) == 3)
    assert [each.status.captured if isinstance(each, Recognising) else each for each in sent] == [
        0,
        Notice("the camera is lost"),
        100,
    ]


def warn(text: str) -> None:
    """As a file of ours would."""
    warnings.warn_explicit(text, RuntimeWarning, notices.__file__, lineno=1)


def test_a_warning_in_a_session_waits_for_no_parent_that_reads_nothing() -> None:
    go, sent = threading.Event(), list[Event]()
    begun = threading.Event()

    def send(event: Event) -> None:
        begun.set()
        assert go.wait(10)
        sent.append(event)

    def of_the_worker(text: str) -> None:
        raise AssertionError(f"{text} is written into the pipe by the thread that warns")

    with (
        warnings.catch_warnings(),
        notices_to(of_the_worker),
        closing(Reports(send)) as reports,
        notices_to(reports.say),
    ):
        warnings.simplefilter("always")
        reports.show(numbered(0))
        assert begun.wait(10)
        warn("the flow is slow")
        logging.getLogger("actionbench.flow").warning("no %s", "GPU")
        assert sent == []
        go.set()
        wait_until(lambda: len(sent) == 3)
    assert sent[1:] == [Notice("the flow is slow"), Notice("no GPU")]


def test_warnings_of_ours_are_told_and_those_of_libraries_shown_as_before() -> None:
    handlers, told, inside = logging.getLogger("actionbench").handlers, list[str](), list[str]()
    with warnings.catch_warnings(record=True) as shown_before:
        warnings.simplefilter("always")
        with notices_to(told.append):
            warn("first")
            with notices_to(inside.append):
                warn("second")
            warnings.warn_explicit("old", RuntimeWarning, "/lib/somewhere.py", lineno=1)
            warnings.warn_explicit("old", DeprecationWarning, notices.__file__, lineno=1)
            logging.getLogger("actionbench").warning("third")
        warn("after")
    assert (told, inside) == (["first", "third"], ["second"])
    assert [str(each.message) for each in shown_before] == ["old", "old", "after"]
    assert logging.getLogger("actionbench").handlers == handlers


@pytest.mark.parametrize("has_files", [False, True])
def test_a_session_ends_with_its_parent_when_its_files_are_closed(
    monkeypatch: pytest.MonkeyPatch, has_files: bool
) -> None:
    """One that is still loading its network has none, and does not go on with that."""
    waited: list[float] = []
    lines: SimpleQueue[bytes] = SimpleQueue()
    begun = threading.Event()
    if has_files:
        begun.set()
    monkeypatch.setattr(os, "read", lambda *_: b"")
    monkeypatch.setattr(os, "_exit", sys.exit)
    monkeypatch.setattr(time, "sleep", waited.append)
    with pytest.raises(SystemExit):
        process._follow_parent(lines, begun)
    assert lines.get_nowait() == b""
    assert waited == ([process.LIVE_GRACE_S] if has_files else [])

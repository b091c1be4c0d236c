"""A live session whose parent reads nothing, or is gone."""

from __future__ import annotations

import os
import threading
from contextlib import closing
from dataclasses import replace

from actionbench.bench.worker.events import Event, Notice, Recognising, event_writer, read_event
from actionbench.bench.worker.live import Reports
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

"""A live session whose parent is gone."""

from __future__ import annotations

import os

import pytest

from actionbench.bench.worker.events import Notice, event_writer, read_event
from actionbench.bench.worker.live import notices
from actionbench.live.dispatch import Dispatcher
from actionbench.live.events import ActionEvent
from actionbench.live.measurements import Measurements

from ...live.making import event


class Output:
    """`raises`: at the first event."""

    def __init__(self, raises: bool = False) -> None:
        self.raises, self.closed = raises, False

    def event(self, event: ActionEvent) -> None:  # noqa: ARG002
        if self.raises:
            raise BrokenPipeError

    def close(self) -> None:
        self.closed = True


def test_other_outputs_are_closed_where_the_parent_cannot_be_told_anything() -> None:
    reading, writing = os.pipe()
    stream = os.fdopen(writing, "wb", buffering=0)
    say = notices(event_writer(stream))
    say("here")
    assert read_event(os.read(reading, 1000)) == Notice("here")
    os.close(reading)
    file, parent = Output(), Output(raises=True)
    dispatcher = Dispatcher([file, parent], ("falling",), Measurements(), 2, False, say)
    dispatcher.events([event()])
    assert dispatcher.close() == ()
    assert (file.closed, parent.closed) == (True, True)
    stream.close()


def test_other_errors_are_not_hidden() -> None:
    def broken(_: object) -> None:
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        notices(broken)("here")

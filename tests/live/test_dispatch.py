"""Outputs that are slow, stuck or broken, beside others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from actionbench.live import dispatch, queues
from actionbench.live.dispatch import Dispatcher
from actionbench.live.events import ActionEvent
from actionbench.live.frame import Frame
from actionbench.live.measurements import Measurements
from actionbench.live.outputs.output import Shown

from .making import event, frame
from .waiting import wait_until


class Events:
    """An output of events. `wait`: called with each."""

    def __init__(self, wait: Callable[[], object] = lambda: None) -> None:
        self.ids: list[str] = []
        self.closed = 0
        self._wait = wait

    def event(self, event: ActionEvent) -> None:
        self._wait()
        self.ids.append(event.id)

    def close(self) -> None:
        self.closed += 1


class Pictures(Events):
    """An output of pictures too."""

    def __init__(self, wait: Callable[[], object] = lambda: None) -> None:
        super().__init__(wait)
        self.numbers: list[int] = []

    def frame(self, frame: Frame, shown: Shown) -> None:  # noqa: ARG002
        self._wait()
        self.numbers.append(frame.number)


@pytest.fixture
def go() -> Iterator[threading.Event]:
    """Lets outputs return that wait for it; set at the end."""
    made = threading.Event()
    yield made
    made.set()


def dispatcher(
    *outputs: Events, lossless: bool = False, said: list[str] | None = None
) -> tuple[Dispatcher, Measurements]:
    measured = Measurements()
    said = [] if said is None else said
    return Dispatcher(outputs, ("falling",), measured, 2, lossless, said.append), measured


@pytest.mark.parametrize("lossless", [True, False])
def test_an_output_that_does_not_return_keeps_events_from_no_other(
    go: threading.Event, monkeypatch: pytest.MonkeyPatch, lossless: bool
) -> None:
    monkeypatch.setattr(dispatch, "STUCK_S", 0.01)
    monkeypatch.setattr(dispatch, "CLOSING_S", 0.1)
    stuck, hook, screen = Pictures(lambda: go.wait(10)), Events(), Pictures()
    made, measured = dispatcher(stuck, hook, screen, lossless=lossless)
    for number in range(3):
        made.frame(frame(number, number / 25))
        wait_until(lambda: len(screen.numbers) == number + 1)  # noqa: B023  called at once
    made.events([event(id=str(number)) for number in range(5)])
    wait_until(lambda: len(hook.ids) == len(screen.ids) == 5)
    assert measured.status().unshown == (0 if lossless else 2), "an event takes a frame's room"
    made.check()
    assert measured.status().caveats == ("the output Pictures does not return",)
    assert made.close() == ("Pictures",)
    assert (stuck.closed, hook.closed, screen.closed) == (0, 1, 1)
    go.set()
    wait_until(lambda: stuck.closed == 1)
    assert (stuck.numbers, len(stuck.ids)) == ([0, 1, 2] if lossless else [0], 5)
    made.check()
    assert measured.status().caveats == ()


def test_events_of_a_slow_output_are_kept_up_to_a_bound_then_counted_and_told_once(
    go: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queues, "MOST_KEPT", 10)
    said: list[str] = []
    begun = threading.Event()

    def wait() -> None:
        begun.set()
        go.wait(10)

    slow, hook = Events(wait), Events()
    made, measured = dispatcher(slow, hook, said=said)
    made.events([event(id="first")])
    assert begun.wait(10)
    for number in range(20):
        made.events([event(id=str(number))])
        wait_until(lambda: len(hook.ids) == number + 2)  # noqa: B023  called at once
    # 10 wait, and two more in the room for frames.
    words = "the output Events is too slow: events are lost for it"
    assert (said, measured.status().caveats, measured.status().lost_events) == ([words], (words,), 8)
    go.set()
    assert made.close() == ()
    assert slow.ids == ["first", *map(str, range(12))]


def test_where_nothing_may_be_lost_a_slow_output_of_events_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(queues, "MOST_KEPT", 3)
    slow = Events(lambda: time.sleep(0.002))
    made, measured = dispatcher(slow, lossless=True)
    for number in range(50):
        made.events([event(id=str(number))])
        made.frame(frame(number, number / 25))
    assert made.close() == ()
    assert slow.ids == list(map(str, range(50)))
    assert (measured.status().lost_events, measured.status().unshown) == (0, 0)


def test_one_that_failed_is_closed_and_what_it_is_not_given_is_not_counted() -> None:
    def fail() -> None:
        raise OSError("disk full\x1b")

    said: list[str] = []
    broken, hook = Pictures(fail), Events()
    made, measured = dispatcher(broken, hook, said=said)
    for number in range(40):
        made.frame(frame(number, number / 25))
        wait_until(lambda: broken.closed == 1)
    made.events([event()])
    assert made.close() == ()
    assert said == ["the output Pictures failed and gets nothing more: disk full\ufffd"]
    assert (broken.closed, broken.ids, hook.ids) == (1, [], ["s-1"])
    assert (measured.status().unshown, measured.status().lost_events) == (0, 0)


def test_frames_do_not_wait_for_outputs_of_events() -> None:
    made, measured = dispatcher(Events())
    for number in range(100):
        made.frame(frame(number, number / 25))
    assert measured.status().queues == {"output Events": 0}
    assert made.close() == ()

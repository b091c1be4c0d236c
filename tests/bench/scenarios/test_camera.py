"""The camera by a clock that only moves when a test moves it."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actionbench.bench.scenarios.camera import Camera, due_windows, is_due


class Clock:
    """Time stands still but for `sleep` and `work`."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    work = sleep


def numbers(work_s: float, frames: int = 50, fps: int = 25, room: int = 5) -> tuple[list[int], Camera, Clock]:
    """Which frames a worker gets that needs `work_s` for each."""
    clock = Clock()
    camera = Camera(Fraction(fps), frames, room, clock, clock.sleep)
    taken = []
    while (arrival := camera.take()) is not None:
        assert arrival.time_s <= clock.now + 1e-9, "a frame is not given before it is there"
        taken.append(arrival.number)
        clock.work(work_s)
    return taken, camera, clock


def test_a_fast_worker_gets_every_frame_at_its_time() -> None:
    taken, camera, clock = numbers(0.01)
    assert taken == list(range(50))
    assert camera.dropped == 0
    assert clock.now == pytest.approx(100 + 49 / 25 + 0.01)


def test_a_slow_worker_loses_the_oldest_frames() -> None:
    taken, camera, _ = numbers(0.08)  # twice the time that there is
    assert taken == sorted(set(taken))
    assert camera.dropped == 50 - len(taken) > 0
    assert taken[-1] == 49, "the newest is kept"


def test_the_frames_that_wait_behind_one_are_counted() -> None:
    clock = Clock()
    camera = Camera(Fraction(10), 20, 5, clock, clock.sleep)
    waiting = []
    for work_s in (0.0, 0.35, 0.0, 0.0, 0.0, 1.0, 0.0):
        arrival = camera.take()
        assert arrival is not None
        waiting.append((arrival.number, arrival.waiting))
        clock.work(work_s)
    # Frame 1 takes from 0.1 to 0.45 s: 2, 3 and 4 are there. Frame 5 takes from 0.5 to 1.5 s: of 6 … 15 the
    # buffer holds the last five.
    assert waiting == [(0, 0), (1, 0), (2, 2), (3, 1), (4, 0), (5, 0), (11, 4)]
    assert camera.dropped == 5


def test_a_pause_shorter_than_the_buffer_loses_nothing() -> None:
    clock = Clock()
    camera = Camera(Fraction(25), 20, 5, clock, clock.sleep)
    for number in range(20):
        arrival = camera.take()
        assert arrival is not None
        assert arrival.number == number
        if number == 3:
            clock.work(5 / 25)
    assert camera.take() is None
    assert camera.dropped == 0


@given(
    work=st.lists(st.floats(0, 0.5), min_size=1, max_size=30),
    room=st.integers(1, 10),
    fps=st.sampled_from([Fraction(25), Fraction(30000, 1001), Fraction(1)]),
)
def test_every_frame_is_given_or_counted_as_lost(work: list[float], room: int, fps: Fraction) -> None:
    clock = Clock()
    camera = Camera(fps, 40, room, clock, clock.sleep)
    taken = []
    while (arrival := camera.take()) is not None:
        taken.append(arrival.number)
        clock.work(work[len(taken) % len(work)])
    assert len(taken) + camera.dropped == 40
    assert taken == sorted(set(taken))


@given(frames=st.integers(0, 200), window=st.integers(1, 70), stride=st.integers(1, 40))
def test_due_labels_are_those_counted(frames: int, window: int, stride: int) -> None:
    assert sum(is_due(n, window, stride) for n in range(frames)) == due_windows(frames, window, stride)

"""Which frames are chosen for the grid of the network's rate."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actionbench.datasets.video.sampling import TimedFrame, resample
from actionbench.live.frame import Frame
from actionbench.live.sampling import Sampler

MakeFrame = Callable[..., Frame]

PIXELS = np.zeros((2, 2, 3), np.uint8)


def chosen(times: list[float], rate: Fraction | None, gap_s: float = 2.56) -> list[int]:
    """Numbers of the frames that are added to a window."""
    sampler = Sampler(rate, 1, gap_s)
    frames = [Frame(PIXELS, n, time, time, n > 0) for n, time in enumerate(times)]
    return [each.number for frame in frames for each in sampler.add(frame).frames]


@pytest.mark.parametrize(
    ("fps", "expected"),
    [
        (25, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
        # Grid points of 40 ms: frame 3 at 100 ms is as near to 80 as to 120 ms, and taken for the later one.
        (30, [0, 1, 2, 3, 5, 6, 7, 8, 9]),
        # Every 16.7 ms: the first of those that are nearest to a point.
        (60, [0, 2, 4, 6, 9]),
        # Each of 80 ms is repeated, when the next one comes.
        (12.5, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9]),
    ],
)
def test_frames_of_other_rates(fps: float, expected: list[int]) -> None:
    assert chosen([n / fps for n in range(10)], Fraction(25)) == expected


def test_all_frames_are_taken_without_a_rate() -> None:
    assert chosen([0, 0.01, 0.5, 0.5], None) == [0, 1, 2, 3]


def test_without_a_rate_every_so_many_th_frame_is_taken_from_the_first_of_a_window_on() -> None:
    sampler = Sampler(None, 3, 0.5)
    times = [*(n / 25 for n in range(7)), 2.0, 2.04, 2.08, 2.12]
    frames = [Frame(PIXELS, n, time, time, n > 0) for n, time in enumerate(times)]
    added = [sampler.add(frame) for frame in frames]
    assert [frame.number for each in added for frame in each.frames] == [0, 3, 6, 7, 10]
    assert [n for n, each in enumerate(added) if each.anew] == [0, 7]


def test_a_gap_repeats_the_last_frame_that_was_there() -> None:
    # Frame 2, at 1.49 grid points, is left out at first, and stands for the point that nothing else came to.
    assert chosen([0, 0.04, 0.0596, 0.12], Fraction(25)) == [0, 1, 2, 3]
    assert chosen([0, 0.04, 0.2], Fraction(25)) == [0, 1, 1, 1, 1, 2]


@pytest.mark.parametrize("why", ["gap", "cut", "size"])
def test_the_window_begins_anew(frame: MakeFrame, why: str) -> None:
    sampler = Sampler(Fraction(25), 1, 0.5)
    assert sampler.add(frame(0, 0.0, continues=False)).anew
    assert not sampler.add(frame(1, 0.04)).anew
    next_frame = {
        "gap": frame(2, 0.6),
        "cut": frame(2, 0.08, continues=False),
        "size": frame(2, 0.08, side=20),
    }[why]
    after = sampler.add(next_frame)
    assert after.anew
    assert after.frames == (next_frame,)
    assert not sampler.add(frame(3, next_frame.time_s + 0.04, side=next_frame.pixels.shape[0])).anew


steps = st.lists(st.floats(0, 0.3), min_size=1, max_size=60)


@given(steps=steps, rate=st.sampled_from([Fraction(25), Fraction(30), Fraction(30000, 1001), Fraction(5)]))
def test_the_grid_has_no_holes_and_frames_are_near_their_points(steps: list[float], rate: Fraction) -> None:
    times = [sum(steps[:n]) for n in range(len(steps) + 1)]
    numbers = chosen(times, rate, gap_s=10)
    assert numbers == sorted(numbers)
    assert len(numbers) == math.floor(times[-1] * float(rate) + 0.5) + 1, "one for each grid point so far"
    half = 0.5 / float(rate)
    for point, number in enumerate(numbers):
        begin, end = point / float(rate) - half, point / float(rate) + half
        # Either the frame is within its interval, or none was, and it is the last one before.
        if not begin - 1e-6 <= times[number] <= end + 1e-6:
            assert times[number] < begin + 1e-6
            assert number == max(n for n, time in enumerate(times) if time < begin + 1e-6)


@given(start=st.integers(0, 10**6), fps=st.sampled_from([25, 50, 5, Fraction(25, 2)]))
def test_as_files_are_sampled_where_rates_are_multiples(start: int, fps: Fraction) -> None:
    """At 50 frames a second, of which each second is taken, files take the later of two that are as near."""
    times = [Fraction(start, 1000) + Fraction(n) / Fraction(fps) for n in range(20)]
    step = 1 / Fraction(fps)
    timed = [TimedFrame(time - times[0], time - times[0] + step, lambda: PIXELS) for time in times]
    sampled = list(resample(timed, Fraction(25), Fraction(0), None))
    offline = [next(n for n, each in enumerate(timed) if each is frame) for frame in sampled]
    live = chosen([float(time - times[0]) for time in times], Fraction(25))
    assert all(abs(a - b) <= (fps == 50) for a, b in zip(offline, live, strict=False))
    assert abs(len(offline) - len(live)) <= 5, "a file's last frame lasts until its end"

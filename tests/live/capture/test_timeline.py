"""The session's timeline, from the stamps of sources that are not always right."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actionbench.live.capture.timeline import Timeline

STEP = 0.04


def placed(stamps: list[float | None], arrivals: list[float] | None = None) -> list[tuple[float, bool]]:
    timeline = Timeline()
    arrivals = arrivals or [50 + STEP * n for n in range(len(stamps))]
    return [timeline.place(stamp, STEP, arrived) for stamp, arrived in zip(stamps, arrivals, strict=True)]


def times(stamps: list[float | None], arrivals: list[float] | None = None) -> list[float]:
    return [round(time, 6) for time, _ in placed(stamps, arrivals)]


def test_it_begins_at_0_and_follows_the_stamps() -> None:
    assert times([7.0, 7.04, 7.1]) == [0, 0.04, 0.1]
    assert [continues for _, continues in placed([7.0, 7.04, 7.1])] == [False, True, True]


def test_without_stamps_frames_are_a_step_apart() -> None:
    assert times([None, None, None]) == [0, 0.04, 0.08]
    assert times([3.0, None, 3.08]) == [0, 0.04, 0.08]
    assert times([None, 3.0, 3.04]) == [0, 0.04, 0.08]


def test_disorder_does_not_go_back_and_is_not_added_to() -> None:
    assert times([5.0, 5.08, 5.04, 5.12]) == [0, 0.08, 0.08, 0.12]


@pytest.mark.parametrize("jump", [-3600.0, 95443.7, 11.0])
def test_a_clock_that_was_set_is_a_cut(jump: float) -> None:
    """MPEG's 33-bit clock begins again after 95443.7 s. The frame came 0.5 s after the one before it."""
    stamps, arrivals = [100.0, 100.04, 100.08 + jump, 100.12 + jump], [0.0, 0.04, 0.54, 0.58]
    assert times(list(stamps), arrivals) == [0, 0.04, 0.54, 0.58]
    assert [continues for _, continues in placed(list(stamps), arrivals)] == [False, True, False, True]


def test_after_a_reconnect_it_goes_on_by_what_has_passed() -> None:
    timeline = Timeline()
    timeline.place(100.0, STEP, 10.0)
    timeline.interrupt()
    assert timeline.place(3.0, STEP, 17.5) == (7.5, False)
    time_s, continues = timeline.place(3.04, STEP, 17.6)
    assert time_s == pytest.approx(7.54)
    assert continues


stamp = st.one_of(st.none(), st.floats(-1e6, 1e6), st.floats(0, 2), st.sampled_from([math.nan, math.inf]))


@given(stamps=st.lists(st.tuples(stamp, st.floats(0, 20), st.booleans()), max_size=50))
def test_it_never_goes_back_and_stays_finite(stamps: list[tuple[float | None, float, bool]]) -> None:
    timeline, arrived, last = Timeline(), 0.0, 0.0
    for number, (stamp_s, passed, lost) in enumerate(stamps):
        arrived += passed
        if lost:
            timeline.interrupt()
        time, continues = timeline.place(stamp_s, STEP, arrived)
        assert math.isfinite(time)
        assert time >= last
        assert time - last <= 10 + 20 + STEP
        if lost or number == 0:
            assert not continues
        last = time

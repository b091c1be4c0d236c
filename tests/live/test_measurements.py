"""Counts, rates and percentiles of a session, by a clock that the test turns."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actionbench.live.measurements import BOUNDS_S, Measurements


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_rates_are_those_of_the_last_seconds() -> None:
    clock = Clock()
    measured = Measurements(8, clock=clock)
    for _ in range(100):
        clock.now += 0.04
        measured.count("captured")
    assert measured.status().captured_fps == pytest.approx(25)
    clock.now += 2.5
    assert measured.status().captured_fps == pytest.approx(12.5, rel=0.03)
    clock.now += 60
    status = measured.status()
    assert (status.captured_fps, status.captured) == (0, 100)
    assert status.uptime_s == pytest.approx(66.5)


def test_what_does_not_keep_up_is_said() -> None:
    clock = Clock()
    measured = Measurements(8, ("random weights",), clock=clock)
    assert measured.status().keeps_up
    assert measured.status().caveats == ("random weights",)
    measured.set_stride(24)
    status = measured.status()
    assert not status.keeps_up
    assert status.caveats[1:] == ("cannot keep up: a label every 24 frames in place of 8",)
    measured.set_stride(8)
    clock.now += 5
    measured.count("dropped", 3)
    assert measured.status().caveats[1:] == ("cannot keep up: 3 frames dropped in 5 s",)
    clock.now += 6
    assert measured.status().keeps_up
    assert measured.status().dropped == 3


def test_trouble_stands_until_it_is_taken_back() -> None:
    measured = Measurements()
    measured.set_trouble("source", "camera 0 is lost")
    measured.set_trouble("source", "camera 0 is lost; 2 s")
    assert measured.status().caveats == ("camera 0 is lost; 2 s",)
    measured.set_trouble("source", None)
    assert measured.status().caveats == ()


def test_histograms_count_each_time_once() -> None:
    measured = Measurements()
    for seconds in (0.001, 0.0011, 0.3, 99.0):
        measured.observe("forward", seconds)
    histogram = measured.histograms()["forward"]
    assert histogram.bounds_s == BOUNDS_S
    assert histogram.counts[0] == 1, "a bound belongs to its bin"
    assert histogram.counts[1] == 1
    assert histogram.counts[BOUNDS_S.index(0.3)] == 1
    assert histogram.counts[-1] == 1
    assert len(histogram.counts) == len(BOUNDS_S) + 1
    assert histogram.sum_s == pytest.approx(99.3021)
    assert sum(measured.histograms()["decode"].counts) == 0


def test_ages_of_the_last_minute() -> None:
    clock = Clock()
    measured = Measurements(clock=clock)
    measured.observe("age", 9.0)
    clock.now += 61
    for n in range(19):
        measured.observe("age", n / 10)
    assert measured.status().age_p50_s == pytest.approx(0.9)
    assert measured.status().age_p95_s is None, "too few"
    measured.observe("age", 1.9)
    assert measured.status().age_p95_s == pytest.approx(np.percentile(np.arange(20) / 10, 95))


@given(ages=st.lists(st.floats(0.001, 100), min_size=20, max_size=300))
def test_percentiles_of_all_ages_are_exact_to_a_bin(ages: list[float]) -> None:
    measured = Measurements()
    for age in ages:
        measured.observe("age", age)
    summary = measured.summary()
    for share, found in ((0.5, summary.age_p50_s), (0.95, summary.age_p95_s)):
        exact = np.quantile(ages, share, method="inverted_cdf")
        assert found is not None
        assert exact <= found <= 1.0101 * exact


def test_queues_are_shown_as_they_are() -> None:
    measured = Measurements()
    items = [1, 2]
    measured.add_queue("network", items.__len__)
    assert measured.status().queues == {"network": 2}
    items.pop()
    assert measured.status().queues == {"network": 1}

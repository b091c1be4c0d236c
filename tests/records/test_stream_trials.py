"""What is tried next in a search, for models of which it is known what they keep up with; what was found."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actionbench.records.scenarios.stream import Served, StreamRecord, keeps_up, least_answered
from actionbench.records.scenarios.stream_trials import (
    FASTEST_FPS,
    MOST_CAMERAS,
    SLOWEST_FPS,
    StreamTrial,
    next_cameras,
    next_rate,
    next_stride,
    stream_peaks_of,
)

Next = Callable[[Collection[int], Collection[int]], int | None]


def searched(following: Next, passes: Callable[[int], bool]) -> tuple[list[int], list[int]]:
    """All values that are tried in their order, and those that passed."""
    tried: list[int] = []
    passed: list[int] = []
    failed: list[int] = []
    while (value := following(passed, failed)) is not None:
        assert value not in tried
        tried.append(value)
        (passed if passes(value) else failed).append(value)
    return tried, passed


@pytest.mark.parametrize(
    ("window", "smallest", "expected"),
    [
        (64, 1, [1]),
        (64, 2, [1, 2]),
        (64, 11, [1, 2, 4, 8, 16, 12, 10, 11]),
        (12, 10, [1, 2, 4, 8, 12, 10, 9]),
        (12, 13, [1, 2, 4, 8, 12]),
        (1, 2, [1]),
    ],
)
def test_strides_are_doubled_then_bisected(window: int, smallest: int, expected: list[int]) -> None:
    tried, _ = searched(lambda passed, failed: next_stride(passed, failed, window), lambda s: s >= smallest)
    assert tried == expected


@pytest.mark.parametrize(
    ("largest", "expected"),
    [
        (94, [25, 50, 100, 75, 87, 93, 96]),
        (26, [25, 50, 37, 31, 28, 26, 27]),
        (9, [25, 12, 6, 9, 10]),
        (5, [25, 12, 6, 5]),
        (4, [25, 12, 6, 5]),
        (1000, [25, 50, 100, 200, 240]),
    ],
)
def test_rates_are_doubled_or_halved_then_bisected(largest: int, expected: list[int]) -> None:
    tried, _ = searched(lambda passed, failed: next_rate(passed, failed, 25), lambda r: r <= largest)
    assert tried == expected


@given(window=st.integers(1, 300), smallest=st.integers(1, 301))
def test_the_smallest_stride_is_found_in_few_trials(window: int, smallest: int) -> None:
    tried, passed = searched(lambda p, f: next_stride(p, f, window), lambda s: s >= smallest)
    assert min(passed, default=None) == (smallest if smallest <= window else None)
    assert len(tried) <= 2 * window.bit_length() + 1


@given(first=st.integers(SLOWEST_FPS, FASTEST_FPS), largest=st.integers(1, 300))
def test_the_largest_rate_is_found_within_a_twentieth_or_a_frame(first: int, largest: int) -> None:
    tried, passed = searched(lambda p, f: next_rate(p, f, first), lambda r: r <= largest)
    assert all(SLOWEST_FPS <= rate <= FASTEST_FPS for rate in tried)
    if largest < SLOWEST_FPS:
        assert not passed
        return
    found, reachable = max(passed), min(largest, FASTEST_FPS)
    assert found <= reachable <= found + max(1, 0.05 * found)
    assert len(tried) <= 12


@pytest.mark.parametrize(
    ("most", "expected"),
    [
        (0, [1]),
        (1, [1, 2]),
        (3, [1, 2, 4, 3]),
        (11, [1, 2, 4, 8, 16, 12, 10, 11]),
        (1000, [1, 2, 4, 8, 16, 32, 64, 128, 256]),
    ],
)
def test_cameras_are_doubled_then_bisected(most: int, expected: list[int]) -> None:
    tried, _ = searched(next_cameras, lambda cameras: cameras <= most)
    assert tried == expected


@given(most=st.integers(0, 2 * MOST_CAMERAS))
def test_the_largest_number_of_cameras_is_found_in_few_trials(most: int) -> None:
    tried, passed = searched(next_cameras, lambda cameras: cameras <= most)
    assert max(passed, default=0) == min(most, MOST_CAMERAS)
    assert most >= MOST_CAMERAS or most + 1 in tried, "it is known by measurement that one more is too much"
    assert max(tried) <= max(1, 2 * most), "and no more memory is taken than twice what is served takes"
    assert len(tried) <= 2 * MOST_CAMERAS.bit_length() - 1


def of_cameras(labels: list[int], dropped: list[int], resident_bytes: int | None = None) -> StreamRecord:
    """100 labels are due of each camera, and it gives 200 frames."""
    return StreamRecord(
        model="net",
        process=0,
        clip="a",
        fps=25,
        window=4,
        stride=2,
        frames=200 * len(labels),
        dropped=sum(dropped),
        due=100 * len(labels),
        age_s=(0.1,) * sum(labels),
        frame_s=0.001,
        forward_s=0.01,
        preparing_threads=len(labels),
        network_threads=1,
        wall_s=8.0,
        cpu_s=4.0,
        cameras=len(labels),
        served=tuple(map(Served, labels, dropped)),
        resident_bytes=resident_bytes,
    )


@pytest.mark.parametrize(
    ("labels", "dropped", "passed"),
    [
        ([100, 99, 100, 100], [0, 0, 2, 0], True),
        ([100, 98, 100, 100], [0, 0, 0, 0], False),
        ([100, 100, 100, 100], [0, 0, 3, 0], False),
    ],
)
def test_every_camera_must_be_kept_up_with(labels: list[int], dropped: list[int], passed: bool) -> None:
    """Of all labels and frames together, more than 99 % are there in each case."""
    assert keeps_up(of_cameras(labels, dropped)) is passed


def test_a_camera_is_judged_by_what_was_due_of_it() -> None:
    """One camera's labels were all computed, of the other's 98 of 100; a third one had nobody."""
    served = (Served(10, 0, 10), Served(98, 0, 100), Served(0, 0, 0))
    record = replace(of_cameras([10, 98, 0], [0, 0, 0]), due=110, served=served)
    assert least_answered(record) == 0.98
    assert keeps_up(record) is False
    assert keeps_up(replace(record, served=(served[0], Served(100, 0, 100), served[2]))) is True


def test_a_trial_without_a_due_label_decides_nothing_and_ends_the_search() -> None:
    nobody = replace(of_cameras([0], [0]), due=0, served=(), persons=(0,) * 100)
    found = StreamTrial("cameras", nobody)
    assert found.passed is None
    assert StreamTrial("cameras", replace(nobody, dropped=3)).passed is False, "whoever is in the picture"
    (peak,) = stream_peaks_of([found])
    assert (peak.kept_up, peak.not_kept_up, peak.undecided, peak.ended) == (None, None, nobody, True)
    assert peak.camera is nobody


def test_what_was_found_and_how_much_memory_a_camera_takes() -> None:
    def trial(cameras: int, labels: int, resident_bytes: int) -> StreamTrial:
        return StreamTrial("cameras", of_cameras([labels] * cameras, [0] * cameras, resident_bytes))

    found = (trial(1, 100, 500), trial(2, 100, 590), trial(4, 80, 800), trial(3, 100, 650))
    (peak,) = stream_peaks_of(found)
    assert peak.kept_up is not None
    assert peak.not_kept_up is not None
    assert (peak.kept_up.cameras, peak.not_kept_up.cameras, peak.ended) == (3, 4, True)
    assert peak.camera_bytes == 100
    (unfinished,) = stream_peaks_of(found[:1])
    assert (unfinished.ended, unfinished.camera_bytes) == (False, None)

"""What is tried next in a search, for models of which it is known what they keep up with."""

from __future__ import annotations

from collections.abc import Callable, Collection

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actionbench.records.scenarios.stream_trials import (
    FASTEST_FPS,
    SLOWEST_FPS,
    next_rate,
    next_stride,
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

"""When the stride grows and shrinks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actionbench.live.stride import AdaptiveStride


def multiples(answers_s: list[float], stride_s: float = 0.32) -> list[int]:
    stride = AdaptiveStride()
    found = []
    for answer_s in answers_s:
        stride.observe(answer_s, stride_s)
        found.append(stride.multiple)
    return found


def test_two_slow_answers_make_it_grow_to_what_both_need() -> None:
    assert multiples([0.1, 0.5, 0.1, 0.7, 0.9]) == [1, 1, 1, 1, 3]


def test_five_fast_answers_make_it_shrink() -> None:
    assert multiples([0.5, 0.5, *[0.2] * 5]) == [1, 2, 2, 2, 2, 2, 1]


def test_it_does_not_shrink_for_answers_that_hardly_fit() -> None:
    """0.3 s is below a stride of 0.32 s, but not below nine tenths of it."""
    assert multiples([0.5, 0.5, *[0.3] * 20])[-1] == 2


def test_it_shrinks_to_what_the_slowest_of_the_five_needs() -> None:
    assert multiples([1.6, 1.6, 0.1, 0.1, 0.6, 0.1, 0.1]) == [1, 5, 5, 5, 5, 5, 3]


@given(answers=st.lists(st.floats(0.001, 3), max_size=60))
def test_it_is_never_longer_than_the_slowest_answer_needs(answers: list[float]) -> None:
    slowest = max([0.3, *answers])
    assert all(1 <= each <= -(-slowest // (0.9 * 0.3)) for each in multiples(answers, 0.3))


@pytest.mark.parametrize("answer_s", [0.31, 0.32])
def test_an_answer_within_a_stride_changes_nothing(answer_s: float) -> None:
    assert multiples([answer_s] * 20) == [1] * 20

"""The square that a network sees of a person."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actionbench.preprocessing.people.square import Square, square_around


def around(*boxes: tuple[float, float, float, float], height: int = 240, width: int = 320) -> Square:
    return square_around(np.array(boxes, np.float32), height, width)


def test_the_union_with_a_margin_around_its_middle() -> None:
    # Union 100–160 × 50–130: its longer side is 80, with 15 % on both ends 104; its middle is (130, 90).
    assert around((100, 50, 140, 130), (120, 60, 160, 120)) == Square(78, 38, 104)


def test_at_the_border_it_is_moved_into_the_frame() -> None:
    assert around((0, 0, 40, 80)) == Square(0, 0, 104)
    assert around((290, 200, 320, 240)) == Square(268, 188, 52)


def test_the_margin_shrinks_before_it_reaches_beyond_the_border() -> None:
    assert around((100, 10, 160, 230)) == Square(10, 0, 240)


def test_a_union_longer_than_the_frame_is_high_is_padded() -> None:
    square = around((10, 100, 310, 200))
    assert square == Square(10, -30, 300)
    frame = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
    cut = square.cut(frame)
    assert cut.shape == (300, 300, 3)
    assert np.array_equal(cut[30:270], frame[:, 10:310])
    assert (cut[:30] == frame[0, 10:310]).all()
    assert (cut[270:] == frame[239, 10:310]).all()


@given(
    height=st.integers(1, 300),
    width=st.integers(1, 300),
    corners=st.lists(st.tuples(*[st.floats(-50, 350, width=32)] * 4), min_size=1, max_size=5),
)
def test_it_shows_all_of_the_boxes_that_is_in_the_frame(
    height: int, width: int, corners: list[tuple[float, float, float, float]]
) -> None:
    boxes = np.array([(min(a, c), min(b, d), max(a, c), max(b, d)) for a, b, c, d in corners], np.float32)
    square = square_around(boxes, height, width)
    assert square.cut(np.zeros((height, width, 3), np.uint8)).shape == (square.side, square.side, 3)
    limits = np.array([width, height, width, height], np.float32)
    inside = np.clip(boxes, 0, limits)
    seen = (inside[:, 2] > inside[:, 0]) & (inside[:, 3] > inside[:, 1])
    for box in inside[seen]:
        assert square.shows(box)
    if square.side <= min(height, width):
        assert square.x >= 0
        assert square.y >= 0
        assert square.x + square.side <= width
        assert square.y + square.side <= height


def test_a_box_that_reaches_out_is_not_shown() -> None:
    square = Square(10, 10, 20)
    assert square.shows(np.array([10, 10, 30, 30], np.float32))
    assert not square.shows(np.array([9.5, 10, 30, 30], np.float32))
    assert not square.shows(np.array([10, 10, 30, 31], np.float32))


def test_a_square_within_the_frame_copies_nothing() -> None:
    frame = np.zeros((20, 20, 3), np.uint8)
    assert np.shares_memory(Square(5, 5, 10).cut(frame), frame)
    assert pytest.approx(10) == Square(5, 5, 10).cut(frame).shape[0]

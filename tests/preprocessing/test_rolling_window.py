"""The last frames of a stream as network input: the same as a clip of them would give."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from actionbench.flow.registry import get_method
from actionbench.models.spec import Preprocessing, Views
from actionbench.preprocessing.preparer import Preparer
from actionbench.preprocessing.rolling_window import RollingWindow, still_window
from actionbench.preprocessing.stopwatch import Stopwatch

RGB = Preprocessing("rgb", Fraction(25), 24, "opencv-bilinear", "round", 24, "floor", scale=1 / 127.5)
FLOW = replace(RGB, modality="flow", scale=1.0, flow_bound=20.0)


@pytest.fixture(scope="module")
def two_streams() -> Preparer:
    views = Views(None, None, "loop", "softmax", 1)
    return Preparer({"rgb": RGB, "flow": FLOW}, views, flow=get_method("farneback", 1, "cpu"))


@pytest.fixture(scope="module")
def frames() -> list[np.ndarray]:
    texture = np.random.default_rng(0).integers(0, 256, (48, 96, 3), dtype=np.uint8)
    return [np.ascontiguousarray(texture[:, n : n + 64]) for n in range(12)]


def test_it_is_what_a_clip_of_the_last_frames_gives(two_streams: Preparer, frames: list[np.ndarray]) -> None:
    window = RollingWindow(two_streams, 6)
    for frame in frames:
        window.add(frame)
    last = RollingWindow(two_streams, 6)
    for frame in frames[-6:]:
        last.add(frame)
    assert window.whole()
    for stream, length in (("rgb", 6), ("flow", 5)):
        got, expected = np.stack(window.frames()[stream]), np.stack(last.frames()[stream])
        assert got.shape[0] == length
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("method", ["farneback", "dis", "tvl1"])
def test_repeating_is_adding_the_same_frame_again(
    two_streams: Preparer, frames: list[np.ndarray], method: str
) -> None:
    """Between equal frames methods find no motion, or less than a tenth of a pixel, 1/200 of the bound."""
    preparer = replace(two_streams, flow=get_method(method, 1, "cpu"))
    repeated, added = RollingWindow(preparer, 4), RollingWindow(preparer, 4)
    for window in (repeated, added):
        window.add(frames[0])
        window.add(frames[1])
    repeated.repeat()
    added.add(frames[1])
    for stream in ("rgb", "flow"):
        ours, theirs = np.stack(repeated.frames()[stream]), np.stack(added.frames()[stream])
        assert ours.dtype == theirs.dtype
        np.testing.assert_allclose(ours, theirs, atol=5e-3)


def test_after_clearing_the_next_frame_follows_none(two_streams: Preparer, frames: list[np.ndarray]) -> None:
    window = RollingWindow(two_streams, 3)
    for frame in frames[:5]:
        window.add(frame)
    window.clear()
    assert not window.whole()
    for number, frame in enumerate(frames[7:10]):
        window.add(frame)
        assert len(window.frames()["flow"]) == number, "no flow between frames on both sides"
    assert window.whole()


def test_the_time_of_each_step_is_taken(two_streams: Preparer, frames: list[np.ndarray]) -> None:
    window, watch = RollingWindow(two_streams, 3), Stopwatch()
    window.add(frames[0], watch)
    window.add(frames[1], watch)
    assert set(watch.seconds) == {"resize", "flow"}
    assert min(watch.seconds.values()) > 0


def test_a_still_window_has_the_shape_of_any_other(two_streams: Preparer, frames: list[np.ndarray]) -> None:
    still = still_window(two_streams, 5, frames[0])
    assert {stream: value.shape for stream, value in still.items()} == {
        "rgb": (5, 24, 24, 3),
        "flow": (4, 24, 24, 2),
    }
    np.testing.assert_allclose(still["flow"], 0, atol=5e-3)


def test_a_stream_is_one_view_whatever_a_whole_video_is(
    two_streams: Preparer, frames: list[np.ndarray]
) -> None:
    views = Views(4, None, "loop", "softmax", 1, clips=5, crops=3)
    still, of_three = (
        still_window(each, 4, frames[0]) for each in (two_streams, replace(two_streams, views=views))
    )
    for stream, array in still.items():
        np.testing.assert_array_equal(of_three[stream], array)

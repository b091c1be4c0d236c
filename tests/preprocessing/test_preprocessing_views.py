"""The frames of each view, against the authors' rules."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actionbench.errors import UsageError
from actionbench.preprocessing.views import centre_window, even_clips, windows

positive = st.integers(1, 200)


@given(n=positive, window=st.integers(1, 64), stride=st.integers(1, 64))
def test_windows_loop_or_drop_the_tail(n: int, window: int, stride: int) -> None:
    looped, dropped = windows(n, window, stride, "loop"), windows(n, window, stride, "drop")
    for views in (looped, dropped):
        assert views
        assert all(len(view) == window for view in views)
        assert all(view.min() >= 0 and view.max() < n for view in views)
        assert [view[0] for view in views] == [k * stride for k in range(len(views))]
    if stride <= window:
        assert set(np.concatenate(looped)) == set(range(n))
    if n >= window:
        assert len(dropped) == (n - window) // stride + 1
        assert all((np.diff(view) == 1).all() for view in dropped)


@given(n=positive, window=st.integers(1, 64), stride=st.integers(1, 64))
def test_windows_that_hold_differ_from_looped_ones_by_their_last_frame_alone(
    n: int, window: int, stride: int
) -> None:
    looped, held = windows(n, window, stride), windows(n, window, stride, "hold")
    assert len(held) == len(looped)
    for loop, hold in zip(looped, held, strict=True):
        assert hold.shape == (window,)
        assert (hold == np.minimum(loop[0] + np.arange(window), n - 1)).all()
        assert set(hold) == set(loop)


def test_a_short_video_is_filled_as_the_tail_says() -> None:
    for view in (*windows(3, 5, 5, "hold"), *even_clips(3, 5, 2, "hold"), centre_window(3, 5, "hold")):
        assert view.tolist() == [0, 1, 2, 2, 2]
    for view in (*windows(3, 5, 5, "drop"), *even_clips(3, 5, 2, "drop"), centre_window(3, 5, "drop")):
        assert view.tolist() == [0, 1, 2, 0, 1]
    # A long one is not.
    assert centre_window(9, 5, "hold").tolist() == [2, 3, 4, 5, 6]
    assert [view.tolist() for view in even_clips(6, 5, 2, "hold")] == [[0, 1, 2, 3, 4], [1, 2, 3, 4, 5]]


@pytest.mark.parametrize("n", [1, 5, 15, 16, 18, 31, 32, 40, 250])
def test_windows_are_haras(n: int) -> None:
    """Steps of 16 from the first frame; the last repeats the frames it has, in order, until it is full."""
    expected = []
    for start in range(0, n, 16):
        held = list(range(start, min(start + 16, n)))
        full = list(held)
        for frame in held * 16:
            if len(full) >= 16:
                break
            full.append(frame)
        expected.append(full)
    assert [list(view) for view in windows(n, 16, 16)] == expected


def test_single_view() -> None:
    assert list(centre_window(20, 16)) == list(range(2, 18))
    assert list(centre_window(17, 16)) == list(range(16))
    assert list(centre_window(3, 7)) == [0, 1, 2, 0, 1, 2, 0]


@given(n=st.integers(1, 400), window=st.integers(1, 70), clips=st.integers(1, 13))
def test_clips_are_evenly_spaced_from_the_first_frame_to_the_last(n: int, window: int, clips: int) -> None:
    views = even_clips(n, window, clips)
    assert len(views) == clips
    assert all(view.shape == (window,) for view in views)
    assert min(view.min() for view in views) == 0
    assert max(view.max() for view in views) < n
    if n <= window:
        assert all((view == np.arange(window) % n).all() for view in views)
        return
    assert all((np.diff(view) == 1).all() for view in views)
    starts = [int(view[0]) for view in views]
    # As torchvision's `UniformClipSampler` takes them from all n - window + 1 clips, in exact numbers.
    places = [0.0] if clips == 1 else [i * (n - window) / (clips - 1) for i in range(clips)]
    assert all(abs(start - place) < 1 and start <= place for start, place in zip(starts, places, strict=True))
    if clips > 1:
        assert views[-1][-1] == n - 1
        assert max(np.diff(starts)) - min(np.diff(starts)) <= 1


def test_clips_of_a_video_at_known_places() -> None:
    assert [view[0] for view in even_clips(100, 16, 5)] == [0, 21, 42, 63, 84]
    assert [view[0] for view in even_clips(20, 16, 3)] == [0, 2, 4]
    with pytest.raises(UsageError, match="must be positive"):
        even_clips(10, 16, 0)


@pytest.mark.parametrize(
    "call",
    [
        lambda: windows(0, 16, 16),
        lambda: windows(16, 16, 0),
        lambda: centre_window(0, 16),
    ],
)
def test_nothing_and_nonsense_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(UsageError, match="positive"):
        call()

"""Windows of live frames: when a label is due, and what a window says of itself."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import pytest

from actionbench.live.frame import Frame
from actionbench.live.measurements import Measurements
from actionbench.live.preparation import Preparation, Window
from actionbench.preprocessing.preparer import Preparer

MakeFrame = Callable[..., Frame]


def windows(preparation: Preparation, frames: list[Frame], multiple: int = 1) -> list[tuple[int, Window]]:
    """Number of the frame → the window that was due with it."""
    return [(frame.number, window) for frame in frames for window in preparation.add(frame, multiple).windows]


def test_labels_are_due_at_the_first_whole_window_and_then_by_stride(
    preparer: Preparer, frame: MakeFrame
) -> None:
    measured = Measurements(3)
    preparation = Preparation(preparer, 4, Fraction(25), 3, measured)
    due = windows(preparation, [frame(n, n / 25, n > 0) for n in range(12)])
    assert [number for number, _ in due] == [3, 6, 9]
    _, window = due[1]
    assert (window.start_s, window.end_s, window.captured_s) == (3 / 25, 6 / 25, 100 + 6 / 25)
    assert window.rate == 25
    grey = [float(kept.mean() * 255) for kept in window.inputs["rgb"]]
    assert grey == pytest.approx([3, 4, 5, 6], abs=1e-3)
    assert measured.status().processed == 12
    assert sum(measured.histograms()["prepare"].counts) == 12
    assert sum(measured.histograms()["flow"].counts) == 0


def test_a_longer_stride_passes_labels_over_and_counts_them(preparer: Preparer, frame: MakeFrame) -> None:
    measured = Measurements(2)
    preparation = Preparation(preparer, 4, Fraction(25), 2, measured)
    due = windows(preparation, [frame(n, n / 25, n > 0) for n in range(16)], multiple=3)
    assert [number for number, _ in due] == [3, 9, 15], "the first label never waits"
    assert measured.status().late == 4, "those of frames 5, 7, 11 and 13"


@pytest.mark.parametrize(("fps", "rate"), [(50, 25), (25, 25), (12.5, 12.5), (20, 20)])
def test_a_window_says_how_many_different_frames_a_second_it_holds(
    preparer: Preparer, frame: MakeFrame, fps: float, rate: float
) -> None:
    preparation = Preparation(preparer, 50, Fraction(25), 1, Measurements())
    due = windows(preparation, [frame(n, n / fps, n > 0) for n in range(round(4.2 * fps))])
    assert due[-1][1].rate == pytest.approx(rate, abs=0.51)


def test_a_hole_of_dropped_frames_is_filled_and_said(preparer: Preparer, frame: MakeFrame) -> None:
    """Of ten frames, 4 and 5 were dropped: frame 3 stands in their place, and the rate is that of eight."""
    preparation = Preparation(preparer, 10, Fraction(25), 10, Measurements())
    ((number, window),) = windows(
        preparation, [frame(n, n / 25, n > 0) for n in range(10) if n not in (4, 5)]
    )
    assert number == 9
    grey = [round(float(kept.mean() * 255)) for kept in window.inputs["rgb"]]
    assert grey == [0, 1, 2, 3, 3, 3, 6, 7, 8, 9]
    assert window.rate == 20


@pytest.mark.parametrize("why", ["lost", "gap", "size"])
def test_no_window_holds_frames_from_both_sides_of_a_cut(
    preparer: Preparer, frame: MakeFrame, why: str
) -> None:
    preparation = Preparation(preparer, 4, Fraction(25), 1, Measurements())
    before = [frame(n, n / 25, n > 0, grey=10) for n in range(5)]
    start = 5 / 25 + (0.2 if why == "gap" else 0)
    after = [
        frame(5 + n, start + n / 25, n > 0 or why != "lost", side=20 if why == "size" else 16, grey=200)
        for n in range(5)
    ]
    due = windows(preparation, before + after)
    assert [number for number, _ in due] == [3, 4, 8, 9]
    for number, window in due:
        values = {round(float(kept.mean() * 255)) for kept in window.inputs["rgb"]}
        assert values == {10 if number < 5 else 200}
        assert window.start_s >= (start if number >= 5 else 0)


def test_without_a_rate_every_frame_is_taken_and_the_rate_measured(
    preparer: Preparer, frame: MakeFrame
) -> None:
    preparation = Preparation(preparer, 4, None, 2, Measurements())
    due = windows(preparation, [frame(n, n / 10, n > 0) for n in range(8)])
    assert [number for number, _ in due] == [3, 5, 7], (
        "0.1 s is within the longest pause, 4 frames at 25 a second"
    )
    assert due[0][1].rate == pytest.approx(10)


def test_windows_of_every_third_frame_of_the_source(preparer: Preparer, frame: MakeFrame) -> None:
    measured = Measurements()
    preparation = Preparation(preparer, 4, None, 2, measured, every=3)
    due = windows(preparation, [frame(n, n / 25, n > 0) for n in range(20)])
    assert [number for number, _ in due] == [9, 15]
    _, window = due[0]
    grey = [round(float(kept.mean() * 255)) for kept in window.inputs["rgb"]]
    assert grey == [0, 3, 6, 9]
    assert window.rate == pytest.approx(25 / 3)
    assert measured.status().processed == 7

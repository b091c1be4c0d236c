"""Flow of the centre of the frames only."""

from __future__ import annotations

import numpy as np
import pytest

from actionbench.errors import ClipError
from actionbench.flow.centre import LOOKS_AT, CentreFlow
from actionbench.flow.evaluation.comparison import compare
from actionbench.flow.evaluation.ground_truth import GroundTruth
from actionbench.flow.fields import flow_fields
from actionbench.flow.opencv import dis
from actionbench.flow.registry import HOLDS_IN, get_method

NAME = "tvl1-fast-crop"


def frames(height: int, width: int, count: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, height, width), dtype=np.uint8)


def test_the_flow_is_that_of_the_square_and_zero_outside() -> None:
    video = frames(290, 301)
    flow = CentreFlow("dis-crop", dis())(video[0], video[1])
    inside = np.s_[17 : 17 + LOOKS_AT, 22 : 22 + LOOKS_AT]
    square = [np.ascontiguousarray(frame[inside]) for frame in video[:2]]
    np.testing.assert_array_equal(flow[inside], dis()(*square))
    assert np.abs(flow).sum() == pytest.approx(np.abs(flow[inside]).sum())
    np.testing.assert_array_equal(flow_fields(video, CentreFlow("dis-crop", dis()))[0], flow)


def test_small_frames_have_the_flow_of_the_whole() -> None:
    video = frames(33, 47)
    np.testing.assert_array_equal(
        flow_fields(video, get_method(NAME)), flow_fields(video, get_method("tvl1-fast"))
    )
    as_float = (video / 255).astype(np.float32)
    np.testing.assert_array_equal(
        get_method(NAME)(as_float[0], as_float[1]),
        get_method("tvl1-fast")(as_float[0], as_float[1]),
    )


def test_bad_values_inside_are_refused() -> None:
    bad = np.full((20, 24), np.nan, np.float32)
    with pytest.raises(ClipError, match=r"must lie in 0…1"):
        get_method(NAME)(bad, bad)  # type: ignore[arg-type]


def test_it_says_what_it_looks_at_and_where_its_flow_holds() -> None:
    description = get_method(NAME).describe()
    assert description["name"] == NAME
    assert description["looks_at_px"] == LOOKS_AT == 256
    assert description["holds_in_px"] == HOLDS_IN[NAME] == 224
    assert description["parameters"]["name"] == "tvl1-fast"


def test_its_error_to_the_truth_of_whole_frames_is_not_defined() -> None:
    video = frames(40, 48)
    truth = GroundTruth("x", video[0], video[1], np.zeros((40, 48, 2), np.float32), video[0] >= 0)
    crop, whole = compare([NAME, "tvl1-fast"], {"x": video}, [truth], repetitions=1)
    assert crop.to_truth == {}
    assert whole.to_truth.keys() == {"x"}


def test_without_numba_opencv_keeps_its_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "numba", None)
    with pytest.warns(RuntimeWarning, match="needs numba"):
        assert get_method(NAME).describe()["name"] == "opencv"

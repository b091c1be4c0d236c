"""From frames to what a flow network takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from actionbench.errors import ClipError, MeasurementError
from actionbench.flow.fields import flow_fields, grey, to_network


class Difference:
    """A method whose flow says which frames it was given."""

    name = "difference"

    def __call__(self, previous: Any, following: Any) -> Any:
        field = np.stack([previous, following], axis=-1)
        return field.astype(np.float32)

    def describe(self) -> dict[str, Any]:
        return {"name": self.name}


@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 3), st.integers(1, 6), st.integers(1, 6), st.just(3))))
def test_grey_is_bt601_luma(frames: np.ndarray) -> None:
    expected = frames @ np.array((0.299, 0.587, 0.114))
    found = grey(frames)
    assert found.dtype == np.uint8
    assert found.shape == frames.shape[:3]
    assert np.abs(found - expected).max() <= 0.51


@pytest.mark.parametrize(
    "frames",
    [
        np.zeros((2, 8, 8), np.uint8),
        np.zeros((2, 8, 8, 3), np.float32),
        np.zeros((2, 8, 8, 4), np.uint8),
        np.zeros((0, 8, 8, 3), np.uint8),
    ],
)
def test_what_is_no_rgb_is_refused(frames: np.ndarray) -> None:
    with pytest.raises(ClipError, match="RGB frames"):
        grey(frames)


def test_n_frames_give_one_field_less_each_to_the_next() -> None:
    frames = np.arange(5, dtype=np.uint8)[:, None, None] * np.ones((1, 16, 20), np.uint8)
    told: list[tuple[int, int]] = []
    flow = flow_fields(frames, Difference(), progress=lambda done, total: told.append((done, total)))
    assert flow.shape == (4, 16, 20, 2)
    assert flow.dtype == np.float32
    assert flow[:, 0, 0].tolist() == [[0, 1], [1, 2], [2, 3], [3, 4]]
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_it_can_be_cancelled_between_pairs() -> None:
    asked: list[bool] = []

    def cancelled() -> bool:
        asked.append(True)
        return len(asked) == 3

    with pytest.raises(MeasurementError, match="after 2 of 4 pairs"):
        flow_fields(np.zeros((5, 16, 16), np.uint8), Difference(), cancelled=cancelled)


@pytest.mark.parametrize("shape", [(1, 16, 16), (0, 16, 16), (16, 16), (3, 16, 16, 3)])
def test_fewer_than_two_grey_frames_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ClipError, match="at least two frames"):
        flow_fields(np.zeros(shape, np.uint8), Difference())


def test_a_method_that_gives_another_shape_is_named() -> None:
    class Flat(Difference):
        name = "flat"

        def __call__(self, previous: Any, following: Any) -> Any:  # noqa: ARG002
            return np.zeros(2, np.float32)

    with pytest.raises(ClipError, match="'flat' gave a field of the wrong shape"):
        flow_fields(np.zeros((2, 16, 16), np.uint8), Flat())


@given(
    hnp.arrays(np.float32, (2, 3, 2), elements=st.floats(-1000, 1000, width=32)),
    st.floats(0.5, 50, width=32),
)
def test_network_range(flow: np.ndarray, bound: float) -> None:
    before = flow.copy()
    scaled = to_network(flow, bound)
    assert scaled.dtype == np.float32
    assert np.abs(scaled).max() <= 1
    np.testing.assert_array_equal(flow, before)
    within = np.abs(flow) <= bound
    np.testing.assert_allclose(scaled[within] * bound, flow[within], rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(scaled[~within], np.sign(flow[~within]))


def test_network_range_of_the_authors() -> None:
    assert to_network(np.array([-30, -20, 0, 5, 20, 40], np.float32)).tolist() == [-1, -1, 0, 0.25, 1, 1]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_a_number_is_refused(value: float) -> None:
    flow = np.zeros((1, 2, 2, 2), np.float32)
    flow[0, 1, 1, 0] = value
    with pytest.raises(ClipError, match="1 of 8 values"):
        to_network(flow)

"""Errors of flow, ground truth files, colours: what `bench flow` shows."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actionbench.errors import ClipError, UsageError
from actionbench.flow.evaluation.comparison import compare, endpoint_errors, quantisation_error
from actionbench.flow.evaluation.ground_truth import GroundTruth, load_ground_truth, read_flo, shrunk
from actionbench.flow.render import colour_wheel, colours


def write_flo(path: Path, flow: np.ndarray) -> None:
    height, width = flow.shape[:2]
    header = np.float32(202021.25).tobytes() + np.array((width, height), "<i4").tobytes()
    path.write_bytes(header + flow.astype("<f4").tobytes())


def test_errors_are_taken_in_the_centre_after_clipping() -> None:
    reference = np.zeros((2, 300, 260, 2), np.float32)
    flow = reference.copy()
    flow[:, 0, 0] = 100  # outside of the centre
    assert endpoint_errors(flow, reference).max() == 0
    flow[1, 150, 130] = (3, 4)
    flow[0, 150, 130] = (100, 0)
    errors = endpoint_errors(flow, reference)
    assert errors.shape == (2, 224, 224)
    assert errors[1].max() == 5
    assert errors[0].max() == 20, "both are clipped before they are compared"
    assert endpoint_errors(flow[:, :40, :30], reference[:, :40, :30]).shape == (2, 40, 30)


@given(st.floats(-25, 25), st.floats(-25, 25))
def test_eight_bits_cost_at_most_half_a_step(u: float, v: float) -> None:
    flow = np.full((1, 8, 8, 2), (u, v), np.float32)
    assert quantisation_error(flow) <= np.hypot(20 / 255, 20 / 255) + 1e-5


def test_flo_files_are_read_and_damaged_ones_refused(tmp_path: Path) -> None:
    flow = np.random.default_rng(0).normal(size=(5, 7, 2)).astype(np.float32)
    flow[2, 3] = 1e10
    path = tmp_path / "flow10.flo"
    write_flo(path, flow)
    found, known = read_flo(path)
    assert not known[2, 3]
    assert known.sum() == 34
    np.testing.assert_array_equal(found[known], flow[known])
    assert found[2, 3].tolist() == [0, 0]
    for data in (b"", b"PIEH", path.read_bytes()[:-1], path.read_bytes()[:6]):
        path.write_bytes(data)
        with pytest.raises(ClipError, match=r"no \.flo file|damaged"):
            read_flo(path)


def test_a_picture_that_is_too_large_for_opencv_is_named(tmp_path: Path) -> None:
    write_flo(tmp_path / "a_flow.flo", np.zeros((2, 2, 2), np.float32))
    (tmp_path / "a_img1.ppm").write_bytes(b"P6\n4 99999999\n255\n" + bytes(36))
    with pytest.raises(ClipError, match=r"a_img1\.ppm: cannot be read as an image"):
        load_ground_truth(tmp_path)


def test_layouts_of_the_benchmarks_are_found(tmp_path: Path) -> None:
    grey = np.random.default_rng(1).integers(0, 255, (40, 60), dtype=np.uint8)
    middlebury = tmp_path / "Venus"
    middlebury.mkdir()
    for name in ("frame10.png", "frame11.png"):
        cv2.imwrite(str(middlebury / name), grey)
    write_flo(middlebury / "flow10.flo", np.ones((40, 60, 2)))
    kitti = tmp_path / "kitti"
    kitti.mkdir()
    for name in ("frame1.png", "frame2.png"):
        cv2.imwrite(str(kitti / name), grey)
    encoded = np.zeros((40, 60, 3), np.uint16)
    encoded[..., 2] = 2**15 + 64 * 3  # u = 3, the first channel of the file, the last of OpenCV's
    encoded[..., 1] = 2**15 - 64
    encoded[:, :30, 0] = 1
    cv2.imwrite(str(kitti / "flow_gt.png"), encoded)
    pairs = {pair.name: pair for pair in load_ground_truth(tmp_path)}
    assert set(pairs) == {"Venus", "kitti"}
    np.testing.assert_array_equal(pairs["Venus"].previous, grey)
    assert pairs["kitti"].flow[0, 0].tolist() == [3, -1]
    assert pairs["kitti"].known.sum() == 40 * 30
    cv2.imwrite(str(kitti / "frame2.png"), grey[:20])
    with pytest.raises(ClipError, match="differ in size"):
        load_ground_truth(tmp_path)
    with pytest.raises(ClipError, match="no pair of frames"):
        load_ground_truth(tmp_path / "Venus" / "nothing")


def test_shrinking_a_pair_shrinks_its_vectors() -> None:
    known = np.ones((100, 200), bool)
    known[:10] = False
    frame = np.zeros((100, 200), np.uint8)
    truth = GroundTruth("x", frame, frame, np.full((100, 200, 2), (4, 2), np.float32), known)
    small = shrunk(truth, 50)
    assert small.flow.shape == (50, 100, 2)
    np.testing.assert_allclose(small.flow, np.broadcast_to((2, 1), small.flow.shape), rtol=1e-5)
    assert not small.known[:5].any()
    assert small.known[5:].all()
    assert shrunk(truth, 100) is truth


def test_methods_are_compared_on_the_same_pairs() -> None:
    rng = np.random.default_rng(2)
    base = cv2.GaussianBlur(rng.integers(0, 255, (64, 96), dtype=np.uint8), (0, 0), 2)
    frames = np.stack([np.roll(base, shift, 1) for shift in range(3)])
    truth = GroundTruth(
        "shift", frames[0], frames[1], np.full((64, 96, 2), (1, 0), np.float32), frames[0] >= 0
    )
    told: list[str] = []
    measured = {m.name: m for m in compare(["dis", "opencv"], {"x": frames}, [truth], (1, 2), 2, told.append)}
    assert list(measured) == ["opencv", "dis"]
    for m in measured.values():
        assert {n: len(values) for n, values in m.seconds.items()} == {1: 2, 2: 2}
        assert m.to_truth["shift"] < 0.6
        assert m.milliseconds(1) is not None
        assert m.milliseconds(7) is None
    assert measured["opencv"].to_reference == []
    assert len(measured["dis"].to_reference) == 1
    assert measured["opencv"].speed_up(measured["opencv"], 1) == 1
    assert told
    with pytest.raises(UsageError, match="unknown flow method"):
        compare(["diss"], {"x": frames})


@given(st.floats(-30, 30), st.floats(-30, 30))
def test_colours_are_white_when_still_and_never_out_of_range(u: float, v: float) -> None:
    picture = colours(np.array([[[0, 0], [u, v]]], np.float32), 10)
    assert picture.shape == (1, 2, 3)
    assert picture[0, 0].tolist() == [255, 255, 255]
    if np.hypot(u, v) > 5:
        assert picture[0, 1].min() < 250


def test_opposite_directions_have_different_colours() -> None:
    assert colour_wheel().shape == (55, 3)
    right, left, up, down = colours(np.array([[10, 0], [-10, 0], [0, -10], [0, 10]], np.float32), 10).astype(
        int
    )
    for a, b in ((right, left), (up, down), (right, up), (left, down)):
        assert np.abs(a - b).sum() > 100

"""Every flow method on motions that are known, on bad input, and by name."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from importlib.metadata import EntryPoint
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from actionbench import registry
from actionbench.datasets.sources.registry import load_clips
from actionbench.datasets.video.reader import read_frames
from actionbench.errors import BackendUnavailable, ClipError, UsageError
from actionbench.flow.evaluation.comparison import endpoint_errors
from actionbench.flow.fields import grey
from actionbench.flow.registry import METHODS, get_method
from actionbench.preprocessing.pixels import resize

H, W = 72, 96
INSIDE = (slice(14, -14), slice(14, -14))


def textured(seed: int = 0, height: int = H + 40, width: int = W + 40) -> npt.NDArray[np.float32]:
    noise = np.random.default_rng(seed).uniform(0, 255, (height, width)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 1.8)
    scaled: npt.NDArray[np.float32] = cv2.normalize(smooth, None, 10, 245, cv2.NORM_MINMAX)
    return scaled


def window(scene: npt.NDArray[np.float32], u: float, v: float) -> npt.NDArray[np.uint8]:
    """The part of `scene` in which everything lies (u, v) from where it lies in window(scene, 0, 0)."""
    centre = ((scene.shape[1] - 1) / 2 - u, (scene.shape[0] - 1) / 2 - v)
    cut: npt.NDArray[np.uint8] = np.rint(cv2.getRectSubPix(scene, (W, H), centre)).astype(np.uint8)
    return cut


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize(("u", "v"), [(3.0, -2.0), (-0.5, 1.25)])
def test_a_shift_is_found(name: str, u: float, v: float) -> None:
    scene = textured()
    flow = get_method(name)(window(scene, 0, 0), window(scene, u, v))
    assert flow.shape == (H, W, 2)
    assert flow.dtype == np.float32
    error = np.linalg.norm(flow[INSIDE] - np.array((u, v), np.float32), axis=-1)
    assert error.mean() < 0.1
    if name == "opencv":
        assert np.percentile(error, 99) < 0.1


@pytest.mark.parametrize("name", METHODS)
def test_two_halves_move_apart(name: str) -> None:
    left, right = textured(1), textured(2)
    frames = [
        np.hstack([window(left, -u, 0)[:, : W // 2], window(right, u, 0)[:, W // 2 :]]) for u in (0.0, 2.0)
    ]
    flow = get_method(name)(*frames)
    assert np.median(flow[14:-14, 10:30, 0]) == pytest.approx(-2, abs=0.15)
    assert np.median(flow[14:-14, -30:-10, 0]) == pytest.approx(2, abs=0.15)
    assert np.abs(np.median(flow[INSIDE][..., 1])) < 0.1


@pytest.mark.parametrize("name", METHODS)
def test_nothing_moves_in_a_still(name: str) -> None:
    frame = window(textured(), 0, 0)
    flow = get_method(name)(frame, frame.copy())
    assert np.abs(flow[INSIDE]).max() < 1e-3


@pytest.mark.parametrize("name", METHODS)
def test_frames_that_are_no_pair_are_refused(name: str) -> None:
    method = get_method(name)
    grey = np.zeros((20, 24), np.uint8)
    pairs: list[tuple[Any, Any]] = [
        (grey, np.zeros((24, 20), np.uint8)),
        (grey.astype(np.int16), grey.astype(np.int16)),
        (np.zeros((20, 24, 3), np.uint8), np.zeros((20, 24, 3), np.uint8)),
        (np.zeros((15, 24), np.uint8), np.zeros((15, 24), np.uint8)),
    ]
    for previous, following in pairs:
        with pytest.raises(ClipError):
            method(previous, following)
    assert method(np.zeros((16, 16), np.uint8), np.zeros((16, 16), np.uint8)).shape == (16, 16, 2)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize(("height", "width"), [(16, 16), (17, 31)])
def test_scene_cuts_of_any_size_give_finite_flow(name: str, height: int, width: int) -> None:
    scenes = np.random.default_rng(0).integers(0, 256, (2, height, width), dtype=np.uint8)
    flow = get_method(name)(*scenes)
    assert flow.shape == (height, width, 2)
    assert np.isfinite(flow).all()
    assert np.abs(flow).max() < 10 * max(height, width)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -1, 2])
def test_values_that_are_no_brightness_are_refused(name: str, value: float) -> None:
    good = np.full((20, 24), 0.5, np.float32)
    bad = good.copy()
    bad[3, 4] = value
    with pytest.raises(ClipError):
        get_method(name)(good, bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", METHODS)
def test_python_threads_may_share_a_method(name: str) -> None:
    method, scene = get_method(name), textured()
    still, *moved = (window(scene, u, 0)[:20, :28].copy() for u in (0.0, 1.0, -1.0, 2.0, -2.0))
    pairs = [(still, each) for each in moved]
    serial = [method(*pair) for pair in pairs]
    with ThreadPoolExecutor(4) as pool:
        parallel = list(pool.map(lambda pair: method(*pair), pairs))
    for expected, found in zip(serial, parallel, strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", ["opencv", "dis", "farneback"])
def test_the_flow_does_not_depend_on_opencvs_threads(name: str) -> None:
    scene = textured()
    pair = window(scene, 0, 0), window(scene, 1.5, 1.0)
    one = get_method(name, threads=1)(*pair)
    assert cv2.getNumThreads() == 1
    two = get_method(name, threads=2)(*pair)
    assert cv2.getNumThreads() == 2
    np.testing.assert_array_equal(one, two)


def test_the_reference_has_the_defaults_i3d_was_trained_with() -> None:
    description = get_method("opencv").describe()
    assert description["name"] == "opencv"
    assert description["cv2"] == cv2.__version__
    assert description["parameters"] == {
        "Tau": 0.25,
        "Lambda": 0.15,
        "Theta": 0.3,
        "ScalesNumber": 5,
        "ScaleStep": 0.8,
        "WarpingsNumber": 5,
        "Epsilon": 0.01,
        "InnerIterations": 30,
        "OuterIterations": 10,
        "Gamma": 0.0,
        "MedianFiltering": 5,
        "UseInitialFlow": False,
    }


@pytest.mark.parametrize(
    ("height", "width", "known_error"),
    [(194, 292, 0.161), pytest.param(388, 584, 0.156, marks=pytest.mark.slow)],
    ids=["centre", "whole"],
)
def test_the_reference_scores_on_middlebury_as_is_known(
    shared_data: Path, height: int, width: int, known_error: float
) -> None:
    """Mean end-point error (pixels) on RubberWhale at native size, for OpenCV 4.11 to 5.0."""
    folder = shared_data / "flow" / "middlebury" / "RubberWhale"
    if not folder.is_dir():
        pytest.skip(f"no Middlebury pair at {folder}")
    frames: list[Any] = [cv2.imread(str(folder / f"frame{n}.png"), cv2.IMREAD_GRAYSCALE) for n in (10, 11)]
    truth = np.fromfile(folder / "flow10.flo", np.float32, offset=12).reshape(388, 584, 2)
    top, left = (388 - height) // 2, (584 - width) // 2
    centre = (slice(top, top + height), slice(left, left + width))
    first, second, truth = (np.ascontiguousarray(array[centre]) for array in (*frames, truth))
    known = (np.abs(truth) < 1e9).all(axis=-1)
    error = np.linalg.norm(get_method("opencv", threads=2)(first, second) - truth, axis=-1)
    assert error[known].mean() == pytest.approx(known_error, abs=0.003)


def test_an_unknown_name_is_met_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="Did you mean: farneback"):
        get_method("farnebeck")


def test_no_threads_at_all_is_refused() -> None:
    with pytest.raises(UsageError, match="at least one thread"):
        get_method("opencv", threads=0)


def test_an_opencv_without_contrib_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(cv2, "optflow")
    with pytest.raises(BackendUnavailable, match="install opencv-contrib-python alone"):
        get_method("opencv")
    assert get_method("dis").name == "dis"


def test_a_package_adds_a_method(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "still_flow.py").write_text(
        "import numpy as np\n"
        "class Still:\n"
        "    name = 'still'\n"
        "    def __init__(self, threads): self.threads = threads\n"
        "    def __call__(self, a, b): return np.zeros((*a.shape, 2), np.float32)\n"
        "    def describe(self): return {'name': self.name}\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    point = EntryPoint("still", "still_flow:Still", "actionbench.flow")
    monkeypatch.setattr(registry, "added", lambda group: (point,) if group == point.group else ())
    assert get_method("still", threads=3).describe() == {"name": "still"}
    assert get_method("dis").name == "dis"


DEMO_BOUNDS = {"tvl1": 0.065, "tvl1-balanced": 0.14, "tvl1-fast": 0.22}
"""Mean endpoint error to OpenCV's flow on the drawn clips, pixels: twice what was measured."""


def test_the_drawn_clips_have_opencvs_flow() -> None:
    pairs = []
    for clip in load_clips("demo", vocabulary=()).clips[:3]:
        with read_frames(clip, Fraction(25)) as reader:
            frames = np.stack([resize(frame, 96, "opencv-bilinear") for frame in islice(reader, 6)])
        pairs.append(grey(frames)[-2:])
    reference = [get_method("opencv")(*pair) for pair in pairs]
    assert np.mean([np.abs(flow).mean() for flow in reference]) > 0.02
    for name, bound in DEMO_BOUNDS.items():
        method = get_method(name)
        errors = [
            endpoint_errors(method(*pair), flow).mean() for pair, flow in zip(pairs, reference, strict=True)
        ]
        assert np.mean(errors) < bound, name

"""From a clip to what a network takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from actionbench.datasets.clip import Clip
from actionbench.datasets.video.reader import read_frames
from actionbench.models.spec import Preprocessing, Views
from actionbench.preprocessing.pixels import normalise, resize_to
from actionbench.preprocessing.preparer import ONE_CROP, Preparer


def test_pixels_of_a_network_that_normalises_them_itself_are_only_cropped(
    coloured_videos: Callable[[list[int], int], Path], tiny_module: ModuleType
) -> None:
    (video,) = coloured_videos([9], 1).rglob("*.mp4")
    clip = Clip(id="clip", path=video, label=None)
    streams = {"rgb": tiny_module.PIXELS}
    expected = Preparer(streams, tiny_module.VIEWS)(clip).views
    pixels = Preparer(streams, tiny_module.VIEWS, uint8_streams=frozenset({"rgb"}))(clip).views
    assert len(pixels) == len(expected) == 2
    for found, right in zip(pixels, expected, strict=True):
        assert found["rgb"].dtype == np.uint8
        assert right["rgb"].dtype == np.float32
        np.testing.assert_array_equal(
            normalise(found["rgb"].astype(np.uint8), tiny_module.PIXELS.scale), right["rgb"]
        )


@pytest.fixture
def noise(tmp_path: Path) -> Clip:
    """20 frames of noise, 30×48."""
    frames = np.random.default_rng(0).integers(0, 256, (20, 30, 48, 3), np.uint8)
    np.savez(tmp_path / "noise.npz", frames=frames, fps=np.array(25.0))
    return Clip(id="noise", path=tmp_path / "noise.npz", label=None)


def frames_of(clip: Clip) -> np.ndarray:
    with read_frames(clip) as reader:
        return np.stack(list(reader))


HOW = Preprocessing(
    *("rgb", None, None, "torch-bilinear", "floor", 12, "half-even"),
    scale=1 / 255,
    mean=(0.4, 0.5, 0.6),
    std=(0.2, 0.3, 0.4),
    stretch=(14, 19),
    every=3,
    colour="bgr",
)
CLIPS = Views(4, None, "loop", "softmax", 1, clips=3, crops=3)


def test_the_description_alone_says_how_pixels_are_prepared(noise: Clip) -> None:
    """Against the steps, one by one: every third frame, stretched, cut, swapped and normalised."""
    prepared = Preparer({"rgb": HOW}, CLIPS)(noise)
    used = frames_of(noise)[::3]
    assert len(used) == 7
    small = np.stack([resize_to(frame, (19, 14), "torch-bilinear") for frame in used])
    assert len(prepared.views) == 9
    expected = [
        (small[start : start + 4, 1:13, left : left + 12] / 255 - HOW.mean) / HOW.std
        for start in (0, 1, 3)
        for left in (0, 4, 7)
    ]
    for view, right in zip(prepared.views, expected, strict=True):
        np.testing.assert_allclose(view["rgb"], right[..., ::-1], rtol=1e-5, atol=1e-6)
    assert prepared.frames == 7
    assert prepared.video_s == pytest.approx(20 / 25)


def test_swapped_pixels_of_a_network_that_normalises_them_itself(noise: Clip) -> None:
    plain = Preparer({"rgb": replace(HOW, colour="rgb")}, CLIPS, uint8_streams=frozenset({"rgb"}))
    swapped = replace(plain, streams={"rgb": HOW})
    for rgb, bgr in zip(plain(noise).views, swapped(noise).views, strict=True):
        assert bgr["rgb"].dtype == np.uint8
        assert bgr["rgb"].flags.c_contiguous
        np.testing.assert_array_equal(bgr["rgb"], rgb["rgb"][..., ::-1])


def test_flow_is_computed_once_for_all_crops(noise: Clip) -> None:
    calls = []

    class Counting:
        name = "counting"

        def __call__(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
            calls.append(1)
            moved = np.subtract(second, first, dtype=np.float32)
            return np.stack([moved, -moved], -1)

    flow = replace(HOW, modality="flow", flow_bound=20.0, mean=(0.0,) * 3, std=(1.0,) * 3, scale=1.0)
    prepared = Preparer({"flow": flow}, CLIPS, flow=Counting())(noise)  # type: ignore[arg-type]
    assert len(prepared.views) == 9
    assert len(calls) == 3 * 3
    first, middle, last = (view["flow"] for view in prepared.views[:3])
    assert first.shape == (3, 12, 12, 2)
    np.testing.assert_array_equal(first[:, :, 4:], middle[:, :, :8])
    np.testing.assert_array_equal(middle[:, :, 3:], last[:, :, :9])


def test_a_single_view_has_one_crop(noise: Clip) -> None:
    (view,) = Preparer({"rgb": HOW}, CLIPS, single=4)(noise).views
    assert view["rgb"].shape == (4, 12, 12, 3)


def test_prepared_input_has_one_crop_and_says_so(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", rgb=np.zeros((9, 12, 12, 3), np.float32))
    prepared = Preparer({"rgb": HOW}, CLIPS)(Clip(id="x", path=tmp_path / "x.npz", label=None))
    assert len(prepared.views) == 3
    assert prepared.notes == (ONE_CROP,)
    assert prepared.video_s == pytest.approx(9 * 3 / 25)


def test_seconds_that_no_clip_shows_are_not_counted(noise: Clip) -> None:
    """Neither those beside a single window nor those between clips, which cost no more in a longer video."""
    few = replace(CLIPS, window=2, clips=2, crops=1)
    prepared = Preparer({"rgb": HOW}, few)(noise)
    assert (len(prepared.views), prepared.frames) == (2, 4)
    assert prepared.video_s == pytest.approx(20 / 25 * 4 / 7)
    assert prepared.source_frames == pytest.approx(20 * 4 / 7)
    one = Preparer({"rgb": HOW}, replace(few, clips=1))(noise)
    single = Preparer({"rgb": HOW}, few, single=2)(noise)
    assert (len(single.views), single.frames) == (len(one.views), one.frames) == (1, 2)
    assert single.video_s == one.video_s == pytest.approx(20 / 25 * 2 / 7)


def test_windows_one_after_the_other_answer_the_whole_video(noise: Clip) -> None:
    gaps = Preparer({"rgb": HOW}, replace(CLIPS, window=2, stride=3, clips=None, crops=1))(noise)
    assert gaps.frames == 5
    assert gaps.video_s == pytest.approx(20 / 25)
    assert gaps.source_frames == 20


def test_a_video_that_is_sampled_in_time_has_no_frames_of_its_own_to_count(noise: Clip) -> None:
    prepared = Preparer({"rgb": replace(HOW, rate=Fraction(5), every=1)}, CLIPS)(noise)
    assert prepared.source_frames is None
    assert prepared.video_s == pytest.approx(20 / 25)

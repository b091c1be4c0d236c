"""Resized, cropped and normalised pixels, against independent computations."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from actionbench.datasets.clip import Clip
from actionbench.datasets.video.reader import read_frames
from actionbench.errors import ClipError, UsageError
from actionbench.models.spec import Rounding
from actionbench.preprocessing.pixels import (
    centre_crop,
    normalise,
    resize,
    resize_to,
    resized_size,
    torch_bilinear,
    uniform_crops,
)

sides = st.integers(1, 3000)


@given(width=sides, height=sides, short=st.integers(1, 600))
def test_sizes_keep_the_aspect(width: int, height: int, short: int) -> None:
    ways: dict[Rounding, float] = {"round": 0.5, "floor": 1.0}
    for long_side, error in ways.items():
        w, h = resized_size(width, height, short, long_side)
        assert min(w, h) == short
        assert (w <= h) == (width <= height) or w == h
        assert abs(max(w, h) - short * max(width, height) / min(width, height)) <= error
        assert resized_size(height, width, short, long_side) in ((h, w), (w, h))
    assert resized_size(width, height, min(width, height)) == (width, height)


@pytest.mark.parametrize(
    ("size", "short", "rounded", "floored"),
    [
        ((320, 240), 112, 149, 149),
        ((340, 256), 112, 149, 148),
        ((426, 240), 256, 454, 454),
        ((640, 360), 256, 455, 455),
    ],
)
def test_sizes_as_the_authors_compute_them(
    size: tuple[int, int], short: int, rounded: int, floored: int
) -> None:
    """Hara: `int(112 * long / short)` (spatial_transforms.py, Scale)."""
    width, height = size
    assert resized_size(width, height, short, "round") == (rounded, short)
    assert resized_size(width, height, short, "floor") == (floored, short)
    assert resized_size(height, width, short, "floor") == (short, int(short * width / height))


def triangle_weights(source: int, target: int, antialias: bool) -> np.ndarray:
    """(target, source) weights of linear interpolation, pixel centres at half integers."""
    scale = source / target
    support = max(scale, 1.0) if antialias else 1.0
    centres = (np.arange(target) + 0.5) * scale - 0.5
    if not antialias:
        centres = centres.clip(0, source - 1)
    weights = np.maximum(0, 1 - np.abs(np.arange(source) - centres[:, None]) / support)
    normed: np.ndarray = weights / weights.sum(axis=1, keepdims=True)
    return normed


@settings(max_examples=40)
@given(
    frame=hnp.arrays(np.uint8, st.tuples(st.integers(2, 60), st.integers(2, 60), st.just(3))),
    short=st.integers(1, 70),
    antialias=st.booleans(),
)
def test_both_filters_are_what_they_are_called(frame: np.ndarray, short: int, antialias: bool) -> None:
    """Against linear interpolation in float64, written as two matrix products; within one grey level."""
    height, width = frame.shape[:2]
    w, h = resized_size(width, height, short, "floor")
    found = resize(frame, short, "pillow-bilinear" if antialias else "opencv-bilinear", "floor")
    rows, columns = triangle_weights(height, h, antialias), triangle_weights(width, w, antialias)
    expected = np.einsum("yi,xj,ijc->yxc", rows, columns, frame.astype(float))
    assert found.shape == (h, w, 3)
    assert found.dtype == np.uint8
    assert np.abs(found - expected).max() <= 1.001


def test_filters_are_the_libraries_own() -> None:
    import cv2

    frame = np.random.default_rng(0).integers(0, 256, (240, 321, 3), np.uint8)
    np.testing.assert_array_equal(resize(frame, 256, "opencv-bilinear"), cv2.resize(frame, (342, 256)))
    pillow = Image.fromarray(frame).resize((149, 112), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(resize(frame, 112, "pillow-bilinear", "floor"), np.asarray(pillow))
    cubic = Image.fromarray(frame).resize((149, 112), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(resize(frame, 112, "pillow-bicubic", "floor"), np.asarray(cubic))


@pytest.mark.parametrize("name", ["opencv-bilinear", "pillow-bilinear"])
def test_resizing_grey_pictures_and_those_that_fit(name: Any) -> None:
    grey = np.arange(40 * 30, dtype=np.uint8).reshape(40, 30)
    assert resize(grey, 15, name).shape == (20, 15)
    assert resize(grey, 30, name) is grey
    flat = np.full((50, 70, 3), 77, np.uint8)
    assert (resize(flat, 112, name) == 77).all()


@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    size=st.integers(1, 40),
    offset=st.sampled_from(["floor", "half-even"]),
)
def test_crops_are_central(height: int, width: int, size: int, offset: Any) -> None:
    picture = np.arange(height * width * 2).reshape(1, height, width, 2)
    if size > min(height, width):
        with pytest.raises(ClipError, match=f"at least {size}x{size}"):
            centre_crop(picture, size, offset)
        return
    crop = centre_crop(picture, size, offset)
    assert crop.shape == (1, size, size, 2)
    assert np.shares_memory(crop, picture)
    top, left = divmod(int(crop[0, 0, 0, 0]) // 2, width)
    for before, surplus in ((top, height - size), (left, width - size)):
        if offset == "floor":
            assert before == surplus // 2
        else:
            assert before == int(round(surplus / 2.0))  # noqa: RUF046 - as Hara writes it
        assert abs(before - (surplus - before)) <= 1


def test_normalise_as_the_authors_do() -> None:
    values = np.arange(256, dtype=np.uint8).repeat(3).reshape(256, 3)
    i3d = normalise(values, 1 / 127.5, (1.0, 1.0, 1.0))
    assert i3d.dtype == np.float32
    np.testing.assert_allclose(i3d, values.astype(float) / 127.5 - 1, atol=2e-7)
    assert (i3d[0], i3d[255]) == (pytest.approx([-1] * 3), pytest.approx([1] * 3))
    mean, std = (114.7748, 107.7354, 99.475), (38.75, 37.875, 40.0)
    hara = normalise(values, 1.0, mean)
    np.testing.assert_allclose(hara, values - np.array(mean), rtol=1e-6, atol=1e-5)
    np.testing.assert_allclose(normalise(values, 1.0, mean, std), (values - np.array(mean)) / std, atol=1e-6)
    assert values.dtype == np.uint8
    assert values[255, 0] == 255


def test_pictures_without_a_size_are_refused() -> None:
    with pytest.raises(UsageError, match="positive"):
        resized_size(0, 10, 5)


def require_as_torch_resizes(frame: np.ndarray, size: tuple[int, int]) -> None:
    import torch

    width, height = size
    batch = torch.from_numpy(frame.astype(np.float32)).reshape(1, *frame.shape[:2], -1).permute(0, 3, 1, 2)
    exact = torch.nn.functional.interpolate(batch, (height, width), mode="bilinear", align_corners=False)
    torchs = exact[0].permute(1, 2, 0).reshape(height, width, *frame.shape[2:])
    np.testing.assert_allclose(torch_bilinear(frame, size), torchs.numpy(), rtol=0, atol=1e-3)
    found = resize_to(frame, size, "torch-bilinear")
    assert found.dtype == np.uint8
    differ = found != torchs.round().numpy()
    from_half = np.abs(torchs.numpy() % 1 - 0.5)
    assert (from_half[differ] < 1e-3).all()


@settings(deadline=None, max_examples=40)
@given(
    before=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    after=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    channels=st.sampled_from([(), (1,), (3,)]),
    seed=st.integers(0, 99),
)
def test_torchs_filter_of_any_sizes(
    before: tuple[int, int], after: tuple[int, int], channels: tuple[int, ...], seed: int
) -> None:
    frame = np.random.default_rng(seed).integers(0, 256, (*before, *channels), np.uint8)
    require_as_torch_resizes(frame, after)


@pytest.mark.parametrize(
    ("before", "after"),
    [((240, 320), (171, 128)), ((720, 1280), (398, 224)), ((1080, 1920), (455, 256)), ((113, 87), (77, 301))],
)
def test_torchs_filter_of_noise_in_the_sizes_of_videos(
    before: tuple[int, int], after: tuple[int, int]
) -> None:
    frame = np.random.default_rng(1).integers(0, 256, (*before, 3), np.uint8)
    require_as_torch_resizes(frame, after)


def test_torchs_filter_of_real_frames(shared_data: Path) -> None:
    for video in sorted((shared_data / "videos" / "kinetics_like").rglob("*.mp4"))[:4]:
        with read_frames(Clip(id="clip", path=video, label=None)) as reader:
            frame = next(reader)
        for size in ((171, 128), (341, 256), (997, 801)):
            require_as_torch_resizes(frame, size)


def test_stretching_does_not_keep_the_aspect() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (30, 50, 3), np.uint8)
    for name in ("opencv-bilinear", "pillow-bilinear", "torch-bilinear"):
        assert resize_to(frame, (17, 19), name).shape == (19, 17, 3)
        assert resize_to(frame, (50, 30), name) is frame
        assert resize(frame, 15, name).shape == (15, 25, 3)


@given(height=st.integers(1, 60), width=st.integers(1, 60), data=st.data())
def test_three_crops_lie_along_the_longer_side(height: int, width: int, data: st.DataObject) -> None:
    size = data.draw(st.integers(1, min(height, width)))
    places = np.moveaxis(np.indices((height, width)), 0, -1)
    crops = uniform_crops(places, size)
    assert [crop.shape for crop in crops] == [(size, size, 2)] * 3
    for number, crop in enumerate(crops):
        # `uniform_crop` of SlowFast with `spatial_idx` 0, 1 and 2.
        top, left = math.ceil((height - size) / 2), math.ceil((width - size) / 2)
        if height > width:
            top = {0: 0, 2: height - size}.get(number, top)
        else:
            left = {0: 0, 2: width - size}.get(number, left)
        np.testing.assert_array_equal(crop, places[top : top + size, left : left + size])
    along = 0 if height > width else 1
    assert crops[0][..., along].min() == 0
    assert crops[2][..., along].max() == max(height, width) - 1


def test_three_crops_do_not_fit_into_smaller_pictures() -> None:
    with pytest.raises(ClipError, match="smaller than the crop"):
        uniform_crops(np.zeros((2, 9, 30, 3)), 10)

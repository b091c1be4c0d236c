"""Each filter against an independent computation, and what all of them keep."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from scipy import ndimage

from actionbench.errors import BackendUnavailable
from actionbench.training.augmentation import filters

CHANGES = np.random.default_rng(0)
FRAMES = CHANGES.integers(0, 256, (3, 31, 45, 3), dtype=np.uint8)
SMOOTH = ndimage.gaussian_filter(FRAMES.astype(float), (0, 2, 2, 0)).astype(np.uint8)


def tensor(frames: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(frames.copy())


@pytest.mark.parametrize("value", [-60, -1, 0, 17, 255])
def test_add_is_a_sum_that_is_clipped(value: int) -> None:
    expected = np.clip(FRAMES.astype(int) + value, 0, 255)
    assert FRAMES.mean() / 2 > 60
    np.testing.assert_array_equal(filters.add(tensor(FRAMES), value), expected)


def test_add_leaves_dark_clips_half_of_their_mean() -> None:
    dark = np.full((2, 4, 4, 3), 20, np.uint8)
    assert np.unique(filters.add(tensor(dark), -40)).tolist() == [10]
    assert np.unique(filters.add(tensor(dark), -4)).tolist() == [16]
    assert np.unique(filters.add(tensor(0 * dark), -40)).tolist() == [0]
    # One value for the whole clip: the dark frame of a bright clip is darkened by as much as the others.
    mixed = np.concatenate([dark, np.full_like(dark, 180)])
    assert np.unique(filters.add(tensor(mixed), -15)).tolist() == [5, 165]


@pytest.mark.parametrize("factor", [0.0, 0.37, 1.0, 1.5])
def test_multiply_is_a_product_that_is_rounded_and_clipped(factor: float) -> None:
    expected = np.clip(np.rint(FRAMES * np.float32(factor)), 0, 255)
    np.testing.assert_array_equal(filters.multiply(tensor(FRAMES), factor), expected)


@pytest.mark.parametrize("value", [0, 255])
@pytest.mark.parametrize("layers", [1, 3])
def test_cover_sets_all_channels_of_the_masked_pixels(value: int, layers: int) -> None:
    mask = CHANGES.random((layers, 31, 45)) < 0.2
    expected = FRAMES.copy()
    expected[np.broadcast_to(mask, (3, 31, 45))] = value
    np.testing.assert_array_equal(filters.cover(tensor(FRAMES), torch.from_numpy(mask), value), expected)


@pytest.mark.parametrize("sigma", [0.4, 1.0, 2.7])
def test_blur_is_scipys(sigma: float) -> None:
    expected = ndimage.gaussian_filter(
        FRAMES.astype(float), (0, sigma, sigma, 0), mode="nearest", truncate=filters.REACH
    )
    found = filters.blur(tensor(FRAMES), sigma).numpy().astype(float)
    # OpenCV computes with weights of 8 bits.
    assert np.abs(found - expected).max() <= 1.5
    assert np.abs(found - expected).mean() < 0.4


def test_a_blur_that_reaches_no_neighbour_changes_nothing() -> None:
    np.testing.assert_array_equal(filters.blur(tensor(FRAMES), 0.0), FRAMES)
    np.testing.assert_array_equal(filters.blur(tensor(FRAMES), filters.LEAST_SIGMA), FRAMES)


@pytest.mark.parametrize(("alpha", "sigma"), [(40.0, 3.0), (200.0, 6.0)])
def test_elastic_is_scipys(alpha: float, sigma: float) -> None:
    noise = CHANGES.uniform(-1, 1, (2, 31, 45)).astype(np.float32)
    dx, dy = (
        alpha * ndimage.gaussian_filter(each, sigma, mode="constant", truncate=filters.REACH)
        for each in noise
    )
    assert max(np.abs(dx).max(), np.abs(dy).max()) > 1
    y, x = np.mgrid[:31, :45]
    expected = [
        [ndimage.map_coordinates(plane, [y + dy, x + dx], order=1, mode="reflect") for plane in frame]
        for frame in SMOOTH.transpose(0, 3, 1, 2).astype(float)
    ]
    found = filters.elastic(tensor(SMOOTH), torch.from_numpy(noise), alpha, sigma)
    difference = np.abs(found.numpy() - np.transpose(expected, (0, 2, 3, 1)))
    assert difference.max() < 0.51  # rounding


def test_elastic_without_noise_changes_nothing() -> None:
    still = filters.elastic(tensor(FRAMES), torch.zeros(2, 31, 45), 500.0, 4.0)
    np.testing.assert_array_equal(still, FRAMES)


def test_without_kornia_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kornia.geometry.transform", None)
    with pytest.raises(
        BackendUnavailable, match=r"filter elastic: Kornia is not installed.*actionbench\[training\]"
    ):
        filters.elastic(tensor(FRAMES), torch.zeros(2, 31, 45), 500.0, 4.0)


def test_flip_exchanges_left_and_right() -> None:
    np.testing.assert_array_equal(filters.flip(tensor(FRAMES)), FRAMES[:, :, ::-1])

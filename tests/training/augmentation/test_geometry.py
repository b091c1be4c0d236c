"""The authors' crop, computed here with Pillow as they compute it; the start of a window."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy import stats

from actionbench.errors import ClipError
from actionbench.training.augmentation.geometry import (
    POSITIONS,
    SCALES,
    corner_crop,
    crop_box,
    jittered_start,
)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pillow_crop(frame: np.ndarray, size: int, scale: float, position: str) -> np.ndarray:
    """One frame as the authors' code crops and resizes it."""
    picture = Image.fromarray(frame)
    width, height = picture.size
    side = int(min(width, height) * scale)
    half = side // 2
    boxes = {
        "centre": (width // 2 - half, height // 2 - half, width // 2 + half, height // 2 + half),
        "top left": (0, 0, side, side),
        "top right": (width - side, 0, width, side),
        "bottom left": (0, height - side, side, height),
        "bottom right": (width - side, height - side, width, height),
    }
    return np.asarray(picture.crop(boxes[position]).resize((size, size), Image.Resampling.BILINEAR))


def test_scales_are_the_authors() -> None:
    assert pytest.approx((1, 0.84089642, 0.70710678, 0.59460356, 0.5)) == SCALES


@pytest.mark.parametrize(("height", "width"), [(40, 57), (57, 40), (31, 31)])
def test_the_crop_is_the_authors_to_the_pixel_and_each_is_drawn_equally_often(
    height: int, width: int
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, height, width, 3), dtype=np.uint8)
    # At scale 1 a crop reaches from edge to edge, so that two corners, or all, are one crop.
    ways = Counter(
        np.stack([pillow_crop(frame, 16, scale, position) for frame in pixels]).tobytes()
        for scale in SCALES
        for position in POSITIONS
    )
    generator, counts = seeded(), Counter[bytes]()
    for _ in range(1000):
        found = corner_crop(torch.from_numpy(pixels), 16, generator)
        assert (found.shape, found.dtype) == ((2, 16, 16, 3), torch.uint8)
        counts[found.numpy().tobytes()] += 1
    assert counts.keys() == ways.keys()
    expected = [1000 * number / 25 for number in ways.values()]
    assert stats.chisquare([counts[each] for each in ways], expected).pvalue > 1e-3


@given(st.integers(4, 500), st.integers(4, 500), st.sampled_from(SCALES), st.sampled_from(POSITIONS))
def test_a_crop_lies_within_the_picture(height: int, width: int, scale: float, position: str) -> None:
    top, left, side = crop_box(height, width, scale, position)
    assert side >= 2
    assert 0 <= top <= top + side <= height
    assert 0 <= left <= left + side <= width


def test_a_crop_at_scale_one_of_a_square_of_the_size_changes_nothing() -> None:
    frames = torch.randint(0, 256, (3, 24, 24, 3), dtype=torch.uint8, generator=seeded())
    assert torch.equal(corner_crop(frames, 24, seeded(), scales=(1.0,)), frames)


def test_a_picture_without_a_crop_is_refused() -> None:
    with pytest.raises(ClipError, match="too small"):
        corner_crop(torch.zeros((1, 3, 3, 3), dtype=torch.uint8), 8, seeded(), scales=(0.5,))


def test_every_start_is_drawn_equally_often() -> None:
    generator = seeded()
    counts = Counter(jittered_start(20, 16, generator) for _ in range(1000))
    assert sorted(counts) == [0, 1, 2, 3, 4]
    assert stats.chisquare(list(counts.values())).pvalue > 1e-3


@pytest.mark.parametrize("frames", [1, 15, 16])
def test_a_short_clip_starts_at_its_beginning(frames: int) -> None:
    assert {jittered_start(frames, 16, seeded(seed)) for seed in range(10)} == {0}

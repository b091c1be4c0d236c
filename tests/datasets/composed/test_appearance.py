"""Length and brightness as they were drawn; the same clip found again in another encoding."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from actionbench.datasets.clip import Clip
from actionbench.datasets.composed.appearance import Appearance, look_at, look_at_all
from actionbench.datasets.composed.duplicates import same_bytes, same_pictures
from actionbench.datasets.composed.example import ComposedSet
from actionbench.errors import ClipError

MakeVideo = Callable[..., Path]
MakeSet = Callable[..., ComposedSet]


def moving(seed: int, frames: int = 40, size: tuple[int, int] = (192, 256)) -> list[np.ndarray]:
    """A bright square that wanders over a texture of its own, (H, W, 3) uint8 each."""
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 160, (6, 8, 3), dtype=np.uint8)
    ground = coarse.repeat(size[0] // 6, axis=0).repeat(size[1] // 8, axis=1)
    made = []
    for k in range(frames):
        frame = ground.copy()
        left = (seed * 28 + 4 * k) % (size[1] - 48)
        frame[80:128, left : left + 48] = 255
        made.append(frame)
    return made


def test_length_and_brightness(tmp_path: Path, make_video: MakeVideo) -> None:
    path = make_video(tmp_path / "grey.mov", [np.full((24, 32, 3), 10 * k, np.uint8) for k in range(20)], 10)
    whole = look_at(Clip("a", path))
    assert whole.seconds == pytest.approx(2.0)
    # Two frames a second, each the last that appeared before the middle of its interval: 2, 7, 12, 17.
    assert whole.pictures.shape == (4, 16, 16)
    shown = [int(picture[0, 0]) // 10 for picture in whole.pictures]
    assert shown[1:] == [shown[0] + 5, shown[0] + 10, shown[0] + 15]
    assert whole.brightness == pytest.approx(np.mean([10 * k for k in shown]))
    part = look_at(Clip("a", path, None, 1.0, 1.5))
    assert part.seconds == pytest.approx(0.5)
    assert 100 <= part.brightness <= 150


def test_long_clips_keep_few_pictures(tmp_path: Path, make_video: MakeVideo) -> None:
    path = make_video(tmp_path / "long.mov", 80, Fraction(10))
    found = look_at(Clip("a", path))
    assert found.pictures.shape == (8, 16, 16)
    assert found.brightness == pytest.approx(3 * 40, abs=12)  # of the whole, not of the first eight


def test_what_does_not_decode_costs_one_clip(tmp_path: Path, make_video: MakeVideo) -> None:
    good = make_video(tmp_path / "good.mov", 10)
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    found = list(look_at_all([Clip("a", good), Clip("b", tmp_path / "bad.mp4"), Clip("c", good)], workers=2))
    assert [isinstance(each, ClipError) for each in found] == [False, True, False]
    first, here = found[0], look_at(Clip("a", good))
    assert isinstance(first, Appearance)
    assert (first.seconds, first.brightness) == (here.seconds, here.brightness)
    np.testing.assert_array_equal(first.pictures, here.pictures)


@pytest.mark.usefixtures("bad_decoder")
def test_a_decoder_that_crashes_costs_one_clip(tmp_path: Path, make_video: MakeVideo) -> None:
    good = make_video(tmp_path / "good.mov", 10)
    clips = [Clip(name, good) for name in ("a", "crashes", "b")]
    a, crashed, b = look_at_all(clips)
    assert all(isinstance(each, Appearance) for each in (a, b))
    assert str(crashed) == f"{good}: decoding failed: crashed (SIGSEGV)"


def test_the_same_pictures_in_another_encoding(tmp_path: Path, make_video: MakeVideo) -> None:
    h264 = {"codec": "libx264", "pix_fmt": "yuv420p", "options": {"crf": "23"}}
    paths = [make_video(tmp_path / f"{seed}.mov", moving(seed), 20) for seed in range(6)]
    again = make_video(tmp_path / "again.mp4", moving(3), 20, **h264)
    half = [cv2.resize(frame, (128, 96), interpolation=cv2.INTER_AREA) for frame in moving(4)]
    smaller = make_video(tmp_path / "smaller.mp4", half, 20, **h264)
    longer = make_video(tmp_path / "longer.mov", moving(0, 80), 20)
    appearances = [look_at(Clip(path.name, path)) for path in (*paths, again, smaller, longer)]
    assert sorted(same_pictures(appearances)) == [(3, 6), (4, 7)]


def test_a_person_who_stands_elsewhere_is_another_clip(tmp_path: Path, make_video: MakeVideo) -> None:
    """Rooms with a fixed camera differ by little else."""
    frames = [moving(1), moving(1)[5:] + moving(1)[:5]]
    appearances = [
        look_at(Clip("x", make_video(tmp_path / f"{n}.mov", each, 20))) for n, each in enumerate(frames)
    ]
    assert list(same_pictures(appearances)) == []


def test_the_same_bytes(make_set: MakeSet) -> None:
    from dataclasses import replace

    examples = make_set([("running", f"s/{n}", None) for n in range(5)]).examples
    digests = ["a", "b", "a", "a", "b"]
    starts = [None, None, None, 1.0, None]
    made = [
        replace(e, clip=replace(e.clip, sha256=digest, start_s=start))
        for e, digest, start in zip(examples, digests, starts, strict=True)
    ]
    assert list(same_bytes(made)) == [(0, 2), (1, 4)]

"""Windows: looped, even, drawn the same for the same seed, prepared as a run prepares them."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from actionbench.datasets.clip import Clip
from actionbench.errors import ClipError
from actionbench.models.spec import Preprocessing, Views
from actionbench.preprocessing.preparer import Preparer
from actionbench.training.augmentation.augmentation import Augmentation
from actionbench.training.config import FinetuneConfig
from actionbench.training.inputs.frames import ResizedFrames
from actionbench.training.inputs.memory import HeldArrays
from actionbench.training.inputs.windows import Drawing, Windows, even_starts, looped, seed_of, window_length

HOW = Preprocessing(
    modality="rgb",
    rate=Fraction(25),
    short_side=20,
    resize="opencv-bilinear",
    long_side="round",
    crop=16,
    crop_offset="floor",
    scale=1 / 127.5,
    mean=(1.0, 1.0, 1.0),
)
PLAIN = Drawing(corner=False, jitter=False, mirror=False, augmentation=Augmentation())
DRAWN = Drawing(corner=True, jitter=True, mirror=True, augmentation=Augmentation(mode="some"))


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    frames = np.random.default_rng(0).integers(0, 256, (11, 24, 30, 3), np.uint8)
    np.save(tmp_path / "clip.npy", frames)
    return Clip("clip", tmp_path / "clip.npy")


STRETCHED = replace(
    HOW,
    short_side=None,
    stretch=(18, 21),
    resize="torch-bilinear",
    every=2,
    colour="bgr",
    mean=(0.9, 1.0, 1.1),
    std=(1.0, 2.0, 3.0),
)


@pytest.mark.parametrize("how", [HOW, STRETCHED])
@pytest.mark.parametrize("length", [4, 11, 16])
def test_the_middle_window_is_what_a_run_gives_its_network(
    clip: Clip, length: int, how: Preprocessing
) -> None:
    views = Views(length, length, "loop", "softmax", 1)
    (expected,) = Preparer({"rgb": how}, views, single=length)(clip).views
    found = Windows(ResizedFrames(how, HeldArrays(0)), how, length).even(clip, 1)
    assert found.shape == (1, 3, length, 16, 16)
    np.testing.assert_array_equal(found[0].permute(1, 2, 3, 0).numpy(), expected["rgb"])


def test_a_drawn_window_depends_on_its_seed_alone(clip: Clip) -> None:
    windows = Windows(ResizedFrames(HOW, HeldArrays(1e9)), HOW, 4)
    first = windows.drawn(clip, DRAWN, 1)
    assert first.shape == (3, 4, 16, 16)
    assert first.dtype == torch.float32
    torch.rand(5)
    assert torch.equal(Windows(ResizedFrames(HOW, HeldArrays(0)), HOW, 4).drawn(clip, DRAWN, 1), first)
    assert len({windows.drawn(clip, DRAWN, seed).sum().item() for seed in range(8)}) == 8


def test_each_thing_that_is_drawn_differs_from_the_middle_window(clip: Clip) -> None:
    windows = Windows(ResizedFrames(HOW, HeldArrays(1e9)), HOW, 4)
    middle = windows.even(clip, 1)[0]
    assert torch.equal(windows.drawn(clip, PLAIN, 3), middle)
    choices: list[dict[str, Any]] = [
        {"corner": True},
        {"jitter": True},
        {"mirror": True},
        {"augmentation": Augmentation(mode="one", filters=("add",))},
    ]
    for choice in choices:
        drawing = replace(PLAIN, **choice)
        found = [windows.drawn(clip, drawing, seed) for seed in range(8)]
        assert any(not torch.equal(each, middle) for each in found), choice
        assert not drawing.fixed
    mirrored = [windows.drawn(clip, replace(PLAIN, mirror=True), seed) for seed in range(8)]
    assert {torch.equal(each, middle) or torch.equal(each.flip(3), middle) for each in mirrored} == {True}


def test_what_has_no_effect_is_no_part_of_a_drawings_description() -> None:
    stronger = replace(PLAIN, augmentation=Augmentation(blur=9.0))
    assert stronger.describe() == PLAIN.describe()
    one = replace(PLAIN, augmentation=Augmentation(mode="one"))
    assert one.describe() != replace(PLAIN, augmentation=Augmentation(mode="one", blur=9.0)).describe()


def test_a_short_clip_is_looped() -> None:
    assert looped(3, 0, 7).tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert looped(9, 2, 4).tolist() == [2, 3, 4, 5]


@pytest.mark.parametrize(
    ("frames", "views", "starts"),
    [(20, 1, [8]), (20, 3, [0, 8, 16]), (3, 1, [0]), (3, 2, [0, 0]), (4, 1, [0])],
)
def test_even_windows_cover_the_clip(frames: int, views: int, starts: list[int]) -> None:
    assert even_starts(frames, 4, views) == starts


def test_a_windows_length_is_one_for_the_set() -> None:
    config, own_rate = FinetuneConfig(data="x"), replace(HOW, rate=None)
    assert window_length(config, 16, own_rate, 30.0) == 16
    assert window_length(config, 16, own_rate, 60.0) == 32
    assert window_length(config, 64, HOW, 60.0) == 64  # resampled: a second is as many frames in every clip
    assert window_length(replace(config, window=32), 16, own_rate, 60.0) == 32


def test_frames_are_kept_within_the_bound(clip: Clip) -> None:
    frames = ResizedFrames(HOW, HeldArrays(1e6))
    assert frames(clip) is frames(clip)
    assert frames.memory.bytes == frames(clip).nbytes
    none = ResizedFrames(HOW, HeldArrays(10))
    assert none(clip) is not none(clip)
    assert none.memory.bytes == 0


def test_a_file_that_is_not_the_sets_is_refused(clip: Clip) -> None:
    with pytest.raises(ClipError, match="the file is not the one in the manifest"):
        ResizedFrames(HOW, HeldArrays(0))(replace(clip, sha256="0" * 64))


def test_seeds_are_their_own() -> None:
    seeds = [seed_of("a", 1), seed_of("a", 2), seed_of("a1"), seed_of("a", "1", "")]
    assert len(set(seeds)) == 4
    assert all(0 <= seed < 2**63 for seed in seeds)

"""Features on disk: found again by what they depend on, and by nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from actionbench.array_cache import ArrayCache
from actionbench.datasets.composed.manifest import read_composed
from actionbench.models.finetuning.trainable import for_inference, trainable_network
from actionbench.models.registry import find_model
from actionbench.training.augmentation.augmentation import Augmentation
from actionbench.training.inputs.features import Features, Wanted
from actionbench.training.inputs.frames import ResizedFrames
from actionbench.training.inputs.memory import HeldArrays
from actionbench.training.inputs.windows import Drawing, Windows

DRAWING = Drawing(corner=True, jitter=True, mirror=True, augmentation=Augmentation())


class Counting(torch.nn.Module):
    """Features are the mean colour; counts how often they are computed, and fails when it is told to."""

    def __init__(self, left: int = 1000) -> None:
        super().__init__()
        self.left = left
        self.computed = 0

    def features(self, x: torch.Tensor) -> torch.Tensor:
        if self.computed == self.left:
            raise KeyboardInterrupt
        self.computed += 1
        return x.mean((2, 3, 4))


@pytest.fixture
def made(learner: str, tmp_path: Path) -> Callable[..., Features]:
    how = find_model(learner).model.streams["rgb"].preprocessing

    def make(net: Any, max_bytes: float = 1e6, **changes: Any) -> Features:
        values: dict[str, Any] = {
            "cache": ArrayCache(tmp_path / "features", 10**7),
            "network": net,
            "trained": 0,
            "identity": {"network": "x", "weights": "a"},
            "windows": Windows(ResizedFrames(how, HeldArrays(max_bytes)), how, 4),
            "drawing": DRAWING,
            "views": 1,
            "device": torch.device("cpu"),
        }
        return Features(**values | changes)

    return make


@pytest.fixture
def wanted(squares: Path) -> list[Wanted]:
    clips = [example.clip for example in read_composed(squares).examples]
    return [
        *(Wanted(clip, draw) for clip in clips for draw in range(2)),
        *(Wanted(clip, None) for clip in clips),
    ]


def test_a_killed_extraction_goes_on(made: Any, wanted: list[Wanted], quiet: Any) -> None:
    with pytest.raises(KeyboardInterrupt):
        made(Counting(left=7)).prepare(wanted, quiet())
    reporter = quiet()
    again = made(Counting())
    again.prepare(wanted, reporter)
    assert len(reporter.done) == len(wanted) - 7
    whole, idle = made(Counting(left=0)), quiet()
    whole.prepare(wanted, idle)
    assert not idle.done
    for each in wanted:
        one, other = (
            features.even(each.clip) if each.draw is None else features.drawn(each.clip, each.draw)
            for features in (again, whole)
        )
        assert torch.equal(one, other)
        assert one.shape == ((1, 3) if each.draw is None else (3,))


def test_every_thing_that_a_feature_depends_on_is_in_its_key(made: Any, wanted: list[Wanted]) -> None:
    base = made(None)
    drawn, even = wanted[0], wanted[-1]
    assert made(None).key(drawn) == base.key(drawn)
    moved = replace(drawn, clip=replace(drawn.clip, path=Path("/elsewhere"), id="y", label="z"))
    assert base.key(moved) == base.key(drawn), "not where it lies, nor what it is called"
    stronger = replace(DRAWING, augmentation=Augmentation(mode="all"))
    keys = [
        base.key(drawn),
        base.key(even),
        base.key(Wanted(drawn.clip, 1)),
        base.key(replace(drawn, clip=replace(drawn.clip, sha256="0" * 64))),
        base.key(replace(drawn, clip=replace(drawn.clip, start_s=0.5))),
        base.key(replace(drawn, clip=replace(drawn.clip, end_s=0.5))),
        made(None, identity={"network": "x", "weights": "b"}).key(drawn),
        made(None, identity={"network": "y", "weights": "a"}).key(drawn),
        made(None, drawing=replace(DRAWING, jitter=False)).key(drawn),
        made(None, drawing=stronger).key(drawn),
        made(None, windows=replace(base.windows, length=8)).key(drawn),
        made(None, windows=replace(base.windows, how=replace(base.windows.how, crop=20))).key(drawn),
        made(None, views=3).key(even),
        made(None, trained=1).key(even),
    ]
    assert len(set(keys)) == len(keys)
    assert made(None, views=3).key(drawn) == base.key(drawn)
    assert made(None, drawing=stronger).key(even) == base.key(even)


def test_where_nothing_is_drawn_training_and_evaluation_share_the_middle_window(
    made: Any, wanted: list[Wanted], quiet: Any
) -> None:
    fixed = Drawing(corner=False, jitter=False, mirror=False, augmentation=Augmentation())
    features, reporter = made(Counting(), drawing=fixed), quiet()
    features.prepare([wanted[0], Wanted(wanted[0].clip, None)], reporter)
    assert len(reporter.done) == 1
    assert torch.equal(features.drawn(wanted[0].clip, 0), features.even(wanted[0].clip)[0])


def test_what_was_removed_meanwhile_is_computed_again(made: Any, wanted: list[Wanted], quiet: Any) -> None:
    features = made(Counting(), max_bytes=0)
    features.prepare(wanted[:2], quiet())
    before = features.drawn(wanted[0].clip, 0)
    for file in features.cache.folder.iterdir():
        file.write_bytes(b"torn")
    assert torch.equal(features.drawn(wanted[0].clip, 0), before)


def test_frames_make_room_for_the_features_that_are_made_of_them(
    made: Any, wanted: list[Wanted], quiet: Any
) -> None:
    features = made(Counting())
    memory = features.windows.frames.memory
    features.prepare(wanted, quiet())
    assert memory.bytes == 0
    once = features.drawn(wanted[0].clip, 0).nbytes
    features.drawn(wanted[0].clip, 0)
    features.even(wanted[0].clip)
    assert memory.bytes == 2 * once, "one bound for frames and features, each counted once"


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("i3d-rgb", (1, 3, 9, 193, 197)),
        ("resnext", (1, 3, 5, 61, 64)),
    ],
)
@pytest.mark.slow
def test_the_fast_module_gives_the_same_features(name: str, shape: tuple[int, ...]) -> None:
    net = trainable_network(find_model(name).model, None, ("a", "b"), seed=3)
    x = torch.from_numpy(np.random.default_rng(0).normal(size=shape).astype(np.float32))
    with torch.inference_mode():
        expected: Any = net.features(x)  # type: ignore[operator]
        fast: Any = for_inference(net)
        pairs = [(fast.features(x), expected)]
        pairs += [(fast.front(x, trained), net.front(x, trained)) for trained in (1, 3)]  # type: ignore[operator]
    for found, exact in pairs:
        scale = exact.abs().max()
        assert scale > 0
        assert (found - exact).abs().max() <= 1e-4 * scale

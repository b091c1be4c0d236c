"""What is measured of a clip: against values that are known by construction."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from actionbench.array_cache import ArrayCache
from actionbench.datasets.clip import Clip
from actionbench.datasets.sources.manifest import file_digest
from actionbench.errors import ClipError
from actionbench.flow.registry import get_method
from actionbench.training.baselines import statistics as module
from actionbench.training.baselines.statistics import DIRECTIONS, MOTION, NAMES, measure, motion, statistics


def held(path: Path, frames: np.ndarray) -> Clip:
    np.save(path, frames)
    return Clip(path.name, path, "falling", sha256=file_digest(path))


def texture(side: int = 128) -> np.ndarray:
    noise = np.random.default_rng(0).integers(0, 256, (side, side), np.uint8)
    return np.asarray(cv2.GaussianBlur(noise, (0, 0), 3))


def moving(dx: int, dy: int, frames: int = 10) -> np.ndarray:
    """(T, 128, 128) uint8: a texture that moves by so many pixels a frame."""
    return np.stack([np.roll(texture(), (dy * k, dx * k), (0, 1)) for k in range(frames)])


@pytest.mark.parametrize(
    ("dx", "dy", "direction"), [(2, 0, "right"), (0, 2, "down"), (-2, 0, "left"), (0, -2, "up")]
)
def test_motion_of_a_moving_texture(dx: int, dy: int, direction: str) -> None:
    found = dict(zip(MOTION, motion(moving(dx, dy), 10 / 25, get_method("dis")), strict=True))
    # 2 pixels a frame, 25 frames a second, 128 pixels a side.
    assert found["flow mean"] == pytest.approx(2 * 25 / 128, rel=0.1)
    assert found["flow largest"] >= found["flow mean"]
    assert found["flow spread"] < found["flow mean"]
    shares = {name: found[f"flow {name}"] for name in DIRECTIONS}
    assert max(shares, key=shares.__getitem__) == direction
    assert shares[direction] > 0.8
    assert sum(shares.values()) == pytest.approx(1)


def test_motion_does_not_depend_on_the_frame_rate() -> None:
    slow, fast = moving(2, 0, 20), moving(1, 0, 40)
    flow = get_method("dis")
    np.testing.assert_allclose(motion(slow, 0.8, flow)[0], motion(fast, 0.8, flow)[0], rtol=0.05)


def test_what_stands_still_has_no_motion() -> None:
    assert motion(moving(0, 0), 0.4, get_method("dis")) == [0.0] * len(MOTION)
    assert motion(moving(0, 0, 1), 0.04, get_method("dis")) == [0.0] * len(MOTION)


def test_only_the_middle_counts_for_motion() -> None:
    pictures = np.concatenate([moving(3, 0, 60), moving(0, 0, 70), moving(3, 0, 60)])
    assert motion(pictures, len(pictures) / 25, get_method("dis"))[0] == pytest.approx(0, abs=0.05)


def test_length_and_brightness(tmp_path: Path) -> None:
    levels = np.repeat(np.array([10, 40, 100], np.uint8), [2, 3, 5])
    frames = np.tile(levels[:, None, None, None], (1, 128, 130, 3))
    found = dict(zip(NAMES, measure(held(tmp_path / "a.npy", frames), get_method("dis")), strict=True))
    assert found["frames"] == 10
    assert found["seconds"] == pytest.approx(10 / 25)
    assert found["grey mean"] == pytest.approx(levels.mean())
    assert found["grey spread"] == pytest.approx(levels.std())


def test_a_clip_is_measured_once(
    tmp_path: Path, quiet: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = np.repeat(moving(1, 0, 4)[..., None], 3, -1)
    clip = held(tmp_path / "a.npy", frames)
    cache = ArrayCache(tmp_path / "cache", 10**6)
    first = statistics([clip], cache, quiet())
    moved = Clip("elsewhere", clip.path.rename(tmp_path / "b.npy"), "walking", sha256=clip.sha256)
    with monkeypatch.context() as patch:
        patch.setattr(module, "measure", lambda *_: pytest.fail("measured again"))
        np.testing.assert_array_equal(first, statistics([moved], cache, quiet()))
    monkeypatch.setattr(module, "VERSION", module.VERSION + 1)
    monkeypatch.setattr(module, "measure", lambda *_: np.zeros(len(NAMES), np.float32))
    assert not statistics([moved], cache, quiet()).any()


def test_another_file_than_that_of_the_set_is_an_error(tmp_path: Path, quiet: Callable[[], Any]) -> None:
    clip = held(tmp_path / "a.npy", np.repeat(moving(0, 0, 2)[..., None], 3, -1))
    np.save(clip.path, np.zeros((2, 128, 128, 3), np.uint8))
    with pytest.raises(ClipError, match=r"a\.npy"):
        statistics([clip], ArrayCache(tmp_path / "cache", 10**6), quiet())

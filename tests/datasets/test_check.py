"""Decoding every clip once, whatever it does to the decoder."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from fractions import Fraction
from pathlib import Path

import numpy as np
import psutil
import pytest

from actionbench.datasets.check import check_clips
from actionbench.datasets.clip import Clip, ClipSet
from actionbench.datasets.sources.manifest import file_digest
from actionbench.datasets.sources.registry import load_clips

from ..known import known

MakeVideo = Callable[..., Path]


@pytest.fixture
def videos(make_video: MakeVideo, tmp_path: Path) -> dict[str, Path]:
    good = make_video(tmp_path / "good.mkv", 20)
    copy = tmp_path / "copy.mkv"
    copy.write_bytes(good.read_bytes())
    text = tmp_path / "text.mp4"
    text.write_text("nothing")
    np.savez(tmp_path / "input.npz", rgb=np.zeros((30, 4, 6, 3), np.float32))
    return {
        "good": good,
        "short": make_video(tmp_path / "short.mov", 5, Fraction(30000, 1001)),
        "copy": copy,
        "gone": tmp_path / "gone.mp4",
        "text": text,
        "input": tmp_path / "input.npz",
    }


@pytest.mark.parametrize("workers", [1, 3])
def test_every_state(videos: dict[str, Path], workers: int) -> None:
    clips = ClipSet("set", tuple(Clip(name, path) for name, path in videos.items()), (Clip("m", Path("m")),))
    found = list(check_clips(clips, min_frames=16, workers=workers))
    assert [(status.clip.id, status.state) for status in found] == [
        ("good", "ok"),
        ("short", "too short"),
        ("copy", "duplicate"),
        ("gone", "missing"),
        ("text", "broken"),
        ("input", "ok"),
        ("m", "missing"),
    ]
    good, short, copy, _, text, array, _ = found
    assert (good.frames, good.size, good.rate, good.duration_s) == (20, (32, 24), Fraction(25), 0.8)
    assert good.sha256 == file_digest(videos["good"])
    assert good.reason is None
    assert short.rate == Fraction(30000, 1001)
    assert "5 frames, at least 16" in known(short.reason)
    assert copy.reason == "same content as good"
    assert "not a video" in known(text.reason)
    assert (array.frames, array.size, array.rate) == (30, (6, 4), None)


def test_stretches_of_one_file_are_no_duplicates(videos: dict[str, Path]) -> None:
    path = videos["good"]
    clips = ClipSet(
        "set", (Clip("a", path, end_s=0.4), Clip("b", path, start_s=0.4), Clip("c", path, end_s=0.4))
    )
    found = list(check_clips(clips))
    assert [(status.state, status.frames) for status in found] == [("ok", 10), ("ok", 10), ("duplicate", 10)]


def test_a_file_that_is_not_the_manifests_is_broken(videos: dict[str, Path]) -> None:
    clips = ClipSet("set", (Clip("a", videos["good"], sha256="0" * 64),))
    (status,) = check_clips(clips)
    assert status.state == "broken"
    assert "not the one in the manifest" in known(status.reason)


def test_all_odd_files_at_hand(shared_data: Path) -> None:
    found = list(check_clips(load_clips(str(shared_data / "broken"), vocabulary=()), min_frames=9))
    states = {
        state: sum(status.state == state for status in found) for state in ("ok", "too short", "broken")
    }
    assert states == {"ok": 11, "too short": 8, "broken": 5}
    assert len(found) == 24


@pytest.mark.slow
@pytest.mark.usefixtures("bad_decoder")
def test_a_hang_and_a_crash_cost_one_clip_each(videos: dict[str, Path]) -> None:
    names = ("a", "hangs", "b", "crashes", "c")
    clips = ClipSet("set", tuple(Clip(name, videos["good"], start_s=k / 25) for k, name in enumerate(names)))
    begun = time.monotonic()
    found = list(check_clips(clips, timeout_s=3))
    assert time.monotonic() - begun < 30
    assert [status.state for status in found] == ["ok", "broken", "ok", "broken", "ok"]
    assert "did not end within 3 s" in known(found[1].reason)
    assert found[3].reason == f"{videos['good']}: decoding failed: crashed (SIGSEGV)"


@pytest.mark.usefixtures("bad_decoder")
def test_closing_early_waits_for_nothing(videos: dict[str, Path]) -> None:
    clips = ClipSet(
        "set", (Clip("a", videos["good"]), Clip("hangs", videos["good"]), Clip("b", videos["good"]))
    )
    others = psutil.Process().children()
    found = check_clips(clips, timeout_s=300, workers=2)
    assert next(found).state == "ok"
    begun = time.monotonic()
    assert isinstance(found, Generator)
    found.close()
    assert time.monotonic() - begun < 20
    left = [p for p in psutil.Process().children() if p.is_running() and p.status() != "zombie"]
    assert not set(left) - set(others)

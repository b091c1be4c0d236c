"""The set that the project draws itself: always the same, complete, and made of classes that differ."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections import Counter
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from actionbench.datasets.synthetic import clips as drawn
from actionbench.datasets.synthetic.clips import FRAMES, HEIGHT, WIDTH, draw_clip, draw_demo, load_demo
from actionbench.datasets.synthetic.figures import MOTIONS, SHIN, THIGH
from actionbench.datasets.video.reader import read_frames
from actionbench.errors import BackendUnavailable, UsageError


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home of its own, for a set of a few short clips that is drawn at once."""
    monkeypatch.setattr(drawn, "FRAMES", 3)
    monkeypatch.setenv("ACTIONBENCH_HOME", str(tmp_path))
    monkeypatch.setattr(drawn, "MOTIONS", {name: MOTIONS[name] for name in ("jogging", "push up")})
    for count in ("TRAIN_CLIPS", "TEST_CLIPS", "TARGET_TEST_CLIPS"):
        monkeypatch.setattr(drawn, count, 1)
    return tmp_path


def test_layout() -> None:
    train, test = load_demo("train"), load_demo()
    assert (train.name, test.name) == ("demo-train", "demo-test")
    assert Counter(clip.label for clip in train) == dict.fromkeys(MOTIONS, 6)
    assert Counter(clip.label for clip in test) == {**dict.fromkeys(MOTIONS, 2), "jogging": 4}
    for part, clips in (("train", train), ("test", test)):
        for clip in clips:
            assert clip.source == "demo"
            assert clip.id == f"{clip.label}/{clip.path.name}"
            assert clip.path.parts[-3:] == (part, clip.label, clip.path.name)
            assert hashlib.sha256(clip.path.read_bytes()).hexdigest() == clip.sha256
    ids = [clip.id for clip in (*train, *test)]
    assert len(set(ids)) == len(ids)
    assert len({clip.sha256 for clip in (*train, *test)}) == len(ids)


def test_labels_are_names_of_kinetics(shared_data: Path) -> None:
    names = (shared_data / "annotations" / "kinetics" / "label_map.txt").read_text().splitlines()
    assert set(MOTIONS) <= set(names)
    assert len(MOTIONS) >= 6


def test_the_videos_hold_exactly_what_was_drawn() -> None:
    clip = load_demo("train").clips[2]
    assert clip.label == "cartwheeling"
    frames = draw_clip("cartwheeling", np.random.default_rng((drawn.DRAWING, 0, 2)), Fraction(30000, 1001))
    with av.open(str(clip.path)) as container:
        decoded = [frame.to_ndarray(format="yuv420p") for frame in container.decode(video=0)]
    assert len(decoded) == FRAMES
    for planes, pixels in zip(decoded, frames, strict=True):
        np.testing.assert_array_equal(planes, cv2.cvtColor(pixels, cv2.COLOR_RGB2YUV_I420))


def test_every_video_can_be_read_at_its_own_rate_and_at_25() -> None:
    rates: Counter[Fraction] = Counter()
    for clip in (*load_demo("train"), *load_demo("test")):
        with av.open(str(clip.path)) as container:
            rate = container.streams.video[0].average_rate
        rates[rate] += 1
        frames = list(read_frames(clip))
        assert [frame.shape for frame in frames] == [(HEIGHT, WIDTH, 3)] * FRAMES
        assert abs(len(list(read_frames(clip, Fraction(25)))) - FRAMES * 25 / rate) <= 1
    assert set(rates) == {Fraction(25), Fraction(30000, 1001), Fraction(30)}
    assert rates[Fraction(25)] > rates.total() / 2


def test_colours_survive_the_way_through_the_video() -> None:
    clip = load_demo("train").clips[0]
    frames = draw_clip("cartwheeling", np.random.default_rng((drawn.DRAWING, 0, 0)), Fraction(25))
    for read, pixels in zip(read_frames(clip), frames, strict=True):
        assert np.abs(read.astype(int) - pixels).mean() < 3


def test_drawing_is_the_same_in_another_process() -> None:
    here = draw_clip("jogging", np.random.default_rng(7), Fraction(25))
    program = (
        "import hashlib, numpy as np; from fractions import Fraction\n"
        "from actionbench.datasets.synthetic.clips import draw_clip\n"
        "frames = draw_clip('jogging', np.random.default_rng(7), Fraction(25))\n"
        "print(hashlib.sha256(frames.tobytes()).hexdigest())"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "123"}
    there = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, check=True)
    assert there.stdout.decode().strip() == hashlib.sha256(here.tobytes()).hexdigest()
    other = draw_clip("jogging", np.random.default_rng(8), Fraction(25))
    assert (here != other).mean() > 0.5


def test_the_whole_set_is_the_same_when_drawn_again(few: Path) -> None:
    first, second = draw_demo(few / "first"), draw_demo(few / "second")
    assert first == second
    assert len(first) == 4


def test_it_is_drawn_once(few: Path) -> None:
    before = {clip.path: clip.path.stat().st_mtime_ns for clip in load_demo()}
    assert len(before) == 2
    assert {clip.path: clip.path.stat().st_mtime_ns for clip in load_demo()} == before
    assert not list((few / "demo").glob("drawing-*"))


@pytest.mark.parametrize(
    "damage", ["file lost", "file cut", "manifest lost", "manifest cut", "manifest changed", "killed"]
)
def test_a_damaged_set_is_drawn_again(few: Path, damage: str) -> None:
    whole = load_demo()
    video = whole.clips[0].path
    manifest = video.parents[2] / "manifest.json"
    if damage == "file lost":
        video.unlink()
    elif damage == "file cut":
        video.write_bytes(video.read_bytes()[:-10])
    elif damage == "manifest lost":
        manifest.unlink()
    elif damage == "manifest cut":
        manifest.write_text(manifest.read_text()[:-10])
    elif damage == "manifest changed":
        manifest.write_text(manifest.read_text().replace('"sha256"', '"sha255"'))
    else:
        manifest.parent.rename(few / "demo" / "drawing-killed")
    assert load_demo() == whole
    assert hashlib.sha256(video.read_bytes()).hexdigest() == whole.clips[0].sha256
    assert sorted(path.name for path in (few / "demo").iterdir()) == sorted([manifest.parent.name, "lock"])


@pytest.mark.usefixtures("few")
def test_another_version_is_another_set(monkeypatch: pytest.MonkeyPatch) -> None:
    old = load_demo()
    monkeypatch.setattr(drawn, "DRAWING", drawn.DRAWING + 1)
    new = load_demo()
    assert {clip.path for clip in old}.isdisjoint(clip.path for clip in new)
    assert old.digest() != new.digest()
    assert all(clip.path.is_file() for clip in (*old, *new))


@pytest.mark.usefixtures("few")
def test_processes_may_draw_it_at_once() -> None:
    program = (
        "from actionbench.datasets.synthetic import clips as drawn\n"
        "drawn.FRAMES = 3\n"
        "drawn.TRAIN_CLIPS = drawn.TEST_CLIPS = drawn.TARGET_TEST_CLIPS = 1\n"
        "drawn.MOTIONS = {name: drawn.MOTIONS[name] for name in ('jogging', 'push up')}\n"
        "print(drawn.load_demo().digest())"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    printed = [process.communicate(timeout=60)[0].strip() for process in running]
    assert printed == [load_demo().digest()] * 2


def test_a_home_that_cannot_be_written_is_named(few: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (few / "file").write_text("not a folder")
    monkeypatch.setenv("ACTIONBENCH_HOME", str(few / "file"))
    with pytest.raises(UsageError, match="Set ACTIONBENCH_HOME"):
        load_demo()


def test_an_unknown_part_is_refused() -> None:
    with pytest.raises(UsageError, match="Known: test, train"):
        load_demo("val")


def test_a_pyav_without_the_encoder_is_explained(few: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(av, "codecs_available", {"mpeg4"})
    with pytest.raises(BackendUnavailable, match="libx264"):
        load_demo()
    assert not list((few / "demo").rglob("*.mp4"))


@pytest.mark.parametrize("label", MOTIONS)
def test_bodies_keep_their_proportions_and_motions_their_period(label: str) -> None:
    motion = MOTIONS[label]
    for cycle in np.linspace(0, 1, 12):
        pose = motion.pose(cycle)
        for hip, knee, ankle in pose.legs:
            assert np.hypot(*np.subtract(knee, hip)) == pytest.approx(THIGH, rel=0.1)
            assert np.hypot(*np.subtract(ankle, knee)) == pytest.approx(SHIN, rel=0.1)
        np.testing.assert_allclose(pose.arms, motion.pose(cycle + 1).arms, atol=1e-9)
    assert motion.pose(0.0).arms != motion.pose(0.25).arms


def where_it_moves(frames: list[np.ndarray]) -> np.ndarray:
    """Mean absolute change from frame to frame in 6×8 fields, whichever way the figure faces; unit norm."""
    grey = np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]).astype(np.float32)
    change = cv2.resize(np.abs(np.diff(grey, axis=0)).mean(axis=0), (8, 6), interpolation=cv2.INTER_AREA)
    change = change + change[:, ::-1]
    unit: np.ndarray = change.ravel() / np.linalg.norm(change)
    return unit


def test_classes_can_be_told_apart_by_where_they_move() -> None:
    train = [(clip.label, where_it_moves(list(read_frames(clip)))) for clip in load_demo("train")]
    centres = {label: np.mean([f for other, f in train if other == label], axis=0) for label in MOTIONS}
    right = 0
    test = load_demo("test")
    for clip in test:
        feature = where_it_moves(list(read_frames(clip)))
        right += clip.label == max(centres, key=lambda label: float(centres[label] @ feature))
    assert right / len(test) > 0.6, "chance is 1 in 6"

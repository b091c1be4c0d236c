"""Clips decoded in advance: the same frames, and a file that breaks the decoder costs itself only."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from actionbench.datasets.clip import Clip
from actionbench.datasets.decoded import MANIFEST, decode_all
from actionbench.datasets.sources.manifest import read_manifest
from actionbench.datasets.video.reader import read_frames
from actionbench.errors import ClipError, UsageError

MakeVideo = Callable[..., Path]


@pytest.fixture(scope="module")
def video(make_video: MakeVideo, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_video(tmp_path_factory.mktemp("decoded") / "video.mkv", 20)


@pytest.mark.usefixtures("bad_decoder")
def test_a_decoder_that_hangs_or_crashes_costs_one_clip(video: Path, tmp_path: Path) -> None:
    clips = [Clip(name, video, "run", 0.2, 0.6) for name in ("crashes", "a", "hangs", "b")]
    crashed, first, hung, last = decode_all(clips, tmp_path, timeout_s=4)
    assert "decoding failed: crashed (SIGSEGV)" in str(crashed)
    assert "decoding did not end within 4 s" in str(hung)
    assert isinstance(first, Clip)
    assert isinstance(last, Clip)
    assert first.path != last.path
    found = read_manifest(tmp_path / MANIFEST, ["run"]).clips
    assert [(clip.id, clip.path, clip.label) for clip in found] == [
        ("a", first.path, "run"),
        ("b", last.path, "run"),
    ]
    with read_frames(first) as ours, read_frames(clips[1]) as theirs:
        np.testing.assert_array_equal(np.stack(list(ours)), np.stack(list(theirs)))


def test_what_is_decoded_is_listed_even_if_it_ends_early(video: Path, tmp_path: Path) -> None:
    clips = [Clip(str(number), video) for number in range(4)]
    with closing(decode_all(clips, tmp_path)) as results:
        assert isinstance(next(results), Clip)
    found = read_manifest(tmp_path / MANIFEST, ()).clips
    assert [clip.id for clip in found] == list("0123")[: len(found)]
    assert found
    assert all(clip.path.is_file() for clip in found)


def test_a_file_that_cannot_be_written_ends_it(video: Path, tmp_path: Path) -> None:
    """Each further clip would fail in the same way, on a full disk for example."""
    (tmp_path / "00001.npz").mkdir()
    results = decode_all([Clip("a", video), Clip("b", video)], tmp_path)
    assert isinstance(next(results), Clip)
    with pytest.raises(UsageError, match=r"00001\.npz: the array file cannot be written"):
        next(results)
    assert [clip.id for clip in read_manifest(tmp_path / MANIFEST, ()).clips] == ["a"]


def test_a_broken_file_is_told_as_by_reading_it(tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    clip = Clip("broken", tmp_path / "broken.mp4")
    (found,) = decode_all([clip], tmp_path / "out")
    with pytest.raises(ClipError) as expected, read_frames(clip) as reader:
        list(reader)
    assert str(found) == str(expected.value)
    assert not (tmp_path / "out" / MANIFEST).exists()

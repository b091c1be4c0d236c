"""Clips hold exactly the frames of their interval, as entries of a manifest and as files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from actionbench.datasets.annotations.cutting import Cut, FrameTimes, find_cuts, write_clip
from actionbench.datasets.annotations.intervals import Inference, TaggedInterval, start_end_tags, tag_runs
from actionbench.datasets.annotations.tags import Tag, TaggedVideo
from actionbench.datasets.clip import Clip
from actionbench.datasets.decoder_pool import DecoderPool
from actionbench.datasets.sources.manifest import file_digest, read_manifest, write_manifest
from actionbench.datasets.video.reader import read_frames
from actionbench.errors import ClipError

MakeVideo = Callable[..., Path]
RATE = Fraction(30000, 1001)


def numbers(clip: Clip) -> list[int]:
    """The numbers that the frames of `make_video` carry."""
    with read_frames(clip) as reader:
        return [int(frame.mean().round()) // 3 for frame in reader]


def tagged(path: Path | None, *times: float, rate: int = 10) -> TaggedVideo:
    return TaggedVideo("video.mkv", path, Fraction(rate), tuple(Tag(Fraction(str(t)), ("a",)) for t in times))


def inferred(start_s: Fraction | int, end_s: Fraction | int, closed: bool = False) -> Inference:
    return Inference((TaggedInterval("a", Fraction(start_s), Fraction(end_s), closed),), ())


@pytest.fixture(scope="module")
def video(make_video: MakeVideo, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """70 numbered frames at 30000/1001 a second, times in ticks of 1/30000 s."""
    ticks = [1001 * k for k in range(70)]
    folder = tmp_path_factory.mktemp("cutting")
    return make_video(folder / "video.mov", 70, RATE, pts=ticks, time_base=Fraction(1, 30000))


@pytest.mark.parametrize("first", [0, 1, 7, 50])
@pytest.mark.parametrize("count", [16, 19])
def test_frames_of_an_interval(video: Path, tmp_path: Path, first: int, count: int) -> None:
    """Bounds just at the frames' times, which are no decimals: neither one frame more nor one less."""
    inference = inferred(first / RATE, (first + count) / RATE)
    (cut,), refused = find_cuts(tagged(video), inference)
    assert not refused
    assert cut.frames == count
    expected = list(range(first, first + count))
    assert numbers(cut.clip) == expected
    write_manifest(tmp_path / "clips.csv", [cut.clip])
    (entry,) = read_manifest(tmp_path / "clips.csv", []).clips
    assert numbers(entry) == expected
    assert entry.sha256 == file_digest(video)
    assert numbers(write_clip(cut, tmp_path / "clip.mp4")) == expected


def test_the_frames_that_were_tagged_themselves_belong_to_a_clip(video: Path) -> None:
    """First and last frame were on screen for a while when they were tagged."""
    halfway = Fraction(1, 2) / RATE
    for shift in (0, halfway):
        (cut,), _ = find_cuts(tagged(video), inferred(20 / RATE + shift, 40 / RATE + shift, closed=True))
        assert numbers(cut.clip) == list(range(20, 41))


def test_uneven_times_and_odd_sizes_survive(make_video: MakeVideo, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frames = list(rng.integers(0, 256, (30, 33, 47, 3), np.uint8))
    ticks = [int(t) for t in np.cumsum(rng.integers(10, 90, 30))]
    video = make_video(tmp_path / "uneven.mkv", frames, 25, pts=ticks, time_base=Fraction(1, 1000))
    start, end = ((ticks[k] - ticks[0]) / Fraction(1000) for k in (5, 25))
    (cut,), _ = find_cuts(tagged(video), inferred(start, end))
    clip = write_clip(cut, tmp_path / "new" / "clip.mp4")
    with read_frames(cut.clip) as theirs, read_frames(clip) as ours:
        np.testing.assert_array_equal(np.stack(list(ours)), np.stack(frames[5:25]))
        np.testing.assert_array_equal(np.stack(list(theirs)), np.stack(frames[5:25]))
        assert ours.video_s == pytest.approx(theirs.video_s, abs=1e-4)
    resampled = Fraction(60)
    with read_frames(cut.clip, resampled) as theirs, read_frames(clip, resampled) as ours:
        np.testing.assert_array_equal(np.stack(list(ours)), np.stack(list(theirs)))
    assert list(clip.path.parent.iterdir()) == [clip.path]


def test_runs_and_frame_tags_of_a_video(video: Path) -> None:
    runs = tagged(video, *(k / 10 for k in range(5, 12)))
    (cut,), _ = find_cuts(runs, tag_runs(runs.tags, runs.rate))
    times = [k / RATE for k in range(70)]
    expected = [k for k, t in enumerate(times) if Fraction(45, 100) <= t < Fraction(115, 100)]
    assert numbers(cut.clip) == expected
    assert cut.clip.id == "video.mkv#t=0.467,1.168"
    ends = TaggedVideo("v", video, Fraction(10), (Tag(Fraction(1, 2), ("a",)), Tag(Fraction(2), ("end",))))
    (cut,), _ = find_cuts(ends, start_end_tags(ends.tags, "end"))
    assert numbers(cut.clip) == [
        k for k, t in enumerate(times) if t + 1 / RATE > Fraction(1, 2) and t <= Fraction(2)
    ]


def test_what_is_short_late_missing_or_broken_is_refused(video: Path, tmp_path: Path) -> None:
    def reason(tags: TaggedVideo, inference: Inference, min_frames: int = 16) -> str:
        cuts, (refused,) = find_cuts(tags, inference, min_frames)
        assert not cuts
        assert refused.label == "a"
        return refused.reason

    assert reason(tagged(video), inferred(1 / RATE, 16 / RATE)) == "15 frames, at least 16 needed"
    assert reason(tagged(video), inferred(1 / RATE, 2 / RATE), 2) == "1 frame, at least 2 needed"
    late = tagged(video, *(2 + k / 10 for k in range(10)))
    assert reason(late, tag_runs(late.tags, late.rate)) == "is tagged after the end of the video, 2.34 s"
    assert reason(tagged(None), inferred(0, 1)) == "no video of this name is there"
    broken = tmp_path / "broken.mkv"
    broken.write_bytes(video.read_bytes()[:200])
    assert str(broken) in reason(tagged(broken), inferred(0, 1))


@pytest.mark.usefixtures("bad_decoder")
def test_a_video_that_crashes_the_decoder_is_refused(video: Path) -> None:
    with DecoderPool() as pool:

        def times_of(clip: Clip) -> FrameTimes:
            return pool.ask("frame times", clip, FrameTimes)

        cuts, (refused,) = find_cuts(
            replace(tagged(video), name="crashes"), inferred(0, 1), times_of=times_of
        )
        assert not cuts
        assert refused.reason == f"{video}: decoding failed: crashed (SIGSEGV)"
        assert find_cuts(tagged(video), inferred(0, 1), times_of=times_of) == find_cuts(
            tagged(video), inferred(0, 1)
        )


def test_the_last_clip_may_reach_beyond_the_video(video: Path) -> None:
    (cut,), _ = find_cuts(tagged(video), inferred(1, 3))
    assert numbers(cut.clip) == list(range(30, 70))


def test_a_video_that_changed_meanwhile_leaves_no_clip(video: Path, tmp_path: Path) -> None:
    (cut,), _ = find_cuts(tagged(video), inferred(0, 1))
    with pytest.raises(ClipError, match="another number of frames; expected 31; found 30"):
        write_clip(Cut(cut.clip, cut.frames + 1), tmp_path / "clip.mp4")
    with pytest.raises(ClipError, match="no frame to write"):
        write_clip(Cut(Clip("x", video, "a", 5.0, 6.0), 20), tmp_path / "clip.mp4")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ClipError, match="cannot be written"):
        write_clip(cut, tmp_path / "file" / "clip.mp4")
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_a_real_video_is_cut_frame_by_frame(shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / "videos" / "falling" / "urfd_fall-13-cam0.mp4"
    with read_frames(Clip("", path)) as reader:
        rate = reader.native_rate
        whole = list(reader)
    (cut,), _ = find_cuts(tagged(path), inferred(30 / rate, 50 / rate))
    for clip in (cut.clip, write_clip(cut, tmp_path / "clip.mp4")):
        with read_frames(clip) as reader:
            np.testing.assert_array_equal(np.stack(list(reader)), np.stack(whole[30:50]))
            assert reader.native_rate == rate

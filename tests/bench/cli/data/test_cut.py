"""`bench data cut`, as a user types it."""

from __future__ import annotations

import csv
import json
import subprocess
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actionbench.datasets.annotations import cutting
from actionbench.datasets.sources.manifest import file_digest, read_manifest
from actionbench.datasets.synthetic.clips import draw_clip
from actionbench.datasets.video.reader import read_frames
from actionbench.datasets.video.sampling import TimedFrame
from actionbench.datasets.video.writer import write_video
from actionbench.errors import ClipError

Bench = Callable[..., subprocess.CompletedProcess[str]]
RATE = 5


def tags(*runs: tuple[str, int, int]) -> dict[str, list[dict[str, Any]]]:
    """Regions by the number of a sample: label, first and last sample of each run."""
    return {
        str(sample): [{"type": "Rectangle", "tags": [label]}]
        for label, first, last in runs
        for sample in range(first, last + 1)
    }


def annotate(video: Path, frames: dict[str, Any], visited: int) -> Path:
    path = video.with_name(f"{video.name}.json")
    content = {"frames": frames, "framerate": str(RATE), "visitedFrames": list(range(1, visited + 1))}
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def draw(video: Path, rate: Fraction) -> None:
    """Somebody who jogs, 64 small pictures."""
    drawn = draw_clip("jogging", np.random.default_rng(0), rate)[:, ::8, ::8]
    frames = [np.ascontiguousarray(pixels) for pixels in drawn] * 4
    timed = (TimedFrame(k / rate, (k + 1) / rate, partial(frames.__getitem__, k)) for k in range(len(frames)))
    write_video(video, timed, rate)


@pytest.fixture
def drawn(tmp_path: Path) -> Path:
    """Folder of two drawn videos and their annotations."""
    videos = tmp_path / "videos"
    draw(videos / "first.mp4", Fraction(25))
    draw(videos / "second one.mp4", Fraction(30000, 1001))
    annotate(videos / "first.mp4", tags(("walking", 1, 5), ("falling", 6, 10), ("waving", 12, 12)), 12)
    annotate(videos / "second one.mp4", tags(("falling", 4, 8)), 10)
    return tmp_path


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_clips_are_listed_and_written_as_a_manifest(bench: Bench, drawn: Path) -> None:
    videos, out = drawn / "videos", drawn / "clips.csv"
    answer = bench("data", "cut", videos)
    assert answer.returncode == 0, answer.stderr
    for words in (
        "rule: the same tag",
        "3 clips",
        "1 refusal",
        "waving",
        "at least 16 needed",
        "use --out to write",
    ):
        assert words in answer.stdout
    assert not out.exists()
    answer = bench("data", "cut", videos, "--out", out)
    assert answer.returncode == 0, answer.stderr
    assert f"{out}: 3 clips" in answer.stdout
    written = rows(out)
    assert [(row["path"], row["label"]) for row in written] == [
        ("videos/first.mp4", "walking"),
        ("videos/first.mp4", "falling"),
        ("videos/second one.mp4", "falling"),
    ]
    assert {row["sha256"] for row in written[:2]} == {file_digest(videos / "first.mp4")}
    assert written[0]["end_s"] == written[1]["start_s"], "one action follows the other"
    answer = bench("data", "check", out)
    assert "3 clips: 3 ok" in answer.stdout


@pytest.mark.usefixtures("decoding_here")
def test_files_hold_the_frames_of_the_manifest(bench: Bench, drawn: Path) -> None:
    videos, out, folder = drawn / "videos", drawn / "clips.jsonl", drawn / "cut"
    assert bench("data", "cut", videos, "--out", out).returncode == 0
    answer = bench("data", "cut", videos, "--out", folder, "--as", "files")
    assert answer.returncode == 0, answer.stderr
    names = sorted(file.name for file in folder.iterdir())
    assert names == ["00000.mp4", "00001.mp4", "00002.mp4", "clips.csv"]
    entries, files = read_manifest(out, []).clips, read_manifest(folder / "clips.csv", []).clips
    for entry, file in zip(entries, files, strict=True):
        assert (entry.id, entry.label) == (file.id, file.label)
        assert (file.start_s, file.end_s) == (None, None)
        with read_frames(entry) as theirs, read_frames(file) as ours:
            np.testing.assert_array_equal(np.stack(list(ours)), np.stack(list(theirs)))
            assert ours.notes == []
    assert "3 clips: 3 ok" in bench("data", "check", folder / "clips.csv").stdout


@pytest.mark.usefixtures("decoding_here")
def test_first_and_last_frames_by_a_dummy_tag(bench: Bench, drawn: Path) -> None:
    video = drawn / "videos" / "first.mp4"
    path = annotate(video, tags(("falling", 2, 2), ("stop", 8, 8), ("walking", 9, 9)), 12)
    out = drawn / "clips.csv"
    answer = bench("data", "cut", path, "--end-tag", "stop", "--out", out)
    assert answer.returncode == 0, answer.stderr
    assert "no end until the end of the video" in answer.stdout
    (row,) = rows(out)
    assert row["label"] == "falling"
    answer = bench("data", "cut", path, "--end-tag", "stpo")
    assert answer.returncode == 2
    assert "unknown tag 'stpo'. Did you mean: stop?" in answer.stderr


@pytest.mark.usefixtures("decoding_here")
def test_a_clip_that_fails_costs_itself_alone(
    bench: Bench, drawn: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = cutting.write_clip

    def failing(cut: cutting.Cut, path: Path) -> Any:
        if path.name == failed:
            raise error
        return write(cut, path)

    monkeypatch.setattr(cutting, "write_clip", failing)
    error: BaseException = ClipError("the disk is full", where="clip")
    failed = "00001.mp4"
    folder = drawn / "cut"
    answer = bench("data", "cut", drawn / "videos", "--out", folder, "--as", "files")
    assert answer.returncode == 0, answer.stderr
    assert "left out: clip: the disk is full" in answer.stdout
    assert [row["path"] for row in rows(folder / "clips.csv")] == ["00000.mp4", "00002.mp4"]
    failed, error = "00002.mp4", KeyboardInterrupt()
    folder = drawn / "interrupted"
    assert bench("data", "cut", drawn / "videos", "--out", folder, "--as", "files").returncode == 130
    assert [row["path"] for row in rows(folder / "clips.csv")] == ["00000.mp4", "00001.mp4"]


@pytest.mark.usefixtures("decoding_here")
def test_bad_input_is_one_error_that_says_what_to_do(bench: Bench, drawn: Path) -> None:
    videos = drawn / "videos"

    def error(*arguments: object) -> str:
        answer = bench("data", "cut", *arguments)
        assert answer.returncode == 2
        assert answer.stderr.count("error:") == 1
        return answer.stderr

    assert "no clip can be cut" in error(videos, "--min-frames", 60)
    assert "--max-gap 0: is less than 1" in error(videos, "--max-gap", 0)
    assert "--rate: is not a number" in error(videos, "--rate", "fast")
    assert "--rate 4: is not the recorded sampling rate" in error(videos, "--rate", 4)
    assert "is not a folder" in error(videos, "--as", "files", "--out", videos / "first.mp4")
    assert "has an unknown file extension; expected .csv or .jsonl" in error(
        videos, "--out", drawn / "clips.txt"
    )
    assert "cannot be written" in error(videos, "--out", drawn / "none" / "clips.csv")
    assert "file does not exist" in error(drawn / "none.json")
    (videos / "third.mp4.json").write_text('{"frames": {')
    assert "third.mp4.json: not JSON" in error(videos)


@pytest.mark.usefixtures("decoding_here")
def test_names_from_data_do_not_act_on_the_terminal(bench: Bench, drawn: Path) -> None:
    annotate(drawn / "videos" / "first.mp4", tags(("a\x1b[31m\nb", 1, 8), ("c\x1b[2J", 10, 10)), 12)
    answer = bench("data", "cut", drawn / "videos")
    assert answer.returncode == 0, answer.stderr
    assert "\x1b" not in answer.stdout

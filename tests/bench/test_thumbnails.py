"""Pictures of clips: small, safe in name, and never a reason to lose a prediction."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from actionbench.bench.thumbnails import LONG_SIDE, write_thumbnail
from actionbench.models.labels import labels
from actionbench.records.run_directory import RunDirectory, thumbnail_path

pytestmark = pytest.mark.usefixtures("no_pictures", "forked_workers")

TINY = Path(__file__).parent / "networks" / "tiny.py"


def frame(height: int = 240, width: int = 320) -> np.ndarray:
    return np.full((height, width, 3), (200, 30, 30), np.uint8)


def test_a_picture_is_small_and_keeps_its_shape_and_colour(tmp_path: Path) -> None:
    write_thumbnail(tmp_path, "a/b.mp4", frame())
    with Image.open(thumbnail_path(tmp_path, "a/b.mp4")) as picture:
        assert picture.format == "JPEG"
        assert picture.size == (LONG_SIDE, LONG_SIDE * 3 // 4)
        np.testing.assert_allclose(np.asarray(picture)[60, 80], (200, 30, 30), atol=4)
    assert not list(tmp_path.rglob("*.tmp"))


def test_small_frames_are_not_enlarged_and_pictures_not_replaced(tmp_path: Path) -> None:
    write_thumbnail(tmp_path, "clip", frame(20, 30))
    write_thumbnail(tmp_path, "clip", frame())
    with Image.open(thumbnail_path(tmp_path, "clip")) as picture:
        assert picture.size == (30, 20)


def test_a_picture_that_cannot_be_written_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "thumbnails").write_text("in the way")
    write_thumbnail(tmp_path, "clip", frame())
    write_thumbnail(tmp_path, "clip", np.zeros((4, 4), np.float64))
    assert not thumbnail_path(tmp_path, "clip").exists()


def test_a_run_has_a_picture_of_every_video_and_shows_those_of_mistakes(
    bench: Callable[..., subprocess.CompletedProcess[str]],
    coloured_videos: Callable[[list[int], int], Path],
    weights_file: Path,
    tmp_path: Path,
) -> None:
    names = labels("kinetics-400")
    data = coloured_videos([3, names.index("jogging")], 2)
    # Videos of one class in the folder of another: the network is right, and counted as wrong.
    (data / names[3]).rename(data / names[4])
    out = tmp_path / "run"
    answer = bench(
        *(
            "run",
            "--models",
            f"{TINY}:tiny",
            "--data",
            data,
            "--out",
            out,
            "--weights",
            f"tiny={weights_file}",
        ),
        *("--latency-clips", 1, "--latency-seconds", 0, "--threads", 1),
    )
    assert answer.returncode == 0, answer.stderr
    clips = [record.clip for record in RunDirectory(out).clips()]
    assert len(clips) == 4
    assert {path.name for path in (out / "thumbnails").iterdir()} == {
        thumbnail_path(out, clip).name for clip in clips
    }
    assert str(out / "report.html") in answer.stderr + answer.stdout
    page = (out / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/jpeg;base64,") == 2
    assert "no picture" not in page

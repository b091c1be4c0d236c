"""`bench data augment-preview`: the contact sheet and the videos."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from actionbench.bench.cli.data.augment_preview import ROW_HEIGHT, Row, contact_sheet

Bench = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three frames of a bright square that moves over a ramp, lossless."""
    path = tmp_path_factory.mktemp("preview") / "square.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264rgb", rate=25, options={"qp": "0", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 48, 32, "rgb24"
        for number in range(3):
            frame = np.broadcast_to(np.arange(48, dtype=np.uint8)[:, None] * 3, (32, 48, 3)).copy()
            frame[8:16, 8 * number : 8 * number + 8] = 255
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        container.mux(stream.encode())
    return path


def config(folder: Path, text: str) -> Path:
    path = folder / "augmentation.yaml"
    path.write_text(text)
    return path


def test_a_sheet_and_a_video_of_every_filter_are_written(bench: Bench, video: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "preview"
    filters = config(tmp_path, "filters: [flip, add]\n")
    result = bench("data", "augment-preview", video, "--out", out, "--config", filters, "--draws", 3)
    assert result.returncode == 0, result.stderr
    assert "4 videos of 3 frames" in result.stdout
    assert {path.name for path in out.iterdir()} == {
        "sheet.png",
        "flip.mp4",
        "add.mp4",
        "some.mp4",
        "all.mp4",
    }
    with Image.open(out / "sheet.png") as sheet:
        assert sheet.height // ROW_HEIGHT == 1 + 4 * 3
    with av.open(str(out / "flip.mp4")) as container:
        (first, *others) = container.decode(video=0)
        pixels = first.to_ndarray(format="rgb24").astype(int)
    assert len(others) == 2
    assert pixels.shape == (256, 4 * 384, 3)
    # The original, then three drawings beside it; compressed, so not to the last grey level.
    original, *drawn = np.split(pixels, 4, axis=1)
    for each in drawn:
        assert np.abs(each - original[:, ::-1]).mean() < 2 < np.abs(each - original).mean()


def test_the_same_seed_gives_the_same_sheet(bench: Bench, video: Path, tmp_path: Path) -> None:
    filters = config(tmp_path, "filters: [multiply]\n")
    sheets = {}
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        options = ("--config", filters, "--draws", 1, "--seed", seed)
        assert bench("data", "augment-preview", video, "--out", tmp_path / name, *options).returncode == 0
        sheets[name] = (tmp_path / name / "sheet.png").read_bytes()
    assert sheets["one"] == sheets["again"] != sheets["other"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--draws", 0), "--draws: must be at least 1"),
        (("--config", "none.yaml"), "--config none.yaml: cannot be read"),
        (("--start", 60), "no frame in this segment"),
        (("--start", -1), "--start: must not be negative"),
    ],
)
def test_what_makes_no_sense_writes_nothing(
    bench: Bench, video: Path, tmp_path: Path, options: tuple[object, ...], message: str
) -> None:
    result = bench("data", "augment-preview", video, "--out", tmp_path / "out", *options)
    assert (result.returncode, message in result.stderr) == (2, True), result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("blur: -1", "blur: is out of range"),
        ("blurr: 1", "unknown key 'blurr'"),
        ("- 1", "must hold `key: value`"),
    ],
)
def test_a_config_that_makes_no_sense_is_named(
    bench: Bench, video: Path, tmp_path: Path, text: str, message: str
) -> None:
    file = config(tmp_path, text)
    result = bench("data", "augment-preview", video, "--out", tmp_path / "out", "--config", file)
    assert (result.returncode, message in result.stderr) == (2, True), result.stderr
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_there_is_left_as_it_is(bench: Bench, video: Path, tmp_path: Path) -> None:
    (tmp_path / "sheet.png").write_text("mine")
    result = bench("data", "augment-preview", video, "--out", tmp_path)
    assert result.returncode == 2
    assert "exists already" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.png"]


def test_rows_stand_below_each_other_with_the_frames_beside_their_words() -> None:
    red, blue = (np.full((3, 64, 96, 3), colour, np.uint8) for colour in ((255, 0, 0), (0, 0, 255)))
    sheet = np.asarray(contact_sheet([Row("original", "", red), Row("add", "+3 grey levels", blue)]))
    half = len(sheet) // 2
    assert sheet[half // 2, -1].tolist() == [255, 0, 0]
    assert sheet[half + half // 2, -1].tolist() == [0, 0, 255]
    words = sheet[half:, :200]
    assert words.min() < 60 < 200 < words.max()

"""Every odd or damaged file at hand is decoded as it should be, or refused with its reason."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from actionbench.datasets.clip import Clip
from actionbench.datasets.video.reader import read_frames
from actionbench.errors import ClipError

# name: frames, (width, height) upright with square pixels, frames at 25 a second, words of the notes
DECODED = {
    "autoeditor_SAR-2by3.mp4": (60, (427, 360), 50, "2:3"),
    "decord_corrupted.mp4": (49, (1280, 720), 125, "header says 50 frames, 49 decode"),
    "decord_unordered.mov": (4, (50, 50), 3, ""),
    "decord_video_0.mov": (3, (568, 320), 3, ""),
    "decord_video_180.mov": (3, (568, 320), 3, ""),
    "decord_video_90.mov": (3, (320, 568), 3, ""),
    "imageio_newtonscradle.gif": (36, (200, 150), 21, "header says 50 frames/s, 43.9 on average"),
    "imageio_realshort.mp4": (36, (320, 240), 30, ""),
    "mp4parse_2x2_pixels.mp4": (3, (2, 2), 3, ""),
    "mp4parse_cover_art.mp4": (1, (320, 240), 1, ""),
    "mp4parse_no_timescale.mp4": (170, (320, 240), 151, "damaged packets left out: 12"),
    "mp4parse_sar_16_9_one_frame.mp4": (1, (1138, 480), 1, "16:9"),
    "mp4parse_video_rotation_90_one_frame.mp4": (1, (60, 100), 1, ""),
    "mp4parse_white_300_frames.mp4": (300, (320, 240), 250, ""),
    "pyscenedetect_counter.mp4": (30, (1920, 1080), 75, ""),
    "pyscenedetect_goldeneye-vfr-drop3.mp4": (160, (1280, 544), 250, ""),
    "torchcodec_h264_10bits.mp4": (30, (200, 200), 25, ""),
    "torchcodec_h265_video.mp4": (10, (128, 128), 25, ""),
    "torchcodec_nasa_13013.mp4": (325, (320, 180), 325, ""),
}
REFUSED = {
    "mp4parse_audio_only.mp4": "no video stream; found audio",
    "mp4parse_bipbop_nonfragment_header.mp4": "no frame decodes; found frames promised by the header: 297",
    "mp4parse_chunk_out_of_range.mp4": "not a video that can be opened",
    "mp4parse_encrypted_short-cenc.mp4": "encrypted",
    "mp4parse_init_segment_zero_frames.mp4": "no frame decodes; found frames promised by the header: 0",
    "torchcodec_nasa_audio.mp3": "no video stream; found audio",
}
# OpenCV stops at the first damaged packet, and knows nothing of pixel aspect
OPENCV_DIFFERS = {
    "decord_corrupted.mp4",
    "mp4parse_no_timescale.mp4",
    "autoeditor_SAR-2by3.mp4",
    "mp4parse_sar_16_9_one_frame.mp4",
}


TINY = "mp4parse_2x2_pixels.mp4"  # for its first frame, OpenCV works for three seconds


@pytest.fixture(scope="module")
def broken(shared_data: Path) -> Path:
    return shared_data / "broken"


def read(path: Path, rate: Fraction | None = None) -> tuple[list[np.ndarray], list[str]]:
    with read_frames(Clip(path.name, path), rate) as reader:
        return list(reader), reader.notes


def test_every_file_is_dealt_with(broken: Path) -> None:
    assert {path.name for path in broken.iterdir()} == DECODED.keys() | REFUSED.keys()


@pytest.mark.parametrize("name", DECODED)
def test_decodes(broken: Path, name: str) -> None:
    count, (width, height), at_25, words = DECODED[name]
    with read_frames(Clip(name, broken / name)) as reader:
        shapes = [frame.shape for frame in reader]
    assert shapes == [(height, width, 3)] * count
    assert reader.frames == count
    notes = "; ".join(reader.notes)
    assert words in notes
    assert bool(notes) == bool(words)
    with read_frames(Clip(name, broken / name), Fraction(25)) as resampled:
        assert sum(1 for _ in resampled) == resampled.frames == at_25
    assert resampled.video_s == reader.video_s
    assert abs(at_25 - 25 * reader.video_s) <= 0.5


@pytest.mark.parametrize("name", REFUSED)
def test_refused(broken: Path, name: str) -> None:
    with pytest.raises(ClipError) as caught:
        read(broken / name)
    assert REFUSED[name] in str(caught.value)
    assert str(broken / name) in str(caught.value)


def test_the_smallest_pictures_are_black(broken: Path) -> None:
    """As OpenCV decodes them too, which is seen in `make test-all` only."""
    frames, _ = read(broken / TINY)
    assert len(frames) == 3
    assert not np.any(frames)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if name == TINY else ())
        for name in sorted(DECODED.keys() - OPENCV_DIFFERS)
    ],
)
def test_as_opencv_decodes_it(broken: Path, name: str) -> None:
    """OpenCV turns pictures upright too. It converts 10-bit colour by another way: a few grey levels."""
    capture = cv2.VideoCapture(str(broken / name))
    with read_frames(Clip(name, broken / name)) as reader:
        for frame in reader:
            found, other = capture.read()
            assert found
            expected = cv2.cvtColor(other, cv2.COLOR_BGR2RGB)
            if "10bits" in name:
                assert np.abs(frame.astype(int) - expected).mean() < 1.5
            else:
                assert np.array_equal(frame, expected)
    assert not capture.read()[0]
    capture.release()


@pytest.mark.parametrize("rotated", ["decord_video_90.mov", "decord_video_180.mov"])
def test_rotations_turn_the_right_way(broken: Path, rotated: str) -> None:
    """The camera was held in three ways: by eye, the keyboard it saw is upright after these turns."""
    turned, _ = read(broken / rotated)
    coded = cv2.VideoCapture(str(broken / rotated))
    coded.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)
    turns = {"decord_video_90.mov": -1, "decord_video_180.mov": 2}[rotated]
    for frame in turned:
        np.testing.assert_array_equal(frame, np.rot90(coded.read()[1][..., ::-1], turns))
    coded.release()
    assert len(turned) == 3


def test_the_undamaged_part_of_a_corrupt_file_is_exact(broken: Path) -> None:
    path = broken / "decord_corrupted.mp4"
    capture = cv2.VideoCapture(str(path))
    with read_frames(Clip(path.name, path)) as reader:
        for _ in range(28):
            assert np.array_equal(next(reader), capture.read()[1][..., ::-1])
    capture.release()


def test_burnt_in_counter_at_25_frames_a_second(broken: Path) -> None:
    """10 frames a second to 25: the counter's pictures come 3, 2, 3, 2 … times, rounded to the nearest."""
    native, _ = read(broken / "pyscenedetect_counter.mp4")
    expected = [max(i for i in range(30) if i / 10 < (k + 0.5) / 25) for k in range(75)]
    with read_frames(Clip("x", broken / "pyscenedetect_counter.mp4"), Fraction(25)) as resampled:
        for frame, i in zip(resampled, expected, strict=True):
            assert np.array_equal(frame, native[i])

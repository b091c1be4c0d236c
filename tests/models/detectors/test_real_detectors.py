"""Detectors on frames of real videos."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

from actionbench.datasets.clip import Clip
from actionbench.datasets.video.reader import read_frames
from actionbench.models.detectors.registry import choose_detector, load_detector

WALKING = "videos/walking/hmdb51_*.avi"


@pytest.fixture(scope="module")
def frames(shared_data: Path) -> list[np.ndarray]:
    """Two frames each of a few clips of walking persons."""
    found = []
    for path in sorted(shared_data.glob(WALKING))[3:6]:
        with read_frames(Clip(path.name, path, None)) as reader:
            found += list(islice(reader, 20, 60, 20))
    return found


def yolox(shared_data: Path) -> Path:
    path = shared_data / "weights" / "yolox_nano.onnx"
    if not path.is_file():
        pytest.skip(f"no detector at {path}")
    return path


def test_both_engines_find_what_opencv_finds(shared_data: Path, frames: list[np.ndarray]) -> None:
    """OpenCV's DNN module computes the same file by code of its own."""
    file = yolox(shared_data)
    detectors = [
        load_detector(choose_detector(f"onnx:{file}@{engine}"), 1) for engine in ("openvino", "onnx")
    ]
    network = cv2.dnn.readNetFromONNX(str(file))
    persons = 0
    for frame in frames:
        first, second = (detector.detect(frame) for detector in detectors)
        assert first.corners == pytest.approx(second.corners, abs=0.1)
        assert first.scores == pytest.approx(second.scores, abs=1e-3)
        ratio = min(416 / frame.shape[0], 416 / frame.shape[1])
        picture = np.full((416, 416, 3), 114, np.uint8)
        size = int(frame.shape[1] * ratio), int(frame.shape[0] * ratio)
        picture[: size[1], : size[0]] = cv2.resize(frame, size)
        network.setInput(cv2.dnn.blobFromImage(picture, swapRB=True))
        (rows,) = network.forward()
        best = float((rows[:, 4] * rows[:, 5]).max())
        if best >= 0.3:
            assert first.scores.max() == pytest.approx(best, abs=1e-3)
        else:
            assert len(first) == 0
        persons += len(first)
    assert persons >= len(frames) / 2


def test_hog_finds_some_who_walk(frames: list[np.ndarray]) -> None:
    detector = load_detector(choose_detector("hog"), 1)
    found = [detector.detect(frame) for frame in frames]
    assert sum(map(len, found)) >= 1
    for frame, boxes in zip(frames, found, strict=True):
        assert boxes.corners.shape == (len(boxes), 4)
        if len(boxes):
            assert boxes.corners.min() >= 0
            assert (boxes.corners[:, [0, 2]] <= frame.shape[1]).all()
            assert (boxes.corners[:, [1, 3]] <= frame.shape[0]).all()


def test_hog_finds_nobody_in_a_picture_smaller_than_its_window() -> None:
    detector = load_detector(choose_detector("hog"), 1)
    assert len(detector.detect(np.zeros((100, 50, 3), np.uint8))) == 0

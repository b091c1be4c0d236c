"""OpenCV's built-in detector of persons: histograms of oriented gradients and a linear classifier.

Dalal and Triggs, "Histograms of Oriented Gradients for Human Detection", CVPR 2005. It was trained on
standing and walking persons of at least 96 pixels, and finds hardly any other (docs/people.md).
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from .detector import Boxes, Detector, Frame, suppressed

SHORT_SIDE = 480
"""Larger frames are shrunk to this shorter side, in pixels: the time grows with their area."""

STRIDE, STEP = (8, 8), 1.05
"""Step of the window in pixels, and factor between two scales: those of OpenCV's samples/cpp/peopledetect.cpp
(`detectMultiScale`)."""

SHRINK = (0.1, 0.07, 0.9, 0.87)
"""Where the person is within a rectangle: shares of its width and height (`adjustRect`
in the same sample)."""

OVERLAP = 0.45
"""See `suppressed`; the value of YOLOX's demo, for all detectors."""


class HogDetector:
    """OpenCV's detector with its own weights, `HOGDescriptor_getDefaultPeopleDetector`."""

    def __init__(self) -> None:
        self._descriptor = cv2.HOGDescriptor()
        self._descriptor.setSVMDetector(np.asarray(cv2.HOGDescriptor.getDefaultPeopleDetector()))

    def detect(self, frame: Frame) -> Boxes:
        """See `Detector.detect`. Scores are distances from the classifier's boundary, above 0."""
        height, width = frame.shape[:2]
        scale = min(1.0, SHORT_SIDE / min(height, width))
        size = max(1, round(width * scale)), max(1, round(height * scale))
        smaller = frame if scale == 1 else cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
        window = self._descriptor.winSize
        if size[0] < window[0] or size[1] < window[1]:
            return Boxes(np.empty((0, 4), np.float32), np.empty(0, np.float32))
        found, scores = self._descriptor.detectMultiScale(smaller, winStride=STRIDE, scale=STEP)
        rectangles = np.asarray(found, np.float32).reshape(-1, 4)
        origin, sides = rectangles[:, :2], rectangles[:, 2:]
        shrink = np.array(SHRINK, np.float32)
        corners = np.concatenate([origin + shrink[:2] * sides, origin + shrink[2:] * sides], axis=1)
        corners = (corners / scale).astype(np.float32)
        return suppressed(corners, np.asarray(scores, np.float32).reshape(-1), frame, 0.0, OVERLAP)

    def describe(self) -> dict[str, Any]:
        """See `Detector.describe`."""
        return {"detector": "hog", "opencv": cv2.__version__}


def hog(threads: int) -> Detector:
    """OpenCV's HOG detector with its built-in weights: standing persons, hardly any lying ones.

    - `threads`: OpenCV's threads. The number belongs to the whole process (`cv2.setNumThreads`).
    """
    cv2.setNumThreads(threads)
    return HogDetector()

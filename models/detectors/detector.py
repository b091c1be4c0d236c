"""What a detector of persons provides, and what all of them do with the boxes that they find."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

Frame = npt.NDArray[np.uint8]
"""(H, W, 3) uint8 RGB."""

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """Persons in one frame.

    - `corners`: (n, 4) float32: x0, y0, x1, y1 in pixels of the frame, within it, x0 < x1 and y0 < y1.
    - `scores`: (n,) float32: how sure the detector is, larger is surer; comparable within one detector only.
    """

    corners: FloatArray
    scores: FloatArray

    def __len__(self) -> int:
        return len(self.corners)


class Detector(Protocol):
    """Finds persons. Several threads may call it at the same time."""

    def detect(self, frame: Frame) -> Boxes:
        """The persons in `frame`, (H, W, 3) uint8 RGB of any size."""

    def describe(self) -> dict[str, Any]:
        """What its boxes depend on besides the frame, as plain values, for records and keys of caches."""


def suppressed(corners: FloatArray, scores: FloatArray, frame: Frame, least: float, overlap: float) -> Boxes:
    """The boxes that are left after non-maximum suppression, cut at the border of the frame.

    - `corners`: (n, 4), as in `Boxes`, not yet within the frame. `scores`: (n,).
    - `frame`: the picture that they are of.
    - `least`: lowest score of a box. `overlap`: of two boxes whose intersection over union is larger, the one
      with the lower score is dropped (0–1).
    """
    height, width = frame.shape[:2]
    limits = np.array([width, height, width, height], np.float32)
    inside = np.clip(corners, 0, limits).astype(np.float32)
    chosen = (inside[:, 2] > inside[:, 0]) & (inside[:, 3] > inside[:, 1]) & (scores >= least)
    inside, scores = inside[chosen], scores[chosen].astype(np.float32)
    sides = np.concatenate([inside[:, :2], inside[:, 2:] - inside[:, :2]], axis=1)
    kept = np.array(cv2.dnn.NMSBoxes(sides.tolist(), scores.tolist(), least, overlap), np.intp).reshape(-1)
    return Boxes(inside[kept], scores[kept])

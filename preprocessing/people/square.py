"""The square of a frame that a network sees of a person, with a margin, over a whole window the same."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Corners = npt.NDArray[np.float32]

MARGIN = 0.15
"""Added on each side, as a share of the longer side of the boxes' union. A network's centre crop removes a
sixteenth of the resized square on each side (224 of 256 pixels), so that the person is not cut."""


@dataclass(frozen=True, slots=True)
class Square:
    """A part of a frame, whole pixels; it may reach beyond the border.

    - `x`, `y`: upper left corner. `side`: length.
    """

    x: int
    y: int
    side: int

    def cut(self, frame: Pixels) -> Pixels:
        """The part of `frame` (H, W, 3) uint8: (side, side, 3). Beyond the border its outermost pixels are
        repeated, which adds no edge."""
        height, width = frame.shape[:2]
        left, top = max(0, -self.x), max(0, -self.y)
        right, bottom = max(0, self.x + self.side - width), max(0, self.y + self.side - height)
        inside = frame[max(0, self.y) : self.y + self.side, max(0, self.x) : self.x + self.side]
        if not any((left, top, right, bottom)):
            return inside
        padded = cv2.copyMakeBorder(inside, top, bottom, left, right, cv2.BORDER_REPLICATE)
        return np.asarray(padded, np.uint8)

    def shows(self, corners: Corners) -> bool:
        """Whether a box (4,) lies within it."""
        low, high = (self.x, self.y), (self.x + self.side, self.y + self.side)
        return bool((corners[:2] >= low).all() and (corners[2:] <= high).all())


def square_around(boxes: Corners, height: int, width: int) -> Square:
    """The square that shows a person over a window.

    - `boxes`: (n, 4), n ≥ 1: where the person is in the window's frames.
    - `height`, `width`: of the frames, pixels.

    Its middle is that of the boxes' union and its side the union's longer side with MARGIN on both ends. It
    is moved into the frame. Where it is larger than the frame's shorter side, its margin shrinks first; only
    a union that is itself longer makes it reach beyond the border.
    """
    limits = np.array([width, height], np.float64)
    low = np.clip(boxes[:, :2].min(axis=0), 0, limits - 1)
    high = np.clip(boxes[:, 2:].max(axis=0), low + 1, limits)
    longer = float((high - low).max())
    side = int(np.ceil(max(longer, min(longer * (1 + 2 * MARGIN), limits.min()))))
    corner = np.floor((low + high - side) / 2)
    room = limits - side
    x, y = np.where(room >= 0, np.clip(corner, 0, np.maximum(room, 0)), np.floor(room / 2)).astype(int)
    return Square(int(x), int(y), side)

"""Persons in a stream: each one's frames, cut so that the crop holds still over a window."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from ...models.detectors.detector import Detector
from .square import Corners, Pixels, Square, square_around
from .tracking import Track, Tracker

LOOSE = 2.0
"""A crop that has become so many times as large as it would have to be is made anew."""


@dataclass(frozen=True, slots=True, eq=False)
class PersonFrames:
    """What a frame of the stream adds to one person's window.

    - `id`: of the person, the same as long as it is followed; never used again.
    - `corners`: (4,) float32, where the person is in the frame, pixels: x0, y0, x1, y1.
    - `detected`: whether a box was detected there; otherwise it is predicted.
    - `square`: the part of the frame that is cut out.
    - `frames`: (side, side, 3) uint8 RGB each, oldest first, to be added to the person's window.
    - `anew`: the crop has changed: the window begins again with `frames`, which are all of the last ones
      with the new crop. Otherwise `frames` is one frame.
    """

    id: int
    corners: Corners
    detected: bool
    square: Square
    frames: tuple[Pixels, ...]
    anew: bool


@dataclass(slots=True)
class _Followed:
    """A person's boxes in the last frames, one for each of them since it was first seen; its current crop."""

    boxes: deque[Corners]
    square: Square | None = None


class PeopleStream:
    """Detects and follows persons in the frames of a stream, which are given one at a time.

    - `detector`: finds them.
    - `length`: frames of a window, over which a crop holds still. So many frames are kept in memory.
    - `every`: persons are looked for in every so many-th frame; in between they are predicted.
    - `patience`: frames without a detection after which a person is forgotten.
    """

    def __init__(self, detector: Detector, length: int, every: int = 1, patience: int = 25) -> None:
        self._detector = detector
        self._every = every
        self._tracker = Tracker(patience=max(1, patience // every))
        self._frames: deque[Pixels] = deque(maxlen=length)
        self._followed: dict[int, _Followed] = {}
        self._since_look = 0

    def add(self, frame: Pixels) -> tuple[PersonFrames, ...]:
        """The persons in the next frame, (H, W, 3) uint8 RGB; who is not among them any more has left.

        The frame must not be changed afterwards. Where the size of the frames changes, all begin again.
        """
        if self._frames and self._frames[-1].shape != frame.shape:
            self.forget()
        self._frames.append(frame)
        looks = self._since_look == 0 or self._since_look >= self._every
        if looks:
            self._since_look = 0
        self._since_look += 1
        tracks = self._tracker.update(self._detector.detect(frame) if looks else None)
        self._followed = {
            track.id: self._followed.get(track.id) or _Followed(deque(maxlen=self._frames.maxlen))
            for track in tracks
        }
        for track in tracks:
            self._followed[track.id].boxes.append(track.corners)
        return tuple(self._shown(track, frame) for track in tracks if track.confirmed)

    def repeat(self) -> None:
        """Count the last frame once more, in the place of one that is missing, without looking for anybody.

        Each person's window then has its last frame once more; where persons are predicted to be moves on.
        """
        self._frames.append(self._frames[-1])
        self._tracker.update(None)
        self._since_look += 1
        for followed in self._followed.values():
            followed.boxes.append(followed.boxes[-1])

    def forget(self) -> None:
        """Follow nobody any more: the next frame does not follow the last one. No id is used again."""
        self._frames.clear()
        self._followed.clear()
        self._tracker.forget()
        self._since_look = 0

    def _shown(self, track: Track, frame: Pixels) -> PersonFrames:
        followed = self._followed[track.id]
        boxes = np.stack(followed.boxes)
        needed = square_around(boxes, *frame.shape[:2])
        anew = followed.square is None or not _fits(followed.square, needed, boxes, frame)
        if anew:
            followed.square = needed
        assert followed.square is not None, "a person who is shown has a crop"
        # A person who was just seen for the first time was in none of the frames before.
        recent = list(self._frames)[-len(followed.boxes) :] if anew else [frame]
        cut = tuple(followed.square.cut(each) for each in recent)
        return PersonFrames(track.id, track.corners, track.detected, followed.square, cut, anew)


def _fits(square: Square, needed: Square, boxes: Corners, frame: Pixels) -> bool:
    """Whether a crop still shows the person's last boxes, and is not much larger than it has to be."""
    height, width = frame.shape[:2]
    low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    union = np.clip(np.concatenate([low, high]), 0, [width, height, width, height]).astype(np.float32)
    return square.shows(union) and square.side <= LOOSE * needed.side

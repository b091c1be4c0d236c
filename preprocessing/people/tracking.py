"""Following persons from frame to frame: SORT.

Bewley et al., "Simple Online and Realtime Tracking", ICIP 2016 (arXiv:1602.00763). Each person has a Kalman
filter with constant velocity; boxes are assigned to predictions so that their overlap is largest in total.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from ...models.detectors.detector import Boxes

Corners = npt.NDArray[np.float32]
"""(n, 4) or (4,) float32: x0, y0, x1, y1 in pixels."""

LEAST_OVERLAP = 0.3
"""Smallest intersection over union of a box and a prediction that are the same person; the authors' value."""

LEAST_HITS = 3
"""Boxes after which a track counts as a person; the authors' value."""


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """A person in one frame.

    - `id`: the same as long as the person is followed; ids are not used again.
    - `corners`: (4,), the box, or where it is predicted to be where nothing was detected.
    - `detected`: whether a box of this frame is that person's. `hits`: such boxes so far.
    """

    id: int
    corners: Corners
    detected: bool
    hits: int

    @property
    def confirmed(self) -> bool:
        """Whether it has been found often enough to count as a person."""
        return self.hits >= LEAST_HITS


class Tracker:
    """Follows persons through the frames that it is given.

    - `patience`: frames in a row without a box of theirs after which persons are forgotten.
    """

    def __init__(self, patience: int) -> None:
        self._patience = patience
        self._filters: list[_Person] = []
        self._next = 1

    def update(self, boxes: Boxes | None) -> tuple[Track, ...]:
        """The persons in the next frame, confirmed or not, in the order in which they were first seen.

        - `boxes`: of this frame; None if nobody was looked for, so that all are where they are predicted.
        """
        predictions = [person.predict() for person in self._filters]
        found: dict[int, Corners] = {}
        if boxes is not None:
            found, new = _assigned(boxes.corners, np.array(predictions, np.float32).reshape(-1, 4))
            for number, person in enumerate(self._filters):
                if number in found:
                    person.correct(found[number])
                else:
                    person.missed += 1
            for corners in new:
                found[len(self._filters)] = corners
                self._filters.append(_Person(self._next, corners))
                self._next += 1
        tracks = tuple(
            Track(person.id, found.get(number, person.corners), number in found, person.hits)
            for number, person in enumerate(self._filters)
            if person.missed <= self._patience
        )
        self._filters = [person for person in self._filters if person.missed <= self._patience]
        return tracks

    def forget(self) -> None:
        """Follow nobody any more; later persons get new ids all the same."""
        self._filters = []


def _assigned(boxes: Corners, predictions: Corners) -> tuple[dict[int, Corners], list[Corners]]:
    """Number of a prediction → its box; the boxes that belong to none."""
    overlaps = overlap(boxes, predictions)
    rows, columns = linear_sum_assignment(-overlaps)
    pairs = [(r, c) for r, c in zip(rows, columns, strict=True) if overlaps[r, c] >= LEAST_OVERLAP]
    taken = {row for row, _ in pairs}
    new = [box for number, box in enumerate(boxes) if number not in taken]
    return {int(column): boxes[row] for row, column in pairs}, new


def overlap(first: Corners, second: Corners) -> npt.NDArray[np.float32]:
    """Intersection over union, 0–1, of each box in `first` (n, 4) with each in `second` (m, 4): (n, m)."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    areas = [(each[:, 2:] - each[:, :2]).prod(axis=1) for each in (first, second)]
    union = areas[0][:, None] + areas[1][None] - shared
    ratio: npt.NDArray[np.float32] = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return ratio


class _Person:
    """A Kalman filter of centre, area and aspect of a box, and the velocities of the first three.

    The covariances are those of the authors' code (sort.py, `KalmanBoxTracker`), in pixels and frames.
    """

    def __init__(self, id: int, corners: Corners) -> None:
        self.id, self.hits, self.missed = id, 1, 0
        self._filter = cv2.KalmanFilter(7, 4, 0, cv2.CV_64F)
        self._filter.transitionMatrix = np.eye(7) + np.eye(7, k=4)
        self._filter.measurementMatrix = np.eye(4, 7)
        self._filter.measurementNoiseCov = np.diag([1.0, 1, 10, 10])
        self._filter.processNoiseCov = np.diag([1.0, 1, 1, 1, 0.01, 0.01, 0.0001])
        self._filter.errorCovPost = np.diag([10.0, 10, 10, 10, 1e4, 1e4, 1e4])
        self._filter.statePost = np.concatenate([_measured(corners), np.zeros(3)])[:, None]

    @property
    def corners(self) -> Corners:
        """The box of the current state."""
        x, y, area, aspect = self._filter.statePost[:4, 0]
        width = np.sqrt(max(area, 1.0) * max(aspect, 1e-3))
        height = max(area, 1.0) / width
        return np.array([x - width / 2, y - height / 2, x + width / 2, y + height / 2], np.float32)

    def predict(self) -> Corners:
        state = self._filter.statePost
        if state[2, 0] + state[6, 0] <= 0:  # an area below 0 is no box
            state[6, 0] = 0
            self._filter.statePost = state
        self._filter.predict()
        return self.corners

    def correct(self, corners: Corners) -> None:
        self._filter.correct(_measured(corners)[:, None])
        self.hits += 1
        self.missed = 0


def _measured(corners: Corners) -> npt.NDArray[np.float64]:
    """Centre x and y, area, aspect (width / height) of a box."""
    x0, y0, x1, y1 = corners.astype(np.float64)
    width, height = x1 - x0, y1 - y0
    return np.array([(x0 + x1) / 2, (y0 + y1) / 2, width * height, width / height])

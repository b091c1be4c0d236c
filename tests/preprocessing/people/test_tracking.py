"""Persons are the same from frame to frame."""

from __future__ import annotations

import numpy as np
import pytest

from actionbench.preprocessing.people.tracking import Tracker, overlap

from .moving import boxes

RIGHT = [(10.0 + 4 * n, 20.0, 40.0 + 4 * n, 100.0) for n in range(20)]
LEFT = [(150.0 - 4 * n, 22.0, 178.0 - 4 * n, 104.0) for n in range(20)]


def test_overlap_by_hand() -> None:
    first = np.array([[0, 0, 10, 10], [0, 0, 0, 0]], np.float32)
    second = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30]], np.float32)
    assert overlap(first, second) == pytest.approx(np.array([[1, 1 / 3, 0], [0, 0, 0]]))


def test_persons_who_pass_each_other_keep_their_ids() -> None:
    tracker = Tracker(patience=5)
    last = {}
    for number in range(20):
        # The order of a detector's boxes means nothing.
        found = [RIGHT[number], LEFT[number]][:: -1 if number % 2 else 1]
        last = {track.id: track.corners for track in tracker.update(boxes(*found))}
    assert sorted(last) == [1, 2]
    rightmost = max(last.values(), key=lambda corners: corners[0])
    assert rightmost.tolist() == list(RIGHT[19])


def test_a_person_who_is_not_detected_for_a_while_is_predicted_and_stays_the_same() -> None:
    tracker = Tracker(patience=5)
    for number in range(8):
        tracker.update(boxes(RIGHT[number]))
    for number in range(8, 11):
        (track,) = tracker.update(boxes())
        assert not track.detected
        assert track.corners == pytest.approx(np.array(RIGHT[number]), abs=3)
    (track,) = tracker.update(boxes(RIGHT[11]))
    assert (track.id, track.detected, track.hits) == (1, True, 9)


def test_a_person_is_forgotten_after_the_patience_and_the_id_not_used_again() -> None:
    tracker = Tracker(patience=2)
    tracker.update(boxes(RIGHT[0]))
    assert [len(tracker.update(boxes())) for _ in range(4)] == [1, 1, 0, 0]
    (track,) = tracker.update(boxes(RIGHT[0]))
    assert track.id == 2
    tracker.forget()
    assert [track.id for track in tracker.update(boxes(RIGHT[0]))] == [3]


def test_frames_in_which_nobody_was_looked_for_cost_no_patience() -> None:
    tracker = Tracker(patience=1)
    tracker.update(boxes(RIGHT[0]))
    for _ in range(10):
        assert len(tracker.update(None)) == 1


def test_a_person_counts_from_the_third_box_on() -> None:
    tracker = Tracker(patience=5)
    assert [tracker.update(boxes(RIGHT[n]))[0].confirmed for n in range(4)] == [False, False, True, True]


def test_a_shrinking_box_never_gets_an_area_below_zero() -> None:
    tracker = Tracker(patience=30)
    for number in range(10):
        tracker.update(boxes((50.0 + number, 50.0 + number, 80.0 - number, 80.0 - number)))
    for _ in range(30):
        for track in tracker.update(boxes()):
            assert np.isfinite(track.corners).all()
            assert (track.corners[2:] > track.corners[:2]).all()

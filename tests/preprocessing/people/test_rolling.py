"""Persons in a stream: each one's frames, with a crop that holds still over a window."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from actionbench.preprocessing.people.rolling import PeopleStream, PersonFrames

from .moving import Box, Knowing, frame

LENGTH = 8


def standing(_: int) -> list[Box]:
    return [(20, 30, 50, 90)]


def walking(number: int) -> list[Box]:
    return [(10 + 3 * number, 30, 40 + 3 * number, 90)]


def windows(stream: PeopleStream, frames: int) -> dict[int, list[list[PersonFrames]]]:
    """Person → the window after each frame, as whoever gets the frames would build it."""
    held: dict[int, list[PersonFrames]] = {}
    found: dict[int, list[list[PersonFrames]]] = defaultdict(list)
    for number in range(frames):
        for person in stream.add(frame(number)):
            held[person.id] = ([] if person.anew else held[person.id]) + [person]
            found[person.id].append(list(held[person.id]))
    return found


def content(window: list[PersonFrames]) -> np.ndarray:
    """The last LENGTH frames of a window."""
    return np.stack([cut for person in window for cut in person.frames][-LENGTH:])


def test_who_stands_still_gets_one_frame_a_frame() -> None:
    (of_person,) = windows(PeopleStream(Knowing(standing), LENGTH), 20).values()
    assert len(of_person) == 18
    assert [len(person.frames) for person in of_person[-1]] == [3] + [1] * 17
    assert [person.anew for person in of_person[-1]] == [True] + [False] * 17


def test_the_crop_holds_still_over_each_window_and_shows_the_person_in_each_frame() -> None:
    (of_person,) = windows(PeopleStream(Knowing(walking), LENGTH), 40).values()
    began = 0
    for end, window in enumerate(of_person, start=2):
        pixels = content(window)
        corners = {(int(cut[0, 0, 0]), int(cut[0, 0, 1]), cut.shape) for cut in pixels}
        assert len(corners) == 1
        assert pixels[:, 0, 0, 2].tolist() == list(range(max(0, end - LENGTH + 1), end + 1))
        ((left, top, shape),) = corners
        for number in pixels[:, 0, 0, 2].tolist():
            ((x0, y0, x1, y1),) = walking(number)
            assert left <= x0
            assert x1 <= left + shape[1]
            assert top <= y0
            assert y1 <= top + shape[0]
        began += window[-1].anew
    # Each new crop costs a whole window: most frames must do without.
    assert 1 < began < len(of_person) / 2


def test_a_crop_that_has_become_far_too_large_is_made_anew() -> None:
    def leaving(number: int) -> list[Box]:
        """Someone who walks away from the camera."""
        shrink = 2 * min(number, 22)
        return [(50 + shrink, 10 + shrink, 100 + shrink / 2, 110 - shrink / 2)]

    (of_person,) = windows(PeopleStream(Knowing(leaving), LENGTH), 60).values()
    sides = [window[-1].square.side for window in of_person]
    assert sides[0] == 120
    assert sides[-1] <= 80


def test_two_persons_get_windows_of_their_own() -> None:
    def two(number: int) -> list[Box]:
        return [*standing(number), (120, 30, 150, 90)]

    found = windows(PeopleStream(Knowing(two), LENGTH), 10)
    assert sorted(found) == [1, 2]
    lefts = {id: int(content(of_person[-1])[0, 0, 0, 0]) for id, of_person in found.items()}
    assert lefts[1] < 30 < 90 < lefts[2]


def test_who_is_gone_is_not_among_the_persons_any_more() -> None:
    def leaving(number: int) -> list[Box]:
        return standing(number) if number < 6 else []

    stream = PeopleStream(Knowing(leaving), LENGTH, patience=3)
    there = [[(person.id, person.detected) for person in stream.add(frame(number))] for number in range(12)]
    assert there == [[], []] + [[(1, True)]] * 4 + [[(1, False)]] * 3 + [[]] * 3


def test_persons_are_looked_for_in_every_second_frame_and_shown_in_all() -> None:
    detector = Knowing(walking)
    stream = PeopleStream(detector, LENGTH, every=2)
    shown = [len(stream.add(frame(number))) for number in range(12)]
    assert detector.asked == [0, 2, 4, 6, 8, 10]
    assert shown == [0] * 4 + [1] * 8


def test_a_change_of_the_frame_size_begins_anew_with_new_ids() -> None:
    stream = PeopleStream(Knowing(standing), LENGTH)
    for number in range(5):
        stream.add(frame(number))
    later = [stream.add(frame(number)[:110, :180]) for number in range(5, 10)]
    assert [len(persons) for persons in later] == [0, 0, 1, 1, 1]
    assert later[2][0].id == 2
    assert later[2][0].anew
    assert len(later[2][0].frames) == 3


def test_frames_that_are_missing_cost_no_look_and_move_predictions_on() -> None:
    """Of a person who walks, frames 12 to 17 are missing: the last one stands in their places."""
    detector = Knowing(walking)
    stream = PeopleStream(detector, LENGTH, every=3)
    for number in range(12):
        stream.add(frame(number))
    assert detector.asked == [0, 3, 6, 9]
    for _ in range(6):
        stream.repeat()
    (person,) = stream.add(frame(18))
    assert detector.asked == [0, 3, 6, 9, 18], "the next one is looked at"
    assert person.id == 1
    assert person.detected
    assert person.corners.tolist() == list(walking(18)[0])
    assert person.anew
    assert [int(cut[0, 0, 2]) for cut in person.frames] == [11] * 7 + [18]

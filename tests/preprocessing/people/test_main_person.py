"""The person that a clip is about."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from actionbench.datasets.clip import Clip
from actionbench.errors import ClipError
from actionbench.preprocessing.people import main_person
from actionbench.preprocessing.people.main_person import MainPerson
from actionbench.preprocessing.people.square import Square, square_around

from .moving import HEIGHT, WIDTH, Box, Knowing, frame

MakeClip = Callable[[int], Clip]


@pytest.fixture
def make_clip(tmp_path: Path) -> MakeClip:
    """A clip of so many frames, 25 a second: persons are looked for in every second one."""

    def make(frames: int) -> Clip:
        path = tmp_path / f"{frames}.npy"
        np.save(path, np.stack([frame(number) for number in range(frames)]))
        return Clip(path.name, path, None)

    return make


NEAR: Box = (100, 10, 150, 110)
FAR: Box = (20, 40, 40, 90)


def test_it_is_who_is_seen_longest_and_largest(make_clip: MakeClip) -> None:
    def who(number: int) -> list[Box]:
        return [FAR, NEAR] if number < 20 else [FAR]

    detector = Knowing(who)
    looks: list[int] = []
    found = MainPerson(detector)(make_clip(40), looks.append)
    assert found == square_around(np.array([NEAR], np.float32), HEIGHT, WIDTH)
    assert detector.asked == list(range(0, 40, 2))
    assert looks == list(range(1, 21))

    def briefly(number: int) -> list[Box]:
        return [FAR, NEAR] if number < 6 else [FAR]

    assert MainPerson(Knowing(briefly))(make_clip(40)) == square_around(
        np.array([FAR], np.float32), HEIGHT, WIDTH
    )


def test_the_square_shows_the_person_in_all_frames(make_clip: MakeClip) -> None:
    def falling(number: int) -> list[Box]:
        return [(50, 20, 80, 100)] if number < 20 else [(50, 70, 120, 100)]

    square = MainPerson(Knowing(falling))(make_clip(40))
    assert square is not None
    assert square.shows(np.array([50, 20, 80, 100], np.float32))


@pytest.mark.parametrize("hits", [0, 1, 2])
def test_a_box_or_two_in_a_long_clip_are_nobody(hits: int, make_clip: MakeClip) -> None:
    assert MainPerson(Knowing(lambda number: [NEAR] if number < 2 * hits else []))(make_clip(40)) is None


def test_in_a_clip_of_one_look_one_box_is_enough(make_clip: MakeClip) -> None:
    assert isinstance(MainPerson(Knowing(lambda _: [NEAR]))(make_clip(2)), Square)


def test_a_clip_that_is_too_long_is_refused(make_clip: MakeClip, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(main_person, "MOST_LOOKS", 5)
    with pytest.raises(ClipError, match="too long"):
        MainPerson(Knowing(lambda _: []))(make_clip(40))


def test_the_description_holds_what_squares_depend_on() -> None:
    described = MainPerson(Knowing(lambda _: [])).describe()
    assert described["detector"] == "knowing"
    assert {"version", "margin", "looks_per_s"} <= described.keys()

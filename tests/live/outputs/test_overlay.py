"""What stands on pictures, in every size and language."""

from __future__ import annotations

import numpy as np
import pytest

from actionbench.live.labelling import PersonLabel
from actionbench.live.measurements import SessionStatus
from actionbench.live.outputs.output import Shown
from actionbench.live.outputs.overlay import TALL, drawn

from ..making import person, picture, shown

SIZES = [(120, 160), (240, 320), (480, 640), (1080, 1920), (720, 405)]
CAVEATS = ("random weights: these predictions mean nothing", "cannot keep up: 12 frames dropped in 5 s")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("grey", [0, 255])
def test_text_stands_out_at_both_edges_and_the_middle_is_left_alone(size: tuple[int, int], grey: int) -> None:
    before = picture(*size, grey=grey)
    made = drawn(before, shown(caveats=CAVEATS))
    assert made.shape == before.shape
    assert (before == grey).all()
    for edge in (made[: size[0] // 4], made[-size[0] // 4 :]):
        assert edge.max() - edge.min() > 150
    if size[0] >= TALL:
        assert (made[size[0] // 2] == grey).all()


def differs(first: Shown, second: Shown, size: tuple[int, int] = (240, 320)) -> bool:
    before = picture(*size)
    return bool((drawn(before, first) != drawn(before, second)).any())


def test_everything_that_changes_is_drawn() -> None:
    usual = shown()
    assert differs(usual, shown(label=None))
    assert differs(usual, shown(caveats=CAVEATS[:1]))
    assert differs(shown(label=None), shown(label=None, clearing=("falling",)))
    assert differs(usual, Shown(usual.decision, 1.5, usual.top, usual.status))
    assert differs(usual, Shown(usual.decision, 0.25, usual.top, SessionStatus(processed_fps=12.0)))
    assert differs(usual, Shown(usual.decision, 0.25, usual.top[:2], usual.status))
    assert differs(usual, Shown(None, None, (), usual.status))


def test_small_pictures_have_no_room_for_the_likeliest_classes() -> None:
    usual = shown()
    assert not differs(usual, Shown(usual.decision, 0.25, (), usual.status), (120, 160))


@pytest.mark.parametrize(("one", "other"), [("stürzen", "stärzen"), ("падение", "бег"), ("πτώση", "τρέξιμο")])
def test_letters_beyond_ascii_are_drawn_as_they_are(one: str, other: str) -> None:
    """Question marks in their place would make words of one length alike."""
    assert differs(shown(one), shown(other))
    assert differs(shown(one), shown("?" * len(one)))


def test_a_long_label_is_cut_within_the_picture() -> None:
    made = drawn(picture(120, 160, grey=0), shown("x" * 500))
    assert not made[:30, -2:].any()


def test_a_bar_is_as_long_as_the_confidence() -> None:
    made = drawn(picture(480, 640, grey=0), shown())
    green = (made == (90, 220, 120)).all(2).any(0)
    assert np.count_nonzero(green) == pytest.approx(0.75 * 640, rel=0.03)


def test_control_characters_of_a_label_are_not_drawn() -> None:
    assert not differs(shown("a\n\x1bb"), shown("a \ufffdb"))


def with_people(*people: PersonLabel) -> Shown:
    usual = shown()
    return Shown(usual.decision, 0.25, usual.top, usual.status, people, 1)


def test_each_person_has_a_box_where_the_person_is() -> None:
    made = drawn(
        picture(480, 640, grey=0), with_people(person(1, "falling"), person(2, box=(0.6, 0.3, 0.8, 0.7)))
    )
    green, white = (made == (90, 220, 120)).all(2), (made == 255).all(2)
    assert green[150:350, 160].all(), "the left edge, below the label, of the one who acts"
    assert green[359, 161:319].all()
    assert white[200:330, round(0.6 * 639)].all()
    assert not made[400:440, 200:600].any()


def test_all_of_a_person_is_drawn() -> None:
    usual = with_people(person(1, "falling"))
    for other in (
        with_people(),
        with_people(person(2, "falling")),
        with_people(person(1)),
        with_people(person(1, "falling", probabilities=(0.5, 0.25))),
        with_people(person(1, probabilities=None)),
        with_people(person(1, watched=False)),
        Shown(usual.decision, 0.25, usual.top, usual.status, usual.people, 2),
    ):
        assert differs(usual, other, (480, 640))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("box", [(-0.5, -0.5, 1.5, 1.5), (0.9, 0.9, 1.2, 1.2), (-0.2, 0.0, 0.1, 0.05)])
def test_a_person_beyond_the_edge_is_drawn_within(
    size: tuple[int, int], box: tuple[float, float, float, float]
) -> None:
    made = drawn(picture(*size, grey=0), with_people(person(1, "x" * 300, box)))
    assert made.shape == (*size, 3)
    assert (made == (90, 220, 120)).all(2).any()


@pytest.mark.parametrize(
    ("people", "words"),
    [
        (None, "waiting for the first window"),
        ((), "nobody in the picture"),
        ((person(1, watched=False),), "nobody in a zone"),
        ((person(1, watched=False), person(2, probabilities=None)), "waiting for the first window"),
    ],
)
def test_why_there_is_no_label(people: tuple[PersonLabel, ...] | None, words: str) -> None:
    assert Shown(None, None, (), SessionStatus(), people).waiting == words
    assert shown().waiting is None

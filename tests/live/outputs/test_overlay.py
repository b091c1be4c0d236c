"""What stands on pictures, in every size and language."""

from __future__ import annotations

import numpy as np
import pytest

from actionbench.live.measurements import SessionStatus
from actionbench.live.outputs.output import Shown
from actionbench.live.outputs.overlay import TALL, drawn

from ..making import picture, shown

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

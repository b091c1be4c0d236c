"""Text from outside cannot act on what shows it."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actionbench.plain_text import indented, plain, plain_line, spreadsheet_cell

ACTING = {"Cc", "Cf", "Cs", "Zl", "Zp"}
ANY = st.text(st.characters(exclude_categories=()))


@given(ANY)
def test_no_character_that_acts_is_left(text: str) -> None:
    found = plain(text)
    assert len(found) == len(text)
    assert not {c for c in found if c != "\n" and unicodedata.category(c) in ACTING}
    assert all(new in (old, "\ufffd") for old, new in zip(text, found, strict=True))
    assert "\n" not in plain_line(text)
    found.encode()  # no surrogate is left either


@given(st.text(st.characters(categories=("L", "N", "P", "S"))))
def test_other_text_stays_as_it_is(text: str) -> None:
    assert plain(text) == plain_line(text) == text


def test_no_line_but_the_first_begins_at_the_margin() -> None:
    assert indented("a\nbench: error: b\n\nc") == "a\n  bench: error: b\n  \n  c"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "  =1", "＝1"])
def test_no_cell_is_a_formula(text: str) -> None:
    assert spreadsheet_cell(text).startswith("'")


@pytest.mark.parametrize("value", ["a=1", "", "x.mp4", -1.5, None])
def test_other_cells_stay_as_they_are(value: object) -> None:
    assert spreadsheet_cell(value) == value

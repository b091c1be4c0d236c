"""Class names as people write them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actionbench.datasets.labels import LabelMatcher

VOCABULARY = (
    "playing cricket",
    "hurling (sport)",
    "passing American football (in game)",
    "passing American football (not in game)",
    "massaging person's head",
    "push up",
    "tai chi",
)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("playing cricket", "playing cricket"),
        ("Playing_Cricket", "playing cricket"),
        ("playing-cricket ", "playing cricket"),
        ("PlayingCricket", "playing cricket"),
        ("hurling", "hurling (sport)"),
        ("hurling_(sport)", "hurling (sport)"),
        ("hurling sport", "hurling (sport)"),
        ("passing_American_football_(in_game)", "passing American football (in game)"),
        ("passing American football", None),
        ("massaging_persons_head", "massaging person's head"),
        ("push up (gym)", "push up"),
        ("cricket", None),
        ("", None),
        ("()", None),
        ("_", None),
    ],
)
def test_written_names(written: str, name: str | None) -> None:
    assert LabelMatcher(VOCABULARY)(written) == name


def test_an_exact_name_wins_over_a_similar_one() -> None:
    matcher = LabelMatcher(["Run", "run", "walk", "walk"])
    assert matcher("Run") == "Run"
    assert matcher("run") == "run"
    assert matcher("RUN") is None
    assert matcher("Walk") == "walk"


@given(name=st.sampled_from(VOCABULARY), data=st.data())
def test_separators_and_case_do_not_count(name: str, data: st.DataObject) -> None:
    separator = data.draw(st.sampled_from([" ", "_", "-", "", "  ", "._"]))
    written = separator.join(name.split())
    changes: list[Callable[[str], str]] = [str.upper, str.lower, str.title, str]
    written = data.draw(st.sampled_from(changes))(written)
    assert LabelMatcher(VOCABULARY)(written) == name


def test_every_kinetics_name_finds_itself(shared_data: Path) -> None:
    for file in ("label_map.txt", "label_map_600.txt"):
        names = (shared_data / "annotations/kinetics" / file).read_text().splitlines()
        matcher = LabelMatcher(names)
        assert [matcher(name) for name in names] == names
        assert [matcher(name.replace(" ", "_").upper()) for name in names] == names


def test_a_label_of_any_length_is_read_at_once() -> None:
    """A search grew with the square of the length: of a tenth of this one it took 3 s."""
    assert LabelMatcher(VOCABULARY)("(" * 200_000) is None

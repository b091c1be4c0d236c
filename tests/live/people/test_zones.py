"""Zones by points that were computed by hand, and files that are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from actionbench.errors import UsageError
from actionbench.live.people.zones import read_zones

ZONES = """
bed: [[0.0, 0.5], [0.5, 0.5], [0.5, 1.0], [0.0, 1.0]]
door: [[0.4, 0.0], [1.0, 0.0], [1, 1]]
"""


@pytest.mark.parametrize(
    ("box", "zone"),
    [
        ((0.2, 0.1, 0.4, 0.7), "bed"),
        ((0.2, 0.1, 0.4, 0.4), None),  # stands behind the bed, although above it in the picture
        ((0.4, 0.2, 0.6, 0.5), "bed"),  # on the corner
        ((0.4, 0.2, 0.8, 0.3), "door"),  # at (0.6, 0.3); the door's edge is at x = 0.58 there
        ((0.4, 0.2, 0.7, 0.3), None),  # at (0.55, 0.3)
        ((0.1, 0.6, 0.3, 1.4), "bed"),  # the feet are below the picture
        ((-0.4, 0.6, 0.1, 0.9), "bed"),  # the middle is beside it
        ((0.9, 0.6, 1.3, 0.9), "door"),  # at (1, 0.9) of the picture's edge
    ],
)
def test_a_person_is_where_the_middle_of_the_lower_edge_lies(
    tmp_path: Path, box: tuple[float, float, float, float], zone: str | None
) -> None:
    path = tmp_path / "zones.yaml"
    path.write_text(ZONES)
    zones = read_zones(path)
    assert zones.names == ("bed", "door")
    assert zones.at(box) == zone


def test_of_zones_that_overlap_the_first_one_counts(tmp_path: Path) -> None:
    path = tmp_path / "zones.yaml"
    square = "[[0, 0], [1, 0], [1, 1], [0, 1]]"
    path.write_text(f"b: {square}\na: {square}\n")
    assert read_zones(path).at((0.4, 0.4, 0.6, 0.6)) == "b"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "has no zones"),
        ("[1, 2]", "has no zones"),
        ("a: [", "is not YAML"),
        ("1: [[0, 0], [1, 0], [1, 1]]", "a zone's name is not a line of text"),
        ('"a\\e": [[0, 0], [1, 0], [1, 1]]', "a zone's name is not a line of text"),
        ("bed: [[0, 0], [1, 1]]", "bed: is no polygon"),
        ("bed: [[0, 0], [1, 0], [640, 480]]", "bed: is no polygon"),
        ("bed: [[0, 0], [1, 0], [1, .nan]]", "bed: is no polygon"),
        ("bed: [[0, 0], [1, 0], [1, true]]", "bed: is no polygon"),
        ("bed: [[0, 0], [0.5, 0.5], [1, 1]]", "bed: is no polygon"),
        ("bed: abc", "bed: is no polygon"),
        ("bed: {a: 1, b: 2, c: 3}", "bed: is no polygon"),
    ],
)
def test_what_is_no_file_of_zones_is_one_clear_error(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "zones.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=says) as caught:
        read_zones(path)
    assert str(path) in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no\.yaml: cannot be read"):
        read_zones(tmp_path / "no.yaml")

"""A value is what its type says, to the last leaf, or one error that names the place."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from math import isnan
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actionbench.typed_values import Mismatch, typed, typed_fields


@dataclass(frozen=True, slots=True)
class Part:
    name: str
    size: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Whole:
    seconds: float
    state: Literal["on", "off"] = "on"
    parts: tuple[Part, ...] = ()
    pairs: tuple[tuple[str, float], ...] = ()
    values: dict[str, dict[str, float]] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    count: int | None = None
    sure: bool = False
    either: int | str = 0


NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
WHOLES = st.builds(
    Whole,
    NUMBERS | st.integers(),
    st.sampled_from(["on", "off"]),
    st.lists(st.builds(Part, st.text(), st.none() | st.tuples(st.integers(), st.integers()))).map(tuple),
    st.lists(st.tuples(st.text(), NUMBERS)).map(tuple),
    st.dictionaries(st.text(), st.dictionaries(st.text(), NUMBERS)),
    st.dictionaries(st.text(), st.none() | st.text() | st.lists(st.integers())),
    st.none() | st.integers(),
    st.booleans(),
    st.integers() | st.text(),
)


@given(WHOLES)
def test_what_was_written_is_read_and_written_again_in_the_same_bytes(whole: Whole) -> None:
    text = json.dumps(asdict(whole))
    found = typed(Whole, json.loads(text))
    assert found == whole
    assert json.dumps(asdict(found)) == text


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], r"^expected an object with seconds, found \[\]$"),
        ({}, "^missing fields: seconds$"),
        ({"seconds": 1, "y": 2, "x": 1}, "^unknown fields: x, y; possible: count, "),
        ({"seconds": 1, "y": 2, True: 1, None: 3}, "^unknown fields: None, True, y; possible: "),  # of YAML
        ({"seconds": "1"}, '^seconds: expected a number, found "1"$'),
        ({"seconds": True}, "^seconds: expected a number, found true$"),
        ({"seconds": None}, "^seconds: expected a number, found null$"),
        ({"seconds": 1, "sure": 1}, "^sure: expected true or false, found 1$"),
        ({"seconds": 1, "count": 1.5}, r"^count: expected a whole number, found 1\.5$"),
        ({"seconds": 1, "count": True}, "^count: expected a whole number, found true$"),
        ({"seconds": 1, "state": "ON"}, "^state: expected 'on' or 'off', found \"ON\"$"),
        ({"seconds": 1, "parts": {}}, "^parts: expected a list, found {}$"),
        (
            {"seconds": 1, "parts": [{"name": "a"}, {"name": 3}]},
            r"^parts\[1\]\.name: expected a text, found 3",
        ),
        ({"seconds": 1, "parts": [{"name": "a", "size": [1]}]}, r"^parts\[0\]\.size: expected a list of 2"),
        (
            {"seconds": 1, "parts": [{"name": "a", "more": 1}]},
            r"^parts\[0\]: unknown fields: more; possible: name, size$",
        ),
        ({"seconds": 1, "pairs": [["a", 1], ["b", "c"]]}, r"^pairs\[1\]\[1\]: expected a number"),
        ({"seconds": 1, "values": {"a": {"b": None}}}, r"^values\['a'\]\['b'\]: expected a number"),
        ({"seconds": 1, "values": []}, "^values: expected an object"),
        ({"seconds": 1, "either": 1.5}, "^either: expected a text"),
        ({"seconds": "x" * 10_000}, r"^seconds: expected a number, found .{57}\.\.\.$"),
    ],
)
def test_what_is_of_another_type_is_named_with_its_place(value: object, message: str) -> None:
    with pytest.raises(Mismatch, match=message):
        typed(Whole, value)


def test_fields_that_are_not_asked_for_are_not_looked_at() -> None:
    assert typed_fields(Part, {"name": "a", "more": [], 5: None}) == Part("a")
    with pytest.raises(Mismatch, match=r"^name: expected a text, found 5$"):
        typed_fields(Part, {"name": 5})


def test_numbers_are_kept_as_they_are() -> None:
    found = typed(Whole, json.loads('{"seconds": NaN, "count": 1180591620717411303424, "pairs": [["a", 1]]}'))
    assert isnan(found.seconds)
    assert found.count == 2**70
    assert isinstance(found.pairs[0][1], int)


def test_a_count_may_be_written_as_a_float() -> None:
    """As multiply-accumulates of a model of somebody else's may be."""
    count = typed(Whole, json.loads('{"seconds": 1, "count": 2.5e9}')).count
    assert (count, type(count)) == (2_500_000_000, int)
    for not_whole in ("NaN", "Infinity"):
        with pytest.raises(Mismatch, match="count: expected a whole number"):
            typed(Whole, json.loads(f'{{"seconds": 1, "count": {not_whole}}}'))


def test_a_number_that_no_float_holds_is_none() -> None:
    assert typed(Whole, {"seconds": 10**300, "count": 10**400}).count == 10**400
    with pytest.raises(Mismatch, match="seconds: expected a number, found 1000"):
        typed(Whole, {"seconds": 10**400, "count": 1})


def test_paths_and_fractions_are_texts() -> None:
    @dataclass
    class File:
        path: Path
        rate: Fraction | None

    assert typed(File, {"path": "a/b", "rate": "30000/1001"}) == File(Path("a/b"), Fraction(30000, 1001))
    for rate in ("1/0", "fast", "1e999", "1e-999999999", "1e1000000000", "9" * 400):
        with pytest.raises(Mismatch, match="rate: expected a text that stands for a Fraction"):
            typed(File, {"path": "a", "rate": rate})


def test_a_type_that_no_value_is_read_as_is_a_mistake_in_the_code() -> None:
    @dataclass
    class Odd:
        x: bytes

    with pytest.raises(TypeError, match="bytes"):
        typed(Odd, {"x": "a"})

"""Whatever a JSON or YAML text holds, it is a value or one clear error, at once."""

from __future__ import annotations

import contextlib
import json
import math
from fractions import Fraction

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from actionbench.parsing import parse_fraction, parse_json, parse_yaml, to_yaml

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
DEEP = "[" * 100_000
BOMB = "a: &a [1]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@given(VALUES)
def test_what_was_written_is_read(value: object) -> None:
    assert parse_json(json.dumps(value)) == value
    # Each value once: PyYAML writes equal lists as aliases where they are one object.
    assert parse_yaml(yaml.dump(json.loads(json.dumps(value)), Dumper=_WithoutAliases)) == value


class _WithoutAliases(yaml.SafeDumper):
    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
        return True


@given(st.text() | st.text(alphabet="[]{}:,-!&*?|>#'\"\n 0a~<=.") | st.binary().map(repr))
@example("{a:" * 10_000)
@example("!!int ''")
@example("!!timestamp x")
@example("!!bool x")
@example("2026-99-99")
@example("? [a]\n: b")
@example("\x07")
def test_any_text_is_a_value_or_a_value_error(text: str) -> None:
    for parse in (parse_json, parse_yaml):
        with contextlib.suppress(ValueError):
            parse(text)


LONG = {
    "decimal": "9" * 5000,
    "negative": "-" + "9" * 5000,
    "hexadecimal": "0x" + "f" * 4000,
    "binary": "0b" + "1" * 20_000,
    "octal": "0" + "7" * 6000,
    "base 60": "59:" * 3000 + "59",
}


@pytest.mark.parametrize("number", LONG.values(), ids=LONG.keys())
@pytest.mark.parametrize("text", ["{}", "[1, {}]", "? {}\n: 1", "!!int '{}'"])
def test_a_whole_number_that_python_could_not_print_is_refused_at_once(number: str, text: str) -> None:
    with pytest.raises(ValueError, match=r"line 1, column \d+: the number .{8}… has more than 200 digits"):
        parse_yaml(text.format(number))


@pytest.mark.parametrize("text", ["{}", '{{"seed": [1, -{}]}}'])
def test_json_has_the_same_bound(text: str) -> None:
    with pytest.raises(ValueError, match=r"^the number .{8}… has more than 200 digits$"):
        parse_json(text.format("9" * 201))


@pytest.mark.parametrize("number", ["9" * 200, "-" + "9" * 199, "0x" + "f" * 198, "59:" * 66 + "59"])
def test_every_whole_number_that_is_read_can_be_printed_and_converted(number: str) -> None:
    value = parse_yaml(number)
    assert isinstance(value, int)
    assert str(value).lstrip("-").isdigit()
    assert math.isfinite(float(value))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (DEEP, "nested too deeply"),
        (BOMB, r"line 2, column 8: aliases \(\*name\) are not read"),
        ("seed: 1\nmodels: i3d\nseed: 2\n", "line 3, column 1: the key 'seed' occurs twice"),
        ("a: [", "line 1, column 5: "),
        ("- !!timestamp x", "holds a value that cannot be read"),
    ],
)
def test_yaml_that_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        parse_yaml(text)


@pytest.mark.parametrize(
    ("text", "message"), [(DEEP, "nested too deeply"), ('{"a":', "Expecting value, at character 6")]
)
def test_json_that_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        parse_json(text)


def test_what_stands_twice_is_written_twice() -> None:
    shared = {"falling": 0.1}
    value = {"b": shared, "a": [shared, "ä: #"]}
    assert parse_yaml(to_yaml(value)) == value
    assert list(parse_yaml(to_yaml(value))) == ["b", "a"]


@given(st.fractions())
def test_a_fraction_that_was_written_is_read(value: Fraction) -> None:
    assert parse_fraction(str(value)) == value


@pytest.mark.parametrize("text", ["25", "30000/1001", "12.5", "1e-3", "29.97002997002997", "1e99"])
def test_a_number_is_read_exactly(text: str) -> None:
    assert parse_fraction(text) == Fraction(text)


@pytest.mark.parametrize("text", ["", "fast", "nan", "inf", "1e1000000000", "1" * 201, "1/-2", "1 / 2", "٣"])
def test_a_number_that_would_fill_the_memory_is_refused_at_once(text: str) -> None:
    with pytest.raises(ValueError, match="is no number, or has too many digits"):
        parse_fraction(text)

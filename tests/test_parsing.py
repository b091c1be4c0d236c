"""Whatever a JSON or YAML text holds, it is a value or one clear error, at once."""

from __future__ import annotations

import contextlib
import json

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from actionbench.parsing import parse_json, parse_yaml, to_yaml

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

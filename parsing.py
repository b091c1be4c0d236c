"""Reading JSON and YAML, here and nowhere else, and fractions: any text gives a value or one clear error.

Writing YAML.
"""

from __future__ import annotations

import json
import re
from fractions import Fraction
from typing import Any

import yaml

MOST_DIGITS = 200
"""Longest whole number that is read, in characters. Longer ones would fail where they are used: a float has
room for 308 digits, and Python prints 4300 (sys.int_info)."""


_FRACTION = re.compile(
    rf"-?\d{{1,{MOST_DIGITS}}}(/\d{{1,{MOST_DIGITS}}}|(\.\d{{1,{MOST_DIGITS}}})?(e[+-]?\d{{1,2}})?)", re.ASCII
)


def parse_fraction(text: str) -> Fraction:
    """The exact number of a text such as "25", "30000/1001", "12.5" or "1e-3".

    Raises ValueError for any other text, for more than `MOST_DIGITS`, and for an exponent of more than two:
    of "1e1000000000" a Fraction would make a number of gigabytes. A float can hold all that are read.
    """
    if _FRACTION.fullmatch(text) is None:
        raise ValueError(f"{text[:20]!r} is no number, or has too many digits")
    try:
        return Fraction(text)
    except ZeroDivisionError as error:
        raise ValueError(f"{text[:20]!r} is no number") from error


def parse_json(text: str | bytes) -> Any:
    """The value that a JSON text describes.

    Raises ValueError, with a one-line message, for text that is not JSON or nested too deeply, and for a
    whole number of more than `MOST_DIGITS`.
    """
    try:
        return json.loads(text, parse_int=_whole_number)
    except json.JSONDecodeError as error:
        raise ValueError(f"{error.msg}, at character {error.pos + 1}") from error
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _whole_number(text: str) -> int:
    if (problem := _too_long(text)) is not None:
        raise ValueError(problem)
    return int(text)


def _too_long(number: str) -> str | None:
    if len(number) <= MOST_DIGITS:
        return None
    return f"the number {number[:8]}… has more than {MOST_DIGITS} digits"


def parse_yaml(text: str) -> Any:
    """The plain value that a YAML text describes, None for an empty one.

    Raises ValueError, with a one-line message, for text that is not YAML and for:

    - nesting deeper than Python's stack;
    - an alias (`*name`): a short text with aliases of aliases can expand to more than fits into memory;
    - a key that occurs twice in a mapping, of which YAML itself would keep the last;
    - a whole number of more than `MOST_DIGITS`, whether decimal, hexadecimal, octal, binary or of base 60.
    """
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        problem = " ".join((error.problem or "cannot be read").split())
        mark = error.problem_mark
        where = "" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}: "
        raise ValueError(where + problem) from error
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
        # What PyYAML's constructors raise for a value that its tag does not fit, such as 2026-99-99.
        raise ValueError(f"holds a value that cannot be read: {error}") from error


class _Loader(yaml.SafeLoader):
    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="aliases (*name) are not read", problem_mark=mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if (key.tag, key.value) in seen:
                    raise yaml.MarkedYAMLError(
                        problem=f"the key '{key.value}' occurs twice", problem_mark=key.start_mark
                    )
                seen.add((key.tag, key.value))
        return super().construct_mapping(node, deep)

    def construct_whole_number(self, node: yaml.ScalarNode) -> int:
        if (problem := _too_long(str(self.construct_scalar(node)))) is not None:
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
        return self.construct_yaml_int(node)


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_whole_number)


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        """Write a value that stands in several places in each of them: `parse_yaml` reads no alias."""
        return True


def to_yaml(value: Any) -> str:
    """A plain value as YAML text that `parse_yaml` reads, its keys in their order."""
    return yaml.dump(value, Dumper=_Dumper, allow_unicode=True, sort_keys=False)

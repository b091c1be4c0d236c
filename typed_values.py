"""Frozen dataclasses made of what JSON gives, checked field by field: records, events, requests to processes.

msgspec's `convert` is close, but skips the fields that a dataclass does not have. Here they are an error:
they mean that another version wrote them.
"""

from __future__ import annotations

import json
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from fractions import Fraction
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from .parsing import parse_fraction

T = TypeVar("T")

_MOST_BITS = sys.float_info.max_exp - 1
"""Bits of a whole number that a float holds for certain."""

_PLAIN = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
_OF_TEXT: Mapping[Any, Callable[[str], Any]] = {Path: Path, Fraction: parse_fraction}


class Mismatch(ValueError):
    """`problem`, at the place `path` within a value: "models[0].labels: expected a list, found 5"."""

    def __init__(self, problem: str, path: str = "") -> None:
        self.problem, self.path = problem, path
        super().__init__(f"{path.removeprefix('.')}: {problem}" if path else problem)


Check = Callable[[Any], Any]


def typed(kind: type[T], value: Any) -> T:
    """`value`, as `parse_json` returned it, as the type `kind`, checked throughout.

    - `kind`: a dataclass, made of an object with its fields; those with a default may be missing. Its
      fields, and what is in them, may also be of the types `tuple`, `dict` or `Mapping`, a union, `Literal`,
      `bool`, `int` (also of 3.0), `float` (3 stays an int, 10⁴⁰⁰ is refused), `str`, `Any`; `Path` and
      `Fraction`, of a text.
    - `value`: a value of plain types.

    Raises Mismatch, a ValueError, for a field that is missing, unknown or of another type.
    """
    of_kind: Any = kind
    made: T = _check(of_kind)(value)
    return made


def typed_fields(kind: type[T], value: Any) -> T:
    """As `typed`, of the fields that `kind` has: what else is in the object is not looked at."""
    of_kind: Any = kind
    return typed(kind, {name: value[name] for name in _fields(of_kind)[0] if name in value})


@cache
def _check(kind: Any) -> Check:
    """The function that checks and converts values of a type: made once, for a file may have a million."""
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return lambda value: value
    if is_dataclass(kind):
        return partial(_dataclass, kind)
    if kind in _PLAIN:
        return _plain(kind)
    if origin is Literal:
        expected = " or ".join(map(repr, arguments))
        return lambda value: value if value in arguments else _refuse(expected, value)
    if origin in (Union, types.UnionType):
        return _union(arguments)
    if origin is tuple:
        return _any_number(arguments[0]) if arguments[-1] is Ellipsis else _tuple(arguments)
    if origin in (dict, Mapping):
        return _object(arguments[1])
    if kind in _OF_TEXT:
        return partial(_of_text, kind)
    raise TypeError(f"no value can be read as {kind}")


def _plain(kind: type) -> Check:
    accepted = (int, float) if kind is float else (kind,)

    def check(value: Any) -> Any:
        if type(value) is kind:
            return value
        if kind is int and isinstance(value, float) and value.is_integer():
            return int(value)
        fits = isinstance(value, accepted) and not isinstance(value, bool)
        if kind is float and isinstance(value, int) and value.bit_length() > _MOST_BITS:
            fits = False
        return value if fits else _refuse(_PLAIN[kind], value)

    return check


def _any_number(kind: Any) -> Check:
    each, plain = _check(kind), {kind} & _PLAIN.keys()

    def check(value: Any) -> Any:
        if not isinstance(value, list | tuple):
            _refuse("a list", value)
        if plain and set(map(type, value)) == plain:
            return tuple(value)  # thousands of scores, each just what is asked for
        return tuple(_of_list(value, [each] * len(value)))

    return check


def _tuple(kinds: tuple[Any, ...]) -> Check:
    checks, plain = list(map(_check, kinds)), kinds if _PLAIN.keys() >= set(kinds) else None

    def check(value: Any) -> Any:
        if not isinstance(value, list | tuple):
            _refuse("a list", value)
        if plain and tuple(map(type, value)) == plain:
            return tuple(value)  # five of them in each of a million records
        if len(value) != len(checks):
            _refuse(f"a list of {len(checks)}", value)
        return tuple(_of_list(value, checks))

    return check


def _of_list(values: Sequence[Any], checks: Sequence[Check]) -> list[Any]:
    made: list[Any] = []
    try:
        for check, value in zip(checks, values, strict=True):
            made.append(check(value))
    except Mismatch as error:
        raise Mismatch(error.problem, f"[{len(made)}]{error.path}") from None
    return made


def _object(kind: Any) -> Check:
    each, plain = _check(kind), {kind} & _PLAIN.keys()

    def check(value: Any) -> Any:
        if not isinstance(value, dict):
            _refuse("an object", value)
        if plain and set(map(type, value.values())) == plain:
            return dict(value)
        made = {}
        for key, item in value.items():
            try:
                made[key] = each(item)
            except Mismatch as error:
                raise Mismatch(error.problem, f"[{key!r}]{error.path}") from None
        return made

    return check


def _of_text(kind: Any, value: Any) -> Any:
    text = _check(str)(value)
    try:
        return _OF_TEXT[kind](text)
    except ValueError:
        return _refuse(f"a text that stands for a {kind.__name__}", value)


def _dataclass(kind: Any, value: Any) -> Any:
    checks, required = _fields(kind)
    if not isinstance(value, dict):
        _refuse(f"an object with {' and '.join(sorted(required or checks))}", value)
    if unknown := value.keys() - checks.keys():
        names = ", ".join(sorted(map(str, unknown)))
        raise Mismatch(f"unknown fields: {names}; possible: {', '.join(sorted(checks))}")
    if missing := required - value.keys():
        raise Mismatch(f"missing fields: {', '.join(sorted(missing))}")
    made = {}
    for name, item in value.items():
        try:
            made[name] = checks[name](item)
        except Mismatch as error:
            raise Mismatch(error.problem, f".{name}{error.path}") from None
    return kind(**made)


@cache
def _fields(kind: Any) -> tuple[dict[str, Check], frozenset[str]]:
    """The check of each field of a dataclass, and the fields that have no default."""
    hints = get_type_hints(kind)
    required = (f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING)
    return {field.name: _check(hints[field.name]) for field in fields(kind)}, frozenset(required)


def _union(kinds: tuple[Any, ...]) -> Check:
    *others, last = (_check(kind) for kind in kinds if kind is not types.NoneType)
    optional = types.NoneType in kinds

    def check(value: Any) -> Any:
        if value is None and optional:
            return None
        for other in others:
            try:
                return other(value)
            except Mismatch:
                continue
        return last(value)

    return check


def _refuse(expected: str, value: Any) -> Any:
    found = json.dumps(value, ensure_ascii=False, default=str)
    raise Mismatch(f"expected {expected}, found {found if len(found) <= 60 else found[:57] + '...'}")

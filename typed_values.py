"""Frozen dataclasses made of what JSON gives, checked field by field: records, events, requests to processes.

msgspec's `convert` is close, but skips the fields that a dataclass does not have. Here they are an error:
they mean that another version wrote them.
"""

from __future__ import annotations

import json
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from .parsing import parse_fraction

T = TypeVar("T")

_PLAIN = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
_OF_TEXT: Mapping[Any, Callable[[str], Any]] = {Path: Path, Fraction: parse_fraction}


class Mismatch(ValueError):
    """`problem`, at the place `path` within a value: "models[0].labels: expected a list, found 5"."""

    def __init__(self, problem: str, path: str = "") -> None:
        self.problem, self.path = problem, path
        super().__init__(f"{path.removeprefix('.')}: {problem}" if path else problem)


def typed(kind: type[T], value: Any) -> T:
    """`value`, as `parse_json` returned it, as the type `kind`, checked throughout.

    - `kind`: a dataclass, made of an object with its fields; those with a default may be missing. Its
      fields, and what is in them, may also be of the types `tuple`, `dict` or `Mapping`, a union, `Literal`,
      `bool`, `int` (also of 3.0), `float` (3 stays an int), `str`, `Any`; `Path` and `Fraction`, of a text.
    - `value`: a value of plain types.

    Raises Mismatch, a ValueError, for a field that is missing, unknown or of another type.
    """
    made: T = _typed(kind, value)
    return made


def _typed(kind: Any, value: Any) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if is_dataclass(kind):
        return _dataclass(kind, value)
    if kind in _PLAIN:
        if kind is int and isinstance(value, float) and value.is_integer():
            return int(value)
        accepted = isinstance(value, (int, float) if kind is float else kind)
        return (
            value if accepted and isinstance(value, bool) == (kind is bool) else _refuse(_PLAIN[kind], value)
        )
    if origin is Literal:
        return value if value in arguments else _refuse(" or ".join(map(repr, arguments)), value)
    if origin in (Union, types.UnionType):
        return _union(arguments, value)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            _refuse("a list", value)
        if arguments[-1] is Ellipsis and set(map(type, value)) == {arguments[0]} and arguments[0] in _PLAIN:
            return tuple(value)  # thousands of scores, each just what is asked for
        kinds = arguments[:1] * len(value) if arguments[-1] is Ellipsis else arguments
        if len(kinds) != len(value):
            _refuse(f"a list of {len(kinds)}", value)
        return tuple(_at(f"[{n}]", each, value[n]) for n, each in enumerate(kinds))
    if origin in (dict, Mapping):
        if not isinstance(value, dict):
            _refuse("an object", value)
        return {key: _at(f"[{key!r}]", arguments[1], each) for key, each in value.items()}
    if kind in _OF_TEXT:
        try:
            return _OF_TEXT[kind](_typed(str, value))
        except (ValueError, ZeroDivisionError):
            _refuse(f"a text that stands for a {kind.__name__}", value)
    raise TypeError(f"no value can be read as {kind}")


def _dataclass(kind: Any, value: Any) -> Any:
    if not isinstance(value, dict):
        _refuse(f"a {kind.__name__}", value)
    hints, required = _fields(kind)
    if unknown := value.keys() - hints.keys():
        raise Mismatch(f"unknown fields in a {kind.__name__}: {', '.join(sorted(unknown))}")
    if missing := required - value.keys():
        raise Mismatch(f"missing fields in a {kind.__name__}: {', '.join(sorted(missing))}")
    return kind(**{name: _at(f".{name}", hints[name], each) for name, each in value.items()})


@lru_cache
def _fields(kind: Any) -> tuple[dict[str, Any], frozenset[str]]:
    """The type of each field of a dataclass, and the fields that have no default."""
    hints = get_type_hints(kind)
    required = (f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING)
    return {field.name: hints[field.name] for field in fields(kind)}, frozenset(required)


def _union(kinds: tuple[Any, ...], value: Any) -> Any:
    if value is None and types.NoneType in kinds:
        return None
    *others, last = (kind for kind in kinds if kind is not types.NoneType)
    for kind in others:
        try:
            return _typed(kind, value)
        except Mismatch:
            continue
    return _typed(last, value)


def _at(step: str, kind: Any, value: Any) -> Any:
    try:
        return _typed(kind, value)
    except Mismatch as error:
        raise Mismatch(error.problem, step + error.path) from None


def _refuse(expected: str, value: Any) -> Any:
    found = json.dumps(value, ensure_ascii=False, default=str)
    raise Mismatch(f"expected {expected}, found {found if len(found) <= 60 else found[:57] + '...'}")

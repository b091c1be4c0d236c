"""How an input is made of a sample: bytes, texts and values are replaced by those that break readers.

The same random numbers give the same input.
"""

from __future__ import annotations

import copy
import csv
import io
import json
import re
from collections.abc import Callable, Sequence
from pathlib import PurePath
from random import Random
from typing import Any

import yaml

_STRUCTURED = 0.6
"""Share of the inputs of a known structure that keep it: bytes alone rarely get beyond the parser."""

_SIGNED = [0, 1, -1, 2, 127, 128, 255, 256, 32767, 65535, 2**31 - 1, 2**31, 2**32 - 1, 2**53, 2**63, 2**64]

ODD: Sequence[Any] = (
    *(None, True, False, [], {}, [None], {"": None}, "", " ", "\n"),
    *_SIGNED,
    *(10**400, -(2**63), 1e308, -1e308, 5e-324, float("nan"), float("inf"), -0.0),
    *(
        "0",
        "-1",
        "1e999",
        "nan",
        "1/0",
        "0x10",
        "１２",
        "null",
        "true",
        "*",
        "~",
        "%s%n",
        "=1+1",
        "{x}",
        "[",
        "#",
    ),
    *("\0", "a\0b", "\u202egnp.exe", "\ud800", "\x1b[2J", "\ufeff", "é", "a\r\nb", "x" * 100_000),
    *(
        "../../../etc/passwd",
        "/etc/passwd",
        "/dev/zero",
        "C:\\Windows",
        ".",
        "..",
        "http://localhost/",
        "file:x",
    ),
    *("2026-99-99", "9" * 400, "!!python/object/apply:os.abort []", "(a+)+$", "(?P<x", "\\"),
)
"""Values in place of those that a reader expects."""

_TEXTS = (
    *(each for each in ODD if isinstance(each, str)),
    *("[" * 100_000, '{"a":' * 20_000, "- " * 5_000, "&a [*a]", "1" * 5_000, "1e-999999999"),
    *('"', "'", ",", ":", "\t", "{", "}", "-", "NaN", "Infinity", "\u2028", "\uffff", "\U0010ffff"),
)
_TOKENS = (
    *(text.encode("utf-8", "surrogatepass") for text in _TEXTS),
    *(b"\xff", b"\xc3(", b"\xfe\xff", b"\xef\xbb\xbf", b"\r", b"\x1a"),
)
"""What is put between bytes."""


def mutated(name: str, sample: bytes, others: Sequence[bytes], draw: Random) -> bytes:
    """An input that is like `sample`.

    - `name`: of the file; its ending says how it is structured.
    - `others`: samples that a part may come from.
    """
    change = _BY_ENDING.get(PurePath(name).suffix)
    if change is not None and draw.random() < _STRUCTURED:
        try:
            return change(sample, draw)
        except (ValueError, TypeError, LookupError, RecursionError, yaml.YAMLError, csv.Error):
            pass  # a sample of nothing, or a value that the format cannot express
    data = sample
    for _ in range(_few(draw)):
        data = draw.choice(_BYTES)(data, others, draw)
    return data


def _few(draw: Random) -> int:
    return min(1 + int(draw.expovariate(0.8)), 8)


def _span(data: bytes, draw: Random, most: int = 4096) -> tuple[int, int]:
    begin = draw.randint(0, len(data))
    return begin, min(len(data), begin + int(2 ** draw.uniform(0, most.bit_length() - 1)))


def _flip(data: bytes, _: Sequence[bytes], draw: Random) -> bytes:
    changed = bytearray(data)
    for _n in range(draw.choice((1, 1, 2, 8, 64)) if data else 0):
        changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def _overwrite(data: bytes, _: Sequence[bytes], draw: Random) -> bytes:
    begin, end = _span(data, draw, 64)
    return data[:begin] + draw.randbytes(end - begin) + data[end:]


def _number(data: bytes, _: Sequence[bytes], draw: Random) -> bytes:
    """A number in place of bytes, as a header has lengths, counts and sizes."""
    size = draw.choice((1, 2, 4, 8))
    at = draw.randint(0, len(data))
    value = (draw.choice(_SIGNED) + draw.choice((0, 0, 1, -1))) % (1 << 8 * size)
    return data[:at] + value.to_bytes(size, draw.choice(("little", "big"))) + data[at + size :]


def _digits(data: bytes, _: Sequence[bytes], draw: Random) -> bytes:
    """Another number in place of one that is written in digits."""
    places = [match.span() for match in re.finditer(rb"-?\d+(\.\d+)?", data[:100_000])]
    if not places:
        return data
    begin, end = draw.choice(places)
    value = draw.choice([each for each in ODD if type(each) in (int, float)])
    return data[:begin] + str(value).encode() + data[end:]


def _cut(data: bytes, _: Sequence[bytes], draw: Random) -> bytes:
    return data[: draw.randint(0, len(data))]


def _remove(data: bytes, _: Sequence[bytes], draw: Random) -> bytes:
    begin, end = _span(data, draw)
    return data[:begin] + data[end:]


def _repeat(data: bytes, _: Sequence[bytes], draw: Random) -> bytes:
    begin, end = _span(data, draw)
    return data[:end] + data[begin:end] * draw.choice((1, 1, 2, 10)) + data[end:]


def _splice(data: bytes, others: Sequence[bytes], draw: Random) -> bytes:
    other = draw.choice(others)
    begin, end = _span(other, draw)
    at = draw.randint(0, len(data))
    return data[:at] + other[begin:end] + data[at + draw.choice((0, end - begin)) :]


def _insert(data: bytes, _: Sequence[bytes], draw: Random) -> bytes:
    at = draw.randint(0, len(data))
    return data[:at] + draw.choice(_TOKENS) + data[at:]


_BYTES: Sequence[Callable[[bytes, Sequence[bytes], Random], bytes]] = (
    *(_flip, _overwrite, _number, _number, _digits, _cut, _remove, _repeat, _splice, _insert),
)


def changed_value(value: Any, draw: Random) -> Any:
    """A plain value, as JSON has it, with some of what is in it replaced, removed, moved or repeated."""
    root = [copy.deepcopy(value)]
    for _ in range(_few(draw)):
        places = list(_places(root))
        container, key = draw.choice(places)
        match draw.randrange(8):
            case 0:
                del container[key]
                root = root or [None]
            case 1:
                other, at = draw.choice(places)
                container[key] = copy.deepcopy(other[at])
            case 2 if isinstance(container, dict):
                container[str(draw.choice(ODD))] = container.pop(key)
            case 2 | 3 if isinstance(container, list):
                container.insert(key, copy.deepcopy(container[key]))
            case 4:
                container[key] = _nested(container[key], draw)
            case _:
                container[key] = copy.deepcopy(draw.choice(ODD))
    return root[0]


def _places(container: Any) -> Any:
    """(container, key) of every value in a container."""
    keys = range(len(container)) if isinstance(container, list) else list(container)
    for key in keys:
        yield container, key
        if isinstance(container[key], list | dict):
            yield from _places(container[key])


def _nested(value: Any, draw: Random) -> Any:
    for _ in range(draw.choice((1, 3, 200))):
        value = draw.choice(([value], {"a": value}))
    return value


def _json(sample: bytes, draw: Random) -> bytes:
    return json.dumps(changed_value(json.loads(sample), draw)).encode()


def _json_lines(sample: bytes, draw: Random) -> bytes:
    lines = sample.splitlines(keepends=True)
    at = draw.randrange(len(lines))
    line = _json(lines[at], draw) + b"\n"
    match draw.randrange(4):
        case 0:
            lines.insert(draw.randint(0, len(lines)), line)
        case 1:
            del lines[at]
        case _:
            lines[at] = line
    return b"".join(lines)


def _yaml(sample: bytes, draw: Random) -> bytes:
    value = changed_value(yaml.safe_load(sample), draw)
    return yaml.safe_dump(value, sort_keys=False, width=draw.choice((80, 10**6))).encode()


def _csv(sample: bytes, draw: Random) -> bytes:
    rows = list(csv.reader(io.StringIO(sample.decode(), newline="")))
    for _ in range(_few(draw)):
        row = draw.choice(rows)
        at = draw.randrange(len(row))
        match draw.randrange(6):
            case 0:
                del row[at]
            case 1:
                row.insert(at, draw.choice(row))
            case 2:
                rows.insert(draw.randint(0, len(rows)), list(row))
            case 3:
                row[at] = draw.choice(draw.choice(rows) or [""])
            case _:
                row[at] = str(draw.choice(ODD))
        rows = [each for each in rows if each] or [[""]]
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode("utf-8", "surrogatepass")


_BY_ENDING: dict[str, Callable[[bytes, Random], bytes]] = {
    ".csv": _csv,
    ".json": _json,
    ".jsonl": _json_lines,
    ".vott": _json,
    ".yaml": _yaml,
}

"""Files of records that survive a crash: appended line by line, or replaced as a whole."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import IO, Any, TypeVar

from ..atomic import replacing
from ..errors import MeasurementError, UsageError
from ..parsing import parse_json

T = TypeVar("T")


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """The whole lines of a JSONL file; the last one may still be in writing, or torn, and is left out."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                return
            try:
                raw = parse_json(line)
            except ValueError as error:
                raise UsageError(f"line {number} is damaged: {error}", where=path) from error
            if not isinstance(raw, dict):
                raise UsageError(f"line {number} is damaged: it holds no record", where=path)
            yield raw


def record(cls: type[T], raw: dict[str, Any]) -> T:
    """`raw` as the record it was written from. Raises UsageError if it has fields that the record has not."""
    known = {field.name for field in fields(cls)}  # type: ignore[arg-type]
    if extra := raw.keys() - known:
        raise UsageError(f"unknown fields in a {cls.__name__}: {', '.join(sorted(extra))}")
    return cls(**raw)


def read_whole(path: Path, schema: int) -> dict[str, Any]:
    """The object in a JSON file. Raises UsageError if it is damaged, or of another version than `schema`."""
    try:
        raw: dict[str, Any] = parse_json(path.read_text(encoding="utf-8"))
        found = raw["schema"]
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"damaged: {error}", where=path) from error
    if found != schema:
        raise UsageError(
            "written in another version of the format",
            where=path,
            expected=f"schema {schema}",
            found=f"schema {found}",
            remedy="Read it with the version of ActionBench that wrote it.",
        )
    return raw


def to_json(raw: dict[str, Any], indent: int | None = None) -> bytes:
    """One record, with a line feed at its end."""
    return json.dumps(raw, ensure_ascii=False, allow_nan=False, indent=indent).encode() + b"\n"


def append(file: IO[bytes], data: bytes, resume: str) -> None:
    """Write and sync `data`. `resume`: the command that goes on when the disk has space again."""
    try:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    except OSError as error:
        raise _refused(Path(file.name), error, resume) from error


def mend(path: Path) -> None:
    """Drop the torn line that a crash may have left at the end."""
    if path.exists():
        data = path.read_bytes()
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            os.truncate(path, whole)


def write_atomically(path: Path, data: bytes, resume: str) -> None:
    """Replace the file by `data`: at every instant it holds the old or the new content."""
    try:
        with replacing(path) as file:
            file.write(data)
    except OSError as error:
        raise _refused(path, error, resume) from error


def _refused(path: Path, error: OSError, resume: str) -> MeasurementError:
    return MeasurementError(
        f"cannot be written: {error.strerror}",
        where=path,
        remedy=f"What came before is safe; free some space, then `{resume}`.",
    )

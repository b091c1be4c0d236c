"""Files of records that survive a crash: appended line by line, or replaced as a whole."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from ..atomic import replacing
from ..errors import MeasurementError, UsageError
from ..parsing import parse_json
from ..typed_values import typed
from .lock import FolderLock

T = TypeVar("T")

_LONGEST_LINE = 1 << 26
"""Bytes of a line that is read. Records have some kilobytes; a file with holes may seem to have terabytes."""

_BLOCK = 1 << 16
"""Bytes that are read at once in looking for the last line feed."""


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """The whole lines of a JSONL file; the last one may still be in writing, or torn, and is left out.

    Raises UsageError for a line that holds no JSON object.
    """
    return (_object(path, number, line) for number, line in whole_lines(path))


def records(path: Path, cls: type[T], *, wanted: Callable[[Any], bool] = lambda _: True) -> Iterator[T]:
    """The records of type `cls` in a JSONL file, in its order; see `lines`.

    - `wanted`: which values of the field "kind" (None where there is none) such records have.

    Raises UsageError, with the number of the line, for one that is no such record: damaged, or of another
    version.
    """
    for number, line in whole_lines(path):
        raw = _object(path, number, line)
        if wanted(raw.get("kind")):
            yield _record(path, number, raw, cls)


def whole_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Number, from 1, and bytes of each line that ends with a line feed; none of a file that is not there.

    Raises UsageError for a pipe or a device, which may never end, and for a line that is no record's.
    """
    if not path.exists():
        return
    if not path.is_file():
        raise UsageError("is no file", where=path)
    with path.open("rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(_LONGEST_LINE), b""), 1):
            if len(line) == _LONGEST_LINE:
                raise UsageError(
                    f"line {number} is damaged: it has {_LONGEST_LINE} bytes or more", where=path
                )
            if not line.endswith(b"\n"):
                return
            yield number, line


def read_line(path: Path, number: int, line: bytes, cls: type[T]) -> T:
    """The record of type `cls` in a line of the file `path`. Raises UsageError, see `records`."""
    return _record(path, number, _object(path, number, line), cls)


def _object(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        raw = parse_json(line)
    except ValueError as error:
        raise UsageError(f"line {number} is damaged: {error}", where=path) from error
    if not isinstance(raw, dict):
        raise UsageError(f"line {number} is damaged: it holds no record", where=path)
    return raw


def _record(path: Path, number: int, raw: dict[str, Any], cls: type[T]) -> T:
    try:
        return typed(cls, raw)
    except ValueError as error:
        raise UsageError(f"line {number} is damaged: {error}", where=path) from error


def read_whole(path: Path, cls: type[T], schema: int) -> T:
    """The record of type `cls` in a JSON file.

    Raises UsageError if it is damaged, or of another version than `schema`.
    """
    try:
        raw: dict[str, Any] = parse_json(path.read_text(encoding="utf-8"))
        found = raw["schema"]
        if found == schema:
            return typed(cls, raw)
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"damaged: {error}", where=path) from error
    raise UsageError(
        "written in another version of the format",
        where=path,
        expected=f"schema {schema}",
        found=f"schema {found}",
        remedy="Read it with the version of ActionBench that wrote it.",
    )


def to_json(raw: dict[str, Any], indent: int | None = None) -> bytes:
    """One record, with a line feed at its end."""
    return json.dumps(raw, ensure_ascii=False, allow_nan=False, indent=indent).encode() + b"\n"


class AppendedFile:
    """A file in a locked folder, to whose end this process writes: what was added is on the disk.

    - `path`: the file. It is created if it is missing; a torn line at its end has been dropped (`mend`).
    - `lock`: that of the folder.
    - `resume`: the command that continues what is in the folder, for messages.
    """

    def __init__(self, path: Path, lock: FolderLock, resume: str) -> None:
        self._path, self._lock, self._resume = path, lock, resume
        self._file = path.open("ab")

    def add(self, data: bytes) -> int:
        """Write and sync `data`; returns where it begins in the file, in bytes.

        Raises MeasurementError if the folder was moved or removed, or if the file cannot be written.
        """
        self._lock.require_in_place(self._resume)
        try:
            start = self._file.seek(0, os.SEEK_END)  # writes what was refused before
            self._file.write(data)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise refused(self._path, error, self._resume) from error
        return start

    def close(self) -> None:
        """Close it; the lock stays."""
        # Bytes that a full disk refused stay in the buffer and would be refused again here.
        with suppress(OSError):
            self._file.close()


def mend(path: Path) -> None:
    """Drop the torn line that a crash may have left at the end."""
    if not path.exists():
        return
    with path.open("rb") as file:
        size = position = file.seek(0, os.SEEK_END)
        whole = 0
        while position and not whole:
            position = max(0, position - _BLOCK)
            file.seek(position)
            whole = file.read(_BLOCK).rfind(b"\n") + 1
            whole += position if whole else 0
    if whole < size:
        os.truncate(path, whole)


def write_atomically(path: Path, data: bytes | Iterable[bytes], resume: str) -> None:
    """Replace the file by `data`, or by its parts: at every instant it holds the old or the new content."""
    try:
        with replacing(path) as file:
            file.writelines([data] if isinstance(data, bytes) else data)
    except OSError as error:
        raise refused(path, error, resume) from error


def refused(path: Path, error: OSError, resume: str) -> MeasurementError:
    """The error for a file that cannot be written. `resume`: the command that goes on when it can be."""
    return MeasurementError(
        f"cannot be written: {error.strerror}",
        where=path,
        remedy=f"What came before is safe; free some space, then `{resume}`.",
    )

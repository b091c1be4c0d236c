"""The record of what was fetched into a folder of the store, and whether files still agree with it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ...errors import WeightsError
from ...parsing import parse_json
from ...typed_values import typed

RECORD: Final = "fetched.json"
"""Name of the file in a folder of the store that says what was fetched; written last."""

FIRST_USE: Final = "first use"
"""Value of `FileRecord.checked` for a file without a known checksum of its publisher."""

_CHUNK_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A file as it was fetched.

    - `size`: bytes.
    - `sha256`: of its bytes, in hex.
    - `checked`: the published checksum that it was compared with, "git blob", "sha256" or "first 8 digits of
      sha256"; FIRST_USE for none.
    """

    size: int
    sha256: str
    checked: str


def recorded(folder: Path) -> dict[str, FileRecord]:
    """What was fetched into a folder of the store, by path inside it. Raises WeightsError if unreadable."""
    try:
        record = parse_json((folder / RECORD).read_text(encoding="utf-8"))
        return typed(dict[str, FileRecord], record["files"])
    except (ValueError, LookupError, TypeError) as error:
        raise WeightsError(
            "is damaged", where=folder / RECORD, remedy=f"Remove {folder} and fetch its weights again"
        ) from error


def difference(path: Path, name: str, file: FileRecord) -> str | None:
    """A sentence on how a file differs from its record; None if it does not.

    - `path`: the file.
    - `name`: its name in the sentence.
    - `file`: its record.
    """
    if not path.is_file():
        return f"{name} is missing"
    if path.stat().st_size != file.size:
        return f"{name} has {path.stat().st_size} bytes instead of {file.size}"
    return None if digest([path]) == file.sha256 else f"{name} has changed: its SHA-256 differs"


def digest(files: Iterable[Path]) -> str:
    """SHA-256 of the bytes of all `files`, one after the other, in hexadecimal."""
    sha256 = hashlib.sha256()
    for file in files:
        for chunk in chunks(file):
            sha256.update(chunk)
    return sha256.hexdigest()


def git_blob(path: Path) -> str:
    """SHA-1 of the file as a Git object, in hexadecimal; as trustworthy as Git's own check."""
    sha1 = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    for chunk in chunks(path):
        sha1.update(chunk)
    return sha1.hexdigest()


def chunks(path: Path) -> Iterator[bytes]:
    """The bytes of a file, in chunks."""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk

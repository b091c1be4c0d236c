"""Which clips `clips.jsonl` has records of, and where their scores end: what continuing a run needs of it.

A run of a million predictions is continued in seconds: a line that is written as `RunWriter` writes it is
recognised by a pattern, in a tenth of the time of reading all of it. Any other line is read as JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ..json_lines import read_line, whole_lines
from ..run import ClipRecord

# Within a JSON text a quotation mark is written as \", so these keys are found only where they are keys.
_WRITTEN = re.compile(
    rb'\{"model": "([^"\\]*)", "clip": "([^"\\]*)", "label": .*, "offset": (null|\d{1,18}), "views": '
    rb'.*, "error": (null|"[^"\\]*"), "notes": \[.*\](?:, "node": (?:null|"[^"\\]*"))?\}\n'
)


class IndexEntry(NamedTuple):
    """What a line records: the model and the clip, the byte where its scores begin, whether it failed."""

    model: str
    clip: str
    offset: int | None
    failed: bool


def index_entries(path: Path) -> Iterator[IndexEntry]:
    """An entry for each whole line of a `clips.jsonl`, in its order.

    Raises UsageError, with its number, for a line that is no record. A line that is damaged within what is
    not read here is left to `bench report`.
    """
    for number, line in whole_lines(path):
        yield _recognised(line) or _read(path, number, line)


def _recognised(line: bytes) -> IndexEntry | None:
    found = _WRITTEN.fullmatch(line)
    if found is None:
        return None
    model, clip, offset, error = found.groups()
    try:
        return IndexEntry(
            model.decode(), clip.decode(), None if offset == b"null" else int(offset), error != b"null"
        )
    except UnicodeDecodeError:
        return None


def _read(path: Path, number: int, line: bytes) -> IndexEntry:
    record = read_line(path, number, line, ClipRecord)
    return IndexEntry(record.model, record.clip, record.offset, record.error is not None)


class ClipIndex:
    """Model → clip → whether it failed, by the last record of each. About 100 bytes for a record."""

    def __init__(self) -> None:
        self._failed: dict[str, dict[str, bool]] = {}
        # One text for the clip in all models.
        self._ids: dict[str, str] = {}

    def add(self, model: str, clip: str, failed: bool) -> None:
        """Note a record."""
        self._failed.setdefault(model, {})[self._ids.setdefault(clip, clip)] = failed

    def remove(self, model: str, clip: str) -> None:
        """Forget a record."""
        del self._failed[model][clip]

    def tried(self, model: str) -> frozenset[str]:
        """The clips with a record of this model."""
        return frozenset(self._failed.get(model, ()))

    def failed(self, model: str) -> frozenset[str]:
        """The clips on which this model failed."""
        return frozenset(clip for clip, failed in self._failed.get(model, {}).items() if failed)

"""What became of each video that was read out of archives, in a file that survives a crash.

One JSON object in a line, so that a fetch that was killed goes on where it was. A line that a crash left
incomplete is dropped; a video whose line is lost is read again.
"""

from __future__ import annotations

import errno
import io
import json
import os
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from ....errors import ClipError, UsageError
from ....parsing import parse_json
from ....typed_values import typed
from ...sources.walk import VIDEO_SUFFIXES
from ..writing import refused

LEDGER = "fetched.jsonl"
"""Its name in a folder of videos, and in a run directory."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one video.

    - `key`: of the video (`layouts.video_key`). `part`: address of the archive that it was in.
    - `suffix`: of its name, such as ".mp4". `size`, `sha256`: of the file, bytes and hex digits.
    - `reason`: why it cannot be used; None if it can.
    """

    key: str
    part: str
    suffix: str
    size: int
    sha256: str
    reason: str | None = None


class Ledger:
    """Reads and appends to the file. Its methods may be called from several threads."""

    def __init__(self, path: Path) -> None:
        """`path`: the file, which need not exist. Raises ClipError if it cannot be read."""
        self._path = path
        self._lock = threading.Lock()
        self._outcomes: dict[str, Outcome] = {}
        whole = 0
        try:
            data = path.read_bytes() if path.exists() else b""
            for number, line in enumerate(io.BytesIO(data), 1):
                if line.endswith(b"\n"):
                    outcome = _outcome(line, f"{path}:{number}")
                    self._outcomes[outcome.key] = outcome
                    whole += len(line)
            if whole < len(data):
                os.truncate(path, whole)
        except OSError as error:
            raise ClipError(f"cannot be read: {error.strerror}", where=path) from error

    def __getitem__(self, key: str) -> Outcome:
        return self._outcomes[key]

    def get(self, key: str) -> Outcome | None:
        """What became of a video; None if it was not read."""
        return self._outcomes.get(key)

    def __contains__(self, key: object) -> bool:
        return key in self._outcomes

    @property
    def refused(self) -> Mapping[str, str]:
        """Key → reason of the videos that cannot be used."""
        with self._lock:
            return {key: each.reason for key, each in self._outcomes.items() if each.reason is not None}

    @property
    def usable(self) -> Mapping[str, Outcome]:
        """Key → outcome of the videos that can be used."""
        with self._lock:
            return {key: each for key, each in self._outcomes.items() if each.reason is None}

    def add(self, outcome: Outcome) -> None:
        """Append an outcome; a later one of the same video takes the place of an earlier one.

        Raises ArchiveError if the disk refuses it.
        """
        line = json.dumps(asdict(outcome), ensure_ascii=False).encode() + b"\n"
        with self._lock:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                _append(self._path, line)
            except OSError as error:
                raise refused(self._path, error) from error
            self._outcomes[outcome.key] = outcome


def _append(path: Path, line: bytes) -> None:
    """Add a line as a whole, or not at all: another thread may add the next one."""
    with path.open("ab", buffering=0) as file:
        begin = file.seek(0, os.SEEK_END)
        try:
            if file.write(line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            file.truncate(begin)
            raise


def _outcome(line: bytes, where: str) -> Outcome:
    try:
        outcome = typed(Outcome, parse_json(line))
        if outcome.suffix not in VIDEO_SUFFIXES:  # it becomes part of a path
            raise ValueError(f"{outcome.suffix[:20]!r} is not the suffix of a video's name")
        return outcome
    except ValueError as error:
        raise UsageError(f"is damaged: {error}", where=where, remedy="Fetch into another folder.") from error

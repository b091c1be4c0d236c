"""Events as JSON lines in a file."""

from __future__ import annotations

from pathlib import Path

from ..events import ActionEvent, SessionHeader
from ..frame import Frame
from .output import Shown


class EventFile:
    """Writes events to a file, one JSON object a line; each is there as soon as it is known.

    - `path`: the file; an existing one is replaced.
    - `header`: the first line.
    """

    def __init__(self, path: Path, header: SessionHeader) -> None:
        self._file = path.open("w", encoding="utf-8")
        self._write(header.to_json())

    def _write(self, line: str) -> None:
        self._file.write(f"{line}\n")
        self._file.flush()

    def frame(self, frame: Frame, shown: Shown) -> None:
        """Nothing."""

    def event(self, event: ActionEvent) -> None:
        """Write the event."""
        self._write(event.to_json())

    def close(self) -> None:
        """Close the file."""
        self._file.close()

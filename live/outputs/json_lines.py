"""Events as JSON lines in a file."""

from __future__ import annotations

import errno
from pathlib import Path

from ...atomic import NO_SPACE
from ...errors import MeasurementError, UsageError
from ...records.json_lines import mend
from ..events import ActionEvent, SessionHeader


class EventFile:
    """Appends a session to a file of events (`events.read_events`); each line is written when it is known.

    A line is written whole, or is an error. A process that is killed, and a disk that is full, leave at most
    the last line torn; the next session removes that.

    - `path`: the file; earlier sessions in it stay. A pipe or /dev/stdout may be named too.
    - `header`: the session's first line.

    Raises UsageError if it cannot be opened.
    """

    def __init__(self, path: Path, header: SessionHeader) -> None:
        self._path = path
        try:
            if path.is_file():
                mend(path)
            self._file = path.open("ab", buffering=0)
        except OSError as error:
            raise UsageError(f"cannot be written: {error.strerror}", where=f"--events {path}") from error
        try:
            self._write(header)
        except MeasurementError:
            self._file.close()
            raise

    def _write(self, record: SessionHeader | ActionEvent) -> None:
        line = f"{record.to_json()}\n".encode()
        try:
            while line:
                # Of a line that does not fit on the disk, the beginning is written without an error.
                written = self._file.write(line)
                if written is None:
                    raise OSError(errno.EAGAIN, "the pipe is full, and does not let its writer wait")
                line = line[written:]
        except OSError as error:
            room = "; free some space" if error.errno in NO_SPACE else ""
            raise MeasurementError(
                f"cannot be written: {error.strerror}",
                where=self._path,
                remedy=f"What came before is safe{room}.",
            ) from error

    def event(self, event: ActionEvent) -> None:
        """Write the event. Raises MeasurementError if the disk refuses it."""
        self._write(event)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

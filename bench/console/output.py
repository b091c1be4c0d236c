"""Standard output and standard error of every command.

Printed text contains names of files and classes, and messages of networks and of tools. `standard_streams`
replaces each stream by an `Output` while a command runs, so that none of that text can control the terminal,
whichever code prints it; a character that the stream's encoding lacks is shown as an escape (`\\u2713`).
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO, cast

from ...errors import UsageError
from ...plain_text import plain


class Output(io.TextIOBase):
    """A text stream without characters that control a terminal: see `plain`.

    - `stream`: the stream that is written to.
    - `name`: its name in errors; None: failures to write are ignored, and the text is lost.
    - `filtered`: False for ActionBench's own control characters: colours, cursor moves.

    Writing raises UsageError if it fails (a full disk), BrokenPipeError if the reader has closed the pipe.
    """

    def __init__(self, stream: TextIO, name: str | None, *, filtered: bool = True) -> None:
        self._stream, self._name, self._filtered = stream, name, filtered

    def own(self) -> Output:
        """The same stream, unfiltered."""
        return Output(self._stream, self._name, filtered=False)

    def write(self, text: str) -> int:
        """Write `text`; returns its length."""
        with self._failures():
            self._stream.write(plain(text) if self._filtered else text)
        return len(text)

    def flush(self) -> None:
        with self._failures():
            self._stream.flush()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()

    def writable(self) -> bool:
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]  # typeshed has an attribute
        return self._stream.encoding

    @contextlib.contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if self._name is None:
                return
            if isinstance(error, BrokenPipeError):
                raise
            raise UsageError(f"cannot be written: {error.strerror}", where=self._name) from error


def unfiltered(stream: TextIO) -> TextIO:
    """The same stream without the filter, for control characters; other text must be `plain` already."""
    return cast(TextIO, stream.own()) if isinstance(stream, Output) else stream


@contextlib.contextmanager
def standard_streams() -> Iterator[None]:
    """Replace sys.stdout (unless it is closed, and None) and sys.stderr by an `Output` while the block runs.

    Messages that cannot be written to standard error are lost without an error. Text that could not be
    written is dropped at the end.
    """
    _fill_closed_descriptors()
    before = sys.stdout, sys.stderr
    if sys.stdout is not None:
        sys.stdout = Output(_lenient(sys.stdout), "standard output")
    stderr = sys.stderr or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  open to the end
    sys.stderr = Output(_lenient(stderr), None)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
        for stream in filter(None, before):
            _drop_refused(stream)


def _lenient(stream: TextIO) -> TextIO:
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    return stream


def _fill_closed_descriptors() -> None:
    """Open the null device at each of 0, 1 and 2 that is closed: else the next file opened has its number."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free


def _drop_refused(stream: TextIO) -> None:
    """Discard the stream's buffer if it cannot be written.

    The interpreter would otherwise try again at exit, and exit with a code of its own.
    """
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())

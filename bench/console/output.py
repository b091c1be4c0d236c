"""Standard output and standard error of every command: the one way out to a terminal.

What is printed holds names of files and classes, messages of networks and of tools. `standard_streams` puts
an `Output` in place of each stream for as long as a command runs, so that none of it can act on a terminal,
whoever prints it; a character that the stream's encoding lacks is shown as an escape (`\\u2713`).
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
    """A text stream that lets nothing act on a terminal: see `plain`.

    - `stream`: where to.
    - `name`: what it is called in an error; None for one whose failures are no errors: what it does not take
      is lost.
    - `filtered`: False for what may act, because it is ActionBench's own: colours, a cursor's moves.

    Writing raises UsageError if the stream takes no more (a full disk), BrokenPipeError if its reader left.
    """

    def __init__(self, stream: TextIO, name: str | None, *, filtered: bool = True) -> None:
        self._stream, self._name, self._filtered = stream, name, filtered

    def own(self) -> Output:
        return Output(self._stream, self._name, filtered=False)

    def write(self, text: str) -> int:
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
    """The same stream for what may act on a terminal; texts from outside must be plain already."""
    return cast(TextIO, stream.own()) if isinstance(stream, Output) else stream


@contextlib.contextmanager
def standard_streams() -> Iterator[None]:
    """Put an `Output` in place of sys.stdout, which stays None if it is closed, and of sys.stderr.

    Messages that standard error does not take are lost, and end nothing. What a stream has refused to take
    is dropped at the end.
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
    """Let what is still in the stream's buffer go nowhere, if it cannot go where it should.

    The interpreter would try once more at its end, and end with an exit code of its own.
    """
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())

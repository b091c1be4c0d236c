"""How a training reports its progress."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Progress(Protocol):
    """Progress of one task."""

    def advance(self, note: str = "") -> None:
        """One more unit is done."""

    def note(self, text: str) -> None:
        """What is being done now."""


class Reporter(Protocol):
    """Where progress is reported: the command line, or nowhere."""

    def say(self, text: str) -> None:
        """Something that the user should know."""

    def task(self, title: str, total: int) -> AbstractContextManager[Progress]:
        """A task of so many units begins; it ends with the block."""


class Silent:
    """A `Reporter`, and a `Progress`, that reports nothing: what another process reports already."""

    def say(self, text: str) -> None:
        pass

    @contextmanager
    def task(self, title: str, total: int) -> Iterator[Silent]:  # noqa: ARG002
        yield self

    def advance(self, note: str = "") -> None:
        pass

    def note(self, text: str) -> None:
        pass

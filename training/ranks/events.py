"""What the first process of a training reports to the one that started it, one JSON object a line.

The others report only how they ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import get_args

from ...child_process import event_of
from ...errors import ActionBenchError
from ...typed_values import Mismatch


@dataclass(frozen=True, slots=True)
class Said:
    """See `Reporter.say`."""

    text: str


@dataclass(frozen=True, slots=True)
class Begun:
    """A task of the reporter has begun: its title, and its number of units."""

    title: str
    total: int


@dataclass(frozen=True, slots=True)
class Advanced:
    """One more unit of the task is done."""

    note: str


@dataclass(frozen=True, slots=True)
class Noted:
    """What is being done in the task."""

    text: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The task has ended."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The training cannot go on. `kind`: class of the error. `error`: its message."""

    kind: str
    error: str

    def raised(self) -> ActionBenchError:
        """The error again."""
        kinds = {each.__name__: each for each in ActionBenchError.__subclasses__()}
        return kinds.get(self.kind, ActionBenchError)(self.error)


@dataclass(frozen=True, slots=True)
class Done:
    """The process has done its part. The last event."""


Event = Said | Begun | Advanced | Noted | Finished | Failed | Done
Send = Callable[[Event], None]

_KINDS: dict[str, type[Event]] = {kind.__name__: kind for kind in get_args(Event)}


def read_event(line: bytes) -> Event:
    """The event that a process wrote. Raises ValueError for a line that is none."""
    if (event := event_of(line, _KINDS)) is None:
        raise Mismatch("is no event")
    return event


class Sender:
    """A `Reporter`, and a `Progress`, whose calls are sent as events."""

    def __init__(self, send: Send) -> None:
        self._send = send

    def say(self, text: str) -> None:
        self._send(Said(text))

    @contextmanager
    def task(self, title: str, total: int) -> Iterator[Sender]:
        self._send(Begun(title, total))
        yield self
        self._send(Finished())

    def advance(self, note: str = "") -> None:
        self._send(Advanced(note))

    def note(self, text: str) -> None:
        self._send(Noted(text))

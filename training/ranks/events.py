"""What the first process of a training reports to the one that started it, one JSON object a line.

The others report only how they ended.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import IO, get_args

from ...errors import ActionBenchError
from ...parsing import parse_json
from ...typed_values import Mismatch, typed


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


def event_writer(stream: IO[bytes]) -> Send:
    """Function that writes events to `stream`, from any thread."""
    lock = threading.Lock()

    def send(event: Event) -> None:
        line = json.dumps({"event": type(event).__name__, **asdict(event)}).encode() + b"\n"
        with lock:
            stream.write(line)
            stream.flush()

    return send


def read_event(line: bytes) -> Event:
    """The event that a process wrote. Raises ValueError for a line that is none."""
    values = parse_json(line)
    if not isinstance(values, dict) or (name := values.pop("event", None)) not in _KINDS:
        raise Mismatch("is no event")
    return typed(_KINDS[name], values)


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

"""Events of a live session: an action began, goes on, ended, was cleared. A file of them, line by line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from ..errors import UsageError
from ..records.json_lines import lines, to_json
from ..typed_values import typed

State = Literal["start", "update", "end", "cleared"]

SCHEMA = 1
"""Version of the lines; it rises when a field changes its meaning or is no longer there."""


@dataclass(frozen=True, slots=True)
class ActionEvent:
    """What happened to one action. All events of an action have the same `id`.

    - `id`: of the action; no other session has the same.
    - `state`: it started, goes on (about once a second), ended, or has been over for the time after which it
      is cleared.
    - `label`: its class.
    - `start_s`: presentation time of the last frame of the first window that it was recognised in, seconds on
      the session's timeline. The action itself may have begun up to a window earlier.
    - `end_s`: likewise of the last window that it was recognised in; None while it goes on.
    - `confidence`: highest smoothed probability of its class so far, 0–1.
    - `window_start_s`, `window_end_s`: presentation times of the first and last frame of the window after
      which the event was decided. Of the events at the end of a session: of the last window.
    - `age_s`: age of that window's last frame when its label was there, seconds.
    - `window`: frames of a window. `stride`: frames from one label to the next, as in effect. `rate`: frames
      a second that the network sees.
    - `model`: the network as it was asked for.
    - `time`: when the event was decided: UTC, ISO 8601.
    - `person`: id of the person who acts; None where the network sees whole frames. `zone`: where that person
      was in the window's last frame; None without zones.
    """

    id: str
    state: State
    label: str
    start_s: float
    end_s: float | None
    confidence: float
    window_start_s: float
    window_end_s: float
    age_s: float
    window: int
    stride: int
    rate: float
    model: str
    time: str
    person: int | None = None
    zone: str | None = None
    kind: Literal["event"] = "event"

    def to_json(self) -> str:
        """One line of JSON, without a line feed."""
        return _line(self)


@dataclass(frozen=True, slots=True)
class SessionHeader:
    """What all events of a session have in common: the first line of its events.

    - `source`: camera number, path or address, without what gives access.
    - `model`: the network as it was asked for.
    - `weights`: stream → "published", "user", "demo" or "random".
    - `caveat`: what the weights forbid to conclude, in words; None for trained ones.
    - `window`, `rate`: see `ActionEvent`. `stride`: as asked for; while the machine cannot keep up it is
      larger, and stands in each event.
    - `no_action`: by which rule there is no action, in words (`Decider.no_action`).
    - `time`: when the session began: UTC, ISO 8601.
    - `people`: the detector by which persons are found, in words; None where the network sees whole frames.
    - `zones`: names of the zones in which persons are recognised; none: everywhere.
    - `every`: where `rate` is 0, of the source's frames every so many-th is seen by the network.
    - `schema`: version of the lines.
    """

    source: str
    model: str
    weights: dict[str, str]
    caveat: str | None
    window: int
    stride: int
    rate: float
    no_action: str
    time: str
    people: str | None = None
    zones: tuple[str, ...] = ()
    every: int = 1
    schema: int = SCHEMA
    kind: Literal["session"] = "session"

    def to_json(self) -> str:
        """One line of JSON, without a line feed."""
        return _line(self)


def _line(record: ActionEvent | SessionHeader) -> str:
    return to_json(asdict(record)).decode().removesuffix("\n")


def read_events(path: Path) -> Iterator[SessionHeader | ActionEvent]:
    """The lines of a file of events, in its order. Each session begins with its header.

    A last line without a line feed, which a process that was killed may leave, is left out. Raises
    UsageError, with the number of the line, for one that is neither, and for a header of another version.
    """
    if not path.exists():
        raise UsageError("there is no such file of events", where=path)
    for number, raw in enumerate(lines(path), 1):
        schema = raw.get("schema", SCHEMA)
        if schema != SCHEMA:
            raise UsageError(
                f"line {number} is of another version of the format",
                where=path,
                expected=f"schema {SCHEMA}",
                found=f"schema {schema}",
                remedy="Read it with the version of ActionBench that wrote it.",
            )
        try:
            if raw.get("kind") == "session":
                yield typed(SessionHeader, raw)
            else:
                yield typed(ActionEvent, raw)
        except ValueError as error:
            raise UsageError(f"line {number} is damaged: {error}", where=path) from error

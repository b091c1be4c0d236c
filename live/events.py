"""What happened on a live source: an action began, goes on, ended, or was cleared."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class ActionEvent:
    """One event of an action; the events of one action have the same `id`.

    - `state`: "start", "update", "end" or "cleared".
    - `start_s`, `end_s`: of the action, on the session's timeline, seconds; `end_s` is None while it goes on.
    - `confidence`: 0–1. `window_start_s`, `window_end_s`: of the window that it was decided on.
    - `age_s`, `window`, `stride`, `rate`: see `Recognised`.
    - `model`: as it was named. `time`: UTC, ISO 8601.
    """

    id: str
    state: Literal["start", "update", "end", "cleared"]
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

    def to_json(self) -> str:
        """One line of JSON, without a line feed."""
        return json.dumps(asdict(self), allow_nan=False)


@dataclass(frozen=True, slots=True)
class SessionHeader:
    """What all events of a session have in common: the first line of its events.

    - `source`: without its password. `model`: as it was named. `weights`: stream → kind.
    - `caveat`: what the weights forbid to conclude, in words.
    - `window`, `stride`, `rate`: see `Recognised`; the stride as asked for, the rate as the network wants it.
    - `no_action`: by which rule there is no action. `time`: of the beginning, UTC, ISO 8601.
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
    schema: int = 1
    kind: Literal["session"] = "session"

    def to_json(self) -> str:
        """One line of JSON, without a line feed."""
        return json.dumps(asdict(self), allow_nan=False)

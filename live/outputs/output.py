"""What an output of a live session is: interface only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ..decision import Decision
from ..events import ActionEvent
from ..frame import Frame
from ..measurements import SessionStatus


@dataclass(frozen=True, slots=True)
class Shown:
    """What stands on the picture."""

    decision: Decision | None
    age_s: float | None
    top: tuple[tuple[str, float], ...]
    status: SessionStatus


class Output(Protocol):
    """Called by the session's output thread."""

    def frame(self, frame: Frame, shown: Shown) -> None: ...
    def event(self, event: ActionEvent) -> None: ...
    def close(self) -> None: ...

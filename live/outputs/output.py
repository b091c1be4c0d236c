"""What every output of a live session provides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from ..decision import Decision
from ..events import ActionEvent
from ..frame import Frame
from ..labelling import PersonLabel
from ..measurements import SessionStatus


@dataclass(frozen=True, slots=True)
class Shown:
    """What stands on the picture.

    - `decision`: the latest one; None before the first.
    - `age_s`: how old its window's last frame was when it was there.
    - `top`: the likeliest classes with their smoothed probabilities, best first.
    - `status`: of the session.
    - `people`: who is in the picture, each with a label; None where nobody is looked for.
    - `person`: with people, id of the person whose decision, age and classes these are (see `Labelled`).
    """

    decision: Decision | None
    age_s: float | None
    top: tuple[tuple[str, float], ...]
    status: SessionStatus
    people: tuple[PersonLabel, ...] | None = None
    person: int | None = None

    @property
    def waiting(self) -> str | None:
        """Why there is no label, in words; None where there is one."""
        if self.decision is not None:
            return None
        if self.people is None or any(each.person.watched for each in self.people):
            return "waiting for the first window"
        return "nobody in a zone" if self.people else "nobody in the picture"


class Output(Protocol):
    """Gets the events of a session; a thread of its own calls all methods."""

    def event(self, event: ActionEvent) -> None:
        """Take an event."""

    def close(self) -> None:
        """Complete all files, so that they can be played."""


@runtime_checkable
class PictureOutput(Output, Protocol):
    """Gets the frames of a session, too."""

    def frame(self, frame: Frame, shown: Shown) -> None:
        """Show a frame; called for each frame that is to be shown, in order."""

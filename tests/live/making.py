"""Answers, frames and statuses of sessions that never took place."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from actionbench.live.decision import Decision
from actionbench.live.events import ActionEvent, State
from actionbench.live.frame import Frame
from actionbench.live.labelling import PersonLabel
from actionbench.live.measurements import SessionStatus
from actionbench.live.outputs.output import Shown
from actionbench.live.people.finder import Present
from actionbench.live.recognition import Recognised

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)


def noon() -> datetime:
    """A clock that stands still."""
    return NOON


def answer(end_s: float, probabilities: Sequence[float]) -> Recognised:
    """An answer to a window of one second that ends at `end_s`, a quarter of a second old."""
    return Recognised(np.array(probabilities, np.float32), end_s - 1, end_s, end_s, end_s + 0.25, 25, 6, 25.0)


def event(
    state: State = "start", label: str = "falling", id: str = "s-1", start_s: float = 2.0
) -> ActionEvent:
    """An event of an action that lasts a second."""
    end_s = start_s + 1 if state in ("end", "cleared") else None
    return ActionEvent(
        id,
        state,
        label,
        start_s,
        end_s,
        0.75,
        start_s - 1,
        start_s,
        0.25,
        25,
        6,
        25.0,
        "net",
        NOON.isoformat(),
    )


def picture(height: int = 48, width: int = 64, grey: int = 128) -> np.ndarray:
    """(height, width, 3) of one grey."""
    return np.full((height, width, 3), grey, np.uint8)


def frame(number: int, time_s: float, pixels: np.ndarray | None = None) -> Frame:
    """A frame at `time_s`."""
    return Frame(picture() if pixels is None else pixels, number, time_s, time_s)


def shown(
    label: str | None = "falling", caveats: tuple[str, ...] = (), clearing: tuple[str, ...] = ()
) -> Shown:
    """What stands on a picture while `label` goes on."""
    decision = Decision(label, 0.75, np.array([0.75, 0.25], np.float32), (), clearing)
    top = (("falling", 0.75), ("running", 0.2), ("walking", 0.05))
    return Shown(decision, 0.25, top, SessionStatus(processed_fps=25.0, caveats=caveats))


def person(
    id: int,
    label: str | None = None,
    box: tuple[float, float, float, float] = (0.25, 0.25, 0.5, 0.75),
    watched: bool = True,
    probabilities: Sequence[float] | None = (0.75, 0.25),
) -> PersonLabel:
    """A person in the picture; without probabilities, before the first label."""
    decision = None
    if probabilities is not None:
        decision = Decision(label, max(probabilities), np.array(probabilities, np.float32))
    return PersonLabel(Present(id, box, None, watched), decision, None if decision is None else 0.25)

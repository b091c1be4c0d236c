"""What a live session recognised over time, and what really happened: the interface of both."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ShownLabel:
    """A label of a session.

    - `time_s`: presentation time of the last frame that it is about, seconds on the session's timeline.
    - `age_s`: age of that frame when the label was there, seconds.
    - `label`: class of the action that goes on; None for no action.
    """

    time_s: float
    age_s: float
    label: str | None


@dataclass(frozen=True, slots=True)
class LabelTimeline:
    """All labels of a session, in the order of time; each holds until the next one.

    `end_s`: presentation time of the session's last frame, at or after that of the last label.
    """

    labels: tuple[ShownLabel, ...]
    end_s: float


@dataclass(frozen=True, slots=True)
class AnnotatedAction:
    """An action that really happened, from `start_s` to `end_s` on the session's timeline, seconds."""

    label: str
    start_s: float
    end_s: float

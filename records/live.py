"""What a live session recognised over time, and what really happened: the interface of both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SCHEMA = 1
"""Version of `RecordedSession` and `WatchedVideo`; raised when a field changes its name or its meaning."""


@dataclass(frozen=True, slots=True)
class ShownLabel:
    """The label, or labels, of a session from a time on.

    - `time_s`: presentation time of the last frame that it is about, seconds on the session's timeline.
    - `age_s`: age of that frame when the label was there, seconds; 0 where frames did not come in real time.
    - `labels`: classes of the actions that go on, of several persons several; none for no action.
    """

    time_s: float
    age_s: float
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LabelTimeline:
    """What a session showed, in the order of time; each label holds until the next one.

    - `labels`: of equal ones that follow one another, the later ones may be left out.
    - `end_s`: presentation time of the session's last frame, at or after that of the last label.
    """

    labels: tuple[ShownLabel, ...]
    end_s: float


@dataclass(frozen=True, slots=True)
class AnnotatedAction:
    """An action that really happened, from `start_s` to `end_s` on the session's timeline, seconds."""

    label: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class RecordedSession:
    """How videos were watched: all that decides about their labels.

    - `model`: the network as it was asked for. `labels`: its classes.
    - `weights`: stream → kind and, where known, sha256.
    - `window`: frames of a window. `rate`: frames a second that the network sees; None: the video's own.
    - `rule`: by which rule there is no action, in words.
    - `settings`: name → value of the settings of the decision, and of what the network sees.
    """

    model: str
    labels: tuple[str, ...]
    weights: Mapping[str, str]
    window: int
    rate: float | None
    rule: str
    settings: Mapping[str, Any]
    schema: int = SCHEMA


@dataclass(frozen=True, slots=True)
class WatchedVideo:
    """A video that a session watched from its beginning to its end, without dropping a frame.

    - `sha256`: of the file. `name`: for reading.
    - `frames`: that were decoded.
    - `timeline`: what was shown; 0 is the first frame.
    - `notes`: what belongs beside it: damage, windows that the network did not answer.
    """

    sha256: str
    name: str
    frames: int
    timeline: LabelTimeline
    notes: tuple[str, ...] = ()

"""What a worker reports to its parent: one JSON object a line, written and read here."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from ...child_process import event_of
from ...live.events import ActionEvent, SessionHeader
from ...live.measurements import SessionStatus, SessionSummary
from ...preprocessing.preparer import ReportProgress
from ...records.live import LabelTimeline


@dataclass(frozen=True, slots=True)
class Ready:
    """The network is loaded, in `load_s` seconds. `details`: what it says of itself (`Network.describe`)."""

    load_s: float
    details: dict[str, Any]


@dataclass(frozen=True, slots=True)
class FirstForward:
    """The first forward pass took `first_s` seconds."""

    first_s: float


@dataclass(frozen=True, slots=True)
class Started:
    """A clip is in flight, until a `Predicted`, `ClipFailed`, `Measured` or `Watched`. `clip`: its id."""

    clip: str


@dataclass(frozen=True, slots=True)
class ClipFailed:
    """A clip cannot be used. `clip`: its id. `error`: why."""

    clip: str
    error: str


@dataclass(frozen=True, slots=True)
class Predicted:
    """A network's answer to a clip.

    - `clip`: its id.
    - `scores`: probabilities, one of each class; float32 values.
    - `node`: of a cluster, by its name, where it was predicted; None: on this machine.
    - the rest: see `ClipRecord`.
    """

    clip: str
    scores: tuple[float, ...]
    views: int
    frames: int
    video_s: float
    stages_s: dict[str, float]
    flow_cached: bool
    notes: tuple[str, ...]
    node: str | None = None


@dataclass(frozen=True, slots=True)
class NodeJoined:
    """A node of a cluster takes part. `node`: its name. `environment`: its hardware and software."""

    node: str
    environment: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Measured:
    """A measurement of a scenario.

    - `values`: the fields of the scenario's record but for `model` and `process`, in types that JSON has.
    - `clip`: id of the clip in flight that it is about; None where that was not reported by a `Started`.
    """

    values: Mapping[str, Any]
    clip: str | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """A video that MLPerf's LoadGen asked for.

    - `query`: number of the call that asked for it. `clip`: its id.
    - `issued_s`, `begun_s`, `done_s`: when it was asked for, taken up and answered; seconds by one clock.
    - `stages_s`: stage → seconds. `notes`: remarks that belong beside the figure.
    """

    query: int
    clip: str
    issued_s: float
    begun_s: float
    done_s: float
    stages_s: dict[str, float]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Waiting:
    """It is loaded and warm, and does nothing until its parent asks for the next event.

    - `peak_rss_bytes`: most memory that the process held so far.
    - `details`: as in `Ready`, after the work so far.
    """

    peak_rss_bytes: int
    details: dict[str, Any]


@dataclass(frozen=True, slots=True)
class SessionBegun:
    """A live session has begun: from now on its worker ends it, and closes its files, when it is asked to."""

    header: SessionHeader


@dataclass(frozen=True, slots=True)
class Recognising:
    """What a live session recognises now.

    - `label`: None for no action, and before the first answer. `confidence`, `age_s`: see `Shown`.
    - `status`: of the session.
    - `person`: whose label it is; None where the network sees whole frames. `waiting`: see `Shown`.
    """

    label: str | None
    confidence: float | None
    age_s: float | None
    status: SessionStatus
    person: int | None = None
    waiting: str | None = None


@dataclass(frozen=True, slots=True)
class Happened:
    """An event of a live session."""

    action: ActionEvent


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """A live session has ended, and its files are closed."""

    summary: SessionSummary


@dataclass(frozen=True, slots=True)
class Watched:
    """A live session has watched a video to its end.

    - `clip`: id of the video. `frames`, `timeline`, `notes`: see `WatchedVideo`.
    """

    clip: str
    frames: int
    timeline: LabelTimeline
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StageProgress:
    """`done` units of a stage, of `total` in all (0: unknown). Any event shows that the worker is alive."""

    stage: str
    done: int
    total: int

    def __str__(self) -> str:
        return f"{self.stage} {self.done}" + (f"/{self.total}" if self.total else "")


@dataclass(frozen=True, slots=True)
class Notice:
    """`text`: what the user should know."""

    text: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The job cannot be done. The last event. `error`: why."""

    error: str


@dataclass(frozen=True, slots=True)
class Done:
    """The job is done. The last event.

    - `peak_rss_bytes`: most memory that the process held.
    - `details`: as in `Ready`, after the work.
    """

    peak_rss_bytes: int
    details: dict[str, Any]


Event = (
    Ready
    | FirstForward
    | Started
    | ClipFailed
    | Predicted
    | NodeJoined
    | Measured
    | Answered
    | Waiting
    | SessionBegun
    | Recognising
    | Happened
    | SessionEnded
    | Watched
    | StageProgress
    | Notice
    | Failed
    | Done
)

Send = Callable[[Event], None]
"""Reports an event to the parent, from any thread."""

_KINDS: dict[str, type[Event]] = {kind.__name__: kind for kind in get_args(Event)}


def read_event(line: bytes) -> Event | None:
    """The event that a worker wrote. As `event_of`."""
    return event_of(line, _KINDS)


def signs_of_life(send: Send) -> ReportProgress:
    """Function that reports progress, a few times a second at most, for the watchdog and the progress bar."""
    last = 0.0

    def progress(stage: str, done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last > 0.3:
            last = now
            send(StageProgress(stage, done, total))

    return progress

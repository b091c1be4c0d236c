"""What the page shows of a session: written by the session's thread, read by the server's."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...plain_text import plain_line
from ..decision import Decision
from ..events import ActionEvent, SessionHeader
from ..frame import Frame
from ..labelling import PersonLabel
from ..measurements import Measurements
from ..outputs.output import Shown

HISTORY_S = 120.0
"""Seconds of scores that are kept for those who join late."""

MOST_POINTS = 2400
"""Scores that are kept at most: HISTORY_S at 20 labels a second."""

MOST_EVENTS = 100
"""The latest events, kept for those who join late."""

LEAST_SCORE = 0.02
"""A class with a lower probability is not sent, and drawn as 0: a Kinetics network has 400 of them."""

NO_FRAMES_AFTER_S = 10.0
"""Seconds without a frame after which the session counts as unhealthy."""


@dataclass(frozen=True, slots=True)
class _Point:
    number: int
    time_s: float
    scores: dict[str, float]


class LiveState:
    """What is shown now, and what was a while ago; any thread may call any method, and none waits long.

    - `header`: what does not change during the session.
    - `labels`: names of the network's classes, in the order of its probabilities.
    - `measurements`: of the session.
    - `clock`: seconds, as `time.monotonic`.
    """

    def __init__(
        self,
        header: SessionHeader,
        labels: Sequence[str],
        measurements: Measurements,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._about = {
            "source": plain_line(header.source),
            "model": plain_line(header.model),
            "weights": ", ".join(f"{stream}: {kind}" for stream, kind in header.weights.items()),
            "window": header.window,
            "rate": header.rate,
            "every": header.every,
            "no_action": plain_line(header.no_action),
            "people": None if header.people is None else plain_line(header.people),
            "zones": [plain_line(zone) for zone in header.zones],
        }
        self._labels = tuple(plain_line(label) for label in labels)
        self.measurements = measurements
        self._clock = clock
        self._lock = threading.Lock()
        self._latest: tuple[Frame, Shown] | None = None
        self._latest_at = clock()
        self._decision: Decision | None = None
        self._decided_at = self._latest_at
        self._changes = 0
        self._points: deque[_Point] = deque(maxlen=MOST_POINTS)
        self._events: dict[str, tuple[int, ActionEvent]] = {}
        self._ended = False

    def show(self, frame: Frame, shown: Shown) -> None:
        """The newest frame, and what stands on it."""
        point = None
        if shown.decision is not None and shown.decision is not self._decision:
            self._decision, self._decided_at = shown.decision, self._clock()
            smoothed = _scores(shown.decision, shown.people)
            point = {
                self._labels[index]: round(float(smoothed[index]), 3)
                for index in np.flatnonzero(smoothed >= LEAST_SCORE)
            }
        with self._lock:
            self._latest, self._latest_at = (frame, shown), self._clock()
            if point is not None:
                self._changes += 1
                self._points.append(_Point(self._changes, frame.time_s, point))
                while self._points[0].time_s < frame.time_s - HISTORY_S:
                    self._points.popleft()

    def add(self, event: ActionEvent) -> None:
        """A new event, or one that has changed."""
        with self._lock:
            self._changes += 1
            self._events[event.id] = (self._changes, event)
            if len(self._events) > MOST_EVENTS:
                del self._events[next(iter(self._events))]

    def end(self) -> None:
        """No frame and no event will come."""
        with self._lock:
            self._ended = True

    @property
    def changes(self) -> int:
        """Number of the last change: of a label or an event."""
        return self._changes

    @property
    def ended(self) -> bool:
        """Whether the session is over."""
        return self._ended

    @property
    def frame(self) -> Frame | None:
        """The newest frame."""
        latest = self._latest
        return None if latest is None else latest[0]

    @property
    def frame_age_s(self) -> float:
        """Seconds since the newest frame was shown; before the first one, since the session began."""
        return self._clock() - self._latest_at

    def message(self, after: int | None) -> tuple[int, dict[str, Any]]:
        """The number of the last change, and what a viewer is told.

        - `after`: number of the last change that the viewer knows; None for one who knows nothing, and is
          told all that is kept, and what never changes (`about`).

        The values are plain ones, for JSON.
        """
        status = asdict(self.measurements.status())
        with self._lock:
            latest, changes, ended = self._latest, self._changes, self._ended
            known = after or 0
            points = [point for point in self._points if point.number > known]
            events = [event for number, event in self._events.values() if number > known]
        message: dict[str, Any] = {
            "ended": ended,
            "frame_age_s": round(self.frame_age_s, 3),
            "status": {**status, "caveats": [plain_line(caveat) for caveat in status["caveats"]]},
            "points": [[round(point.time_s, 3), point.scores] for point in points],
            "events": [_as_shown(event) for event in events],
            "label_since_s": round(self._clock() - self._decided_at, 3),
            "now": None if latest is None else _now(*latest),
        }
        if after is None:
            message["about"] = self._about
        return changes, message


def _now(frame: Frame, shown: Shown) -> dict[str, Any]:
    decision = shown.decision
    return {
        "time_s": round(frame.time_s, 3),
        "decided": decision is not None,
        "waiting": shown.waiting,
        "person": shown.person,
        "people": None if shown.people is None else [_person(each) for each in shown.people],
        "label": None if decision is None or decision.label is None else plain_line(decision.label),
        "confidence": None if decision is None else round(float(decision.confidence), 4),
        "age_s": None if shown.age_s is None else round(shown.age_s, 4),
        "top": [[plain_line(label), round(float(score), 4)] for label, score in shown.top],
    }


def _person(each: PersonLabel) -> dict[str, Any]:
    decision = each.decision
    label = None if decision is None or decision.label is None else plain_line(decision.label)
    return {
        "id": each.person.id,
        "box": [round(share, 4) for share in each.person.box],
        "watched": each.person.watched,
        "decided": decision is not None,
        "label": label,
        "confidence": None if decision is None else round(float(decision.confidence), 4),
    }


def _scores(decision: Decision, people: tuple[PersonLabel, ...] | None) -> npt.NDArray[np.float32]:
    """The smoothed probabilities, (classes,); with people the highest of any of them."""
    if people is None:
        return decision.smoothed
    decided = [each.decision.smoothed for each in people if each.decision is not None]
    highest: npt.NDArray[np.float32] = np.stack(decided).max(axis=0)
    return highest


def _as_shown(event: ActionEvent) -> dict[str, Any]:
    return {
        "id": event.id,
        "state": event.state,
        "label": plain_line(event.label),
        "person": event.person,
        "zone": None if event.zone is None else plain_line(event.zone),
        "start_s": event.start_s,
        # While an action goes on, it has been seen up to here.
        "until_s": event.window_end_s if event.end_s is None else event.end_s,
        "confidence": event.confidence,
    }

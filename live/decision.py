"""From the network's answers to a label that does not flicker, and to events.

The probabilities of the last windows are averaged, by time. An action starts when its class has been decided
for a minimal time, and goes on until the probability of its class falls below a lower level (hysteresis). At
most one action goes on at any time.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from ..datasets.labels import LabelMatcher
from ..errors import UsageError
from ..operating_point import OperatingPoint
from ..plain_text import plain_line
from .events import ActionEvent, State
from .recognition import Recognised

NO_ACTION = ("other", "no action")
"""Names of a class that stands for "none of the actions"; of the first one that the network has."""

THRESHOLD = 0.5
"""Without such a class: probability from which on no other class can be likelier."""

GAP_S = 5.0
"""Longest time between the last frames of two windows over which an action is taken to go on, seconds.

After a longer one (a camera that was unplugged) nobody saw whether it did.
"""

UPDATE_S = 1.0
"""Least time between two updates of an action, seconds."""


@dataclass(frozen=True, slots=True)
class DecisionSettings:
    """How labels are decided. All times are of the stream, in seconds, so the stride does not change them.

    - `threshold`: probability from which on a class is recognised, 0–1. None: `THRESHOLD`, or none at all
      where the network has a class for "no action". A class with an operating point has that of its own.
    - `exit_share`: an action ends when its probability falls below this share of the level at which it
      starts, 0–1.
    - `smoothing_s`: the windows whose last frames lie in this time before the newest one's count for a label,
      all alike. 0: the newest window alone.
    - `hold_s`: time for which a class must be decided without a break before its action starts. A decision
      stands for the time since the one before, so that a single one is enough where the stride is longer.
    - `clear_after_s`: an action that has ended is cleared when its class has not been recognised for so long.

    Raises UsageError for values out of range.
    """

    threshold: float | None = None
    exit_share: float = 0.7
    smoothing_s: float = 0.5
    hold_s: float = 0.5
    clear_after_s: float = 5.0

    def __post_init__(self) -> None:
        for name, value in (("threshold", self.threshold), ("exit_share", self.exit_share)):
            if value is not None and not 0 <= value <= 1:
                raise UsageError("must be between 0 and 1", where=name, found=value)
        for name in ("smoothing_s", "hold_s", "clear_after_s"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise UsageError("must be a number of seconds, 0 or more", where=name, found=value)


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """What is recognised after one window.

    - `label`: class of the action that goes on; None for no action.
    - `confidence`: smoothed probability of that class; without an action, of the likeliest class.
    - `smoothed`: (classes,) float32, mean of the probabilities of the last windows; they add up to 1.
    - `events`: what this window brought about, in their order.
    - `clearing`: classes of the actions that have ended and are not cleared yet, the latest one last.
    """

    label: str | None
    confidence: float
    smoothed: npt.NDArray[np.float32]
    events: tuple[ActionEvent, ...] = ()
    clearing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A class that is decided without a break. `start_s`: last frame of the first window for which it was.

    `held_from_s`: last frame of the window before that one.
    """

    label: str
    start_s: float
    held_from_s: float


@dataclass(slots=True)
class _Action:
    """An action that goes on (`end_s` is None) or is not cleared yet.

    - `held_s`: last frame of the last window that it was recognised in. `updated_s`: that of its last event.
    """

    id: str
    label: str
    start_s: float
    held_s: float
    updated_s: float
    confidence: float
    end_s: float | None = None


def idle_class(labels: Sequence[str]) -> str | None:
    """The class that stands for "none of the actions", of a network with these classes; None without one."""
    matcher = LabelMatcher(labels)
    return next((name for each in NO_ACTION if (name := matcher(each)) is not None), None)


def utc_now() -> datetime:
    """The time of day, UTC."""
    return datetime.now(UTC)


class Decider:
    """Turns the answers to the windows of one session, in their order, into decisions and events.

    - `labels`: the network's classes, in the order of its probabilities.
    - `settings`: thresholds and times.
    - `operating_point`: when the class that matters is recognised; None if the network has none. Its class is
      decided from its threshold on, however likely the others are.
    - `model`: the network as it was asked for, for the events.
    - `clock`: time of day, for the events.
    - `session`: what the actions' ids begin with; None for the time of day at which this is made.

    Raises UsageError for an operating point of a class that the network does not have.
    """

    def __init__(
        self,
        labels: Sequence[str],
        settings: DecisionSettings,
        operating_point: OperatingPoint | None,
        model: str,
        clock: Callable[[], datetime] = utc_now,
        session: str | None = None,
    ) -> None:
        self._labels, self._settings, self._model, self._clock = tuple(labels), settings, model, clock
        if operating_point is not None and operating_point.label not in self._labels:
            raise UsageError("has an operating point of a class that it lacks", where=model)
        self._point = operating_point
        self._idle = idle_class(self._labels)
        threshold = settings.threshold
        self._threshold = THRESHOLD if threshold is None and self._idle is None else threshold
        self._recent: deque[Recognised] = deque()
        self._left = False
        self._session = session or f"{clock():%Y%m%dT%H%M%S%f}"[:-3]
        self._count = 0
        self._candidate: _Candidate | None = None
        self._running: _Action | None = None
        self._ended: list[_Action] = []

    @property
    def no_action(self) -> str:
        """By which rule there is no action, in words."""
        rules = []
        if self._idle is not None:
            rules.append(f"the likeliest class is '{plain_line(self._idle)}'")
        if self._threshold is not None:
            rules.append(f"the likeliest class has a probability below {self._threshold:g}")
        words = ", or ".join(rules)
        if self._point is not None:
            words += (
                f"; '{plain_line(self._point.label)}' is recognised from {self._point.threshold:.3g} on "
                "(its operating point)"
            )
        return words

    def update(self, recognised: Recognised) -> Decision:
        """The decision after one more window, whose last frame is not older than that of the one before."""
        now = recognised.end_s
        events: list[ActionEvent] = []
        if self._recent and (self._left or now - self._recent[-1].end_s > GAP_S):
            events += self._end()
            self._recent.clear()
            self._candidate = None
        self._left = False
        before = self._recent[-1].end_s if self._recent else now
        self._recent.append(recognised)
        while now - self._recent[0].end_s > self._settings.smoothing_s:
            self._recent.popleft()
        smoothed = np.stack([each.probabilities for each in self._recent]).astype(np.float64).mean(0)
        decided = self._decided(smoothed)
        if decided is None:
            self._candidate = None
        elif self._candidate is None or self._candidate.label != decided:
            self._candidate = _Candidate(decided, now, before)
        if self._running is not None:
            events += self._continued(self._running, smoothed, decided, now)
        if (
            self._candidate is not None
            and now - self._candidate.held_from_s >= self._settings.hold_s
            and (self._running is None or self._running.label != decided)
        ):
            events += self._end()
            events.append(self._started(self._candidate, smoothed, now))
        events += self._cleared(now)
        label = None if self._running is None else self._running.label
        shown = int(smoothed.argmax()) if label is None else self._labels.index(label)
        return Decision(
            label,
            float(smoothed[shown]),
            smoothed.astype(np.float32),
            tuple(events),
            tuple(action.label for action in self._ended),
        )

    def for_person(self, person: int) -> Decider:
        """A decider by the same rules for the windows of one person of the session."""
        return Decider(
            self._labels,
            self._settings,
            self._point,
            self._model,
            self._clock,
            session=f"{self._session}-{person}",
        )

    def finish(self, time_s: float) -> tuple[ActionEvent, ...]:
        """The events of the end of watching, at `time_s` of the timeline: what goes on ends.

        A later window counts like the first one: nobody looked meanwhile (a person outside all zones).
        An action that ended less than `clear_after_s` before is not cleared yet; it is by a later call.
        """
        self._candidate, self._left = None, True
        return (*self._end(), *self._cleared(time_s))

    @property
    def over(self) -> bool:
        """Whether no action goes on, and none is left to be cleared."""
        return self._running is None and not self._ended

    def _decided(self, smoothed: npt.NDArray[np.float64]) -> str | None:
        """The class of the smoothed probabilities, by themselves; None for no action."""
        if self._point is not None:
            best = int(self._point.decide(smoothed[None], self._labels)[0])
            if best < 0 or self._labels[best] == self._idle:
                return None
            if self._labels[best] == self._point.label:
                return self._point.label
        else:
            best = int(smoothed.argmax())
        if self._labels[best] == self._idle or not smoothed[best] >= (self._threshold or 0):
            return None
        return self._labels[best]

    def _level(self, label: str, smoothed: npt.NDArray[np.float64]) -> float:
        """Probability at which an action of a class starts; without a threshold, that of the likeliest."""
        if self._point is not None and label == self._point.label:
            return self._point.threshold
        return float(smoothed.max()) if self._threshold is None else self._threshold

    def _continued(
        self, action: _Action, smoothed: npt.NDArray[np.float64], decided: str | None, now: float
    ) -> list[ActionEvent]:
        probability = float(smoothed[self._labels.index(action.label)])
        if not probability >= self._settings.exit_share * self._level(action.label, smoothed):
            return self._end()
        # While another class is decided, it is open whether that one takes over.
        if decided not in (None, action.label):
            return []
        action.held_s = now
        action.confidence = max(action.confidence, probability)
        if now - action.updated_s < UPDATE_S:
            return []
        action.updated_s = now
        return [self._event(action, "update")]

    def _started(self, candidate: _Candidate, smoothed: npt.NDArray[np.float64], now: float) -> ActionEvent:
        self._count += 1
        label, start_s = candidate.label, candidate.start_s
        confidence = float(smoothed[self._labels.index(label)])
        self._running = _Action(f"{self._session}-{self._count}", label, start_s, now, now, confidence)
        return self._event(self._running, "start")

    def _end(self) -> list[ActionEvent]:
        action, self._running = self._running, None
        if action is None:
            return []
        action.end_s = action.held_s
        self._ended.append(action)
        return [self._event(action, "end")]

    def _cleared(self, now: float) -> list[ActionEvent]:
        """Actions whose class has not been recognised for the time: none of a class that goes on again."""
        last = {action.label: action.held_s for action in self._ended}  # the latest one of a class is last
        if self._running is not None:
            last[self._running.label] = math.inf
        over = [action for action in self._ended if now - last[action.label] >= self._settings.clear_after_s]
        self._ended = [action for action in self._ended if action not in over]
        return [self._event(action, "cleared", now) for action in over]

    def _event(self, action: _Action, state: State, cleared_s: float | None = None) -> ActionEvent:
        window = self._recent[-1]
        return ActionEvent(
            id=action.id,
            state=state,
            label=action.label,
            start_s=action.start_s,
            end_s=action.end_s,
            confidence=min(action.confidence, 1.0),
            window_start_s=window.start_s,
            window_end_s=window.end_s,
            age_s=window.answered_s - window.captured_s,
            window=window.window,
            stride=window.stride,
            rate=window.rate,
            model=self._model,
            time=self._clock().isoformat(timespec="milliseconds"),
            person=window.person,
            zone=window.zone,
            cleared_s=cleared_s,
        )

"""Counts and times of one live session, and what they say of it at any moment."""

from __future__ import annotations

import bisect
import math
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np

Stage = Literal["decode", "people", "prepare", "flow", "forward", "age"]

Counted = Literal[
    "captured",
    "processed",
    "dropped",
    "damaged",
    "reconnects",
    "labels",
    "unshown",
    "late",
    "lost_events",
]
"""What is counted:

- captured: frames that were decoded;
- processed: frames that were prepared for the network;
- dropped: frames that were left out because the machine could not keep up; not those that sampling at the
  network's rate leaves out;
- damaged: packets that were incomplete, or did not decode without errors;
- reconnects: times that a source that was lost came back;
- labels: windows that the network answered;
- unshown: frames that an output was too slow to show, for each such output;
- late: labels that were due by the stride that was asked for, and were not asked for or were replaced by a
  newer window before the network took them;
- lost_events: events that an output was not given since too many waited for it, for each such output.
"""

BOUNDS_S = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip
"""Upper bounds of the histograms' bins, seconds; a last bin has no bound."""

RATE_SPAN_S = 5.0
"""Seconds over which frames a second are counted."""

AGE_SPAN_S = 60.0
"""Seconds over which percentiles of the age are taken."""

MOST_AGES = 10_000
"""Ages that are held at most: those of a minute at 166 labels a second."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """Times of one stage since the session began.

    - `bounds_s`: upper bounds of the bins, seconds.
    - `counts`: times in each bin, not cumulative; one more than there are bounds: the last bin has none.
    - `sum_s`: their sum, seconds.
    """

    bounds_s: tuple[float, ...]
    counts: tuple[int, ...]
    sum_s: float


@dataclass(frozen=True, slots=True)
class SessionStatus:
    """A session at one moment.

    - `captured_fps`, `processed_fps`: frames a second that were decoded, and prepared for the network, in the
      last RATE_SPAN_S seconds.
    - `captured`, `processed`, `dropped`, `damaged`, `reconnects`, `labels`, `unshown`, `late`,
      `lost_events`: see `Counted`.
    - `stride`: frames from one label to the next as in effect; `asked_stride`: as asked for.
    - `keeps_up`: no frame was dropped lately, and the stride is the one that was asked for.
    - `age_p50_s`, `age_p95_s`: of the labels of the last AGE_SPAN_S seconds; None without labels, and the p95
      for fewer than LEAST_FOR_P95.
    - `queues`: name of a queue → items that wait in it.
    - `uptime_s`: seconds since the session began.
    - `connected`: whether the source gives frames.
    - `caveats`: what belongs beside every label, in words: weights that mean nothing, a source in trouble, a
      stride that has grown.
    """

    captured_fps: float = 0.0
    processed_fps: float = 0.0
    captured: int = 0
    processed: int = 0
    dropped: int = 0
    damaged: int = 0
    reconnects: int = 0
    labels: int = 0
    unshown: int = 0
    late: int = 0
    lost_events: int = 0
    stride: int = 1
    asked_stride: int = 1
    keeps_up: bool = True
    age_p50_s: float | None = None
    age_p95_s: float | None = None
    queues: Mapping[str, int] = field(default_factory=dict)
    uptime_s: float = 0.0
    connected: bool = False
    caveats: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """A session as a whole.

    - `seconds`: that it took.
    - `captured`, `processed`, `dropped`, `damaged`, `reconnects`, `labels`, `unshown`, `late`,
      `lost_events`: see `Counted`.
    - `age_p50_s`, `age_p95_s`: of all labels, to 1 %; None without labels, and the p95 for fewer than
      LEAST_FOR_P95.
    - `people_s`: mean time of finding and following persons, of a frame; None where nobody was looked for.
    """

    seconds: float
    captured: int
    processed: int
    dropped: int
    damaged: int
    reconnects: int
    labels: int
    unshown: int
    late: int
    lost_events: int
    age_p50_s: float | None
    age_p95_s: float | None
    people_s: float | None = None


_AGE_BINS_S = np.geomspace(1e-4, 1e4, 1852)
"""Upper bounds of the bins for the ages of a whole session, each 1 % above the one before: hours of labels
take no more memory than minutes."""

LEAST_FOR_P95 = 20
"""Ages of which the 95th percentile is shown at least: of fewer it is the greatest one."""


class Measurements:
    """Counters and histograms of one session; any thread may call any method.

    - `stride`: frames from one label to the next, as asked for.
    - `caveats`: what belongs beside every label from the beginning to the end.
    - `clock`: seconds, as `time.monotonic`.
    """

    def __init__(
        self,
        stride: int = 1,
        caveats: tuple[str, ...] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lock = threading.Lock()
        self._clock, self._begin = clock, clock()
        self._asked = self._stride = stride
        self._caveats = caveats
        self._trouble: dict[str, str] = {}
        self._connected = False
        self._counts: Counter[str] = Counter()
        self._recent: dict[str, deque[tuple[float, int]]] = {
            name: deque() for name in ("captured", "processed", "dropped")
        }
        self._bins = {stage: [0] * (len(BOUNDS_S) + 1) for stage in get_args(Stage)}
        self._sums = dict.fromkeys(get_args(Stage), 0.0)
        self._all_ages = np.zeros(len(_AGE_BINS_S) + 1, np.int64)
        self._ages: deque[tuple[float, float]] = deque(maxlen=MOST_AGES)
        self._queues: dict[str, Callable[[], int]] = {}

    def observe(self, stage: Stage, seconds: float) -> None:
        """Add a time to the histogram of `stage`."""
        with self._lock:
            self._bins[stage][bisect.bisect_left(BOUNDS_S, seconds)] += 1
            self._sums[stage] += seconds
            if stage == "age":
                self._ages.append((self._clock(), seconds))
                self._all_ages[np.searchsorted(_AGE_BINS_S, seconds)] += 1

    def count(self, what: Counted, number: int = 1) -> None:
        """Add `number` to a counter."""
        with self._lock:
            self._counts[what] += number
            if what in self._recent:
                self._recent[what].append((self._clock(), number))
                self._forget(self._recent[what])

    def _forget(self, recent: deque[tuple[float, int]]) -> None:
        oldest = self._clock() - RATE_SPAN_S
        while recent and recent[0][0] < oldest:
            recent.popleft()

    def set_stride(self, stride: int) -> None:
        """The stride that is in effect from now on, frames."""
        with self._lock:
            self._stride = stride

    def set_connected(self, connected: bool) -> None:
        """Whether the source gives frames."""
        with self._lock:
            self._connected = connected

    def set_trouble(self, about: str, words: str | None) -> None:
        """What stands among the caveats until it is replaced or, by None, taken back.

        - `about`: what it is about, a word; `words`: a clause to show.
        """
        with self._lock:
            self._trouble.pop(about, None)
            if words is not None:
                self._trouble[about] = words

    def add_queue(self, name: str, length: Callable[[], int]) -> None:
        """Show the length of a queue in every status."""
        with self._lock:
            self._queues[name] = length

    def status(self) -> SessionStatus:
        """The session as it is now."""
        with self._lock:
            now = self._clock()
            span = min(max(now - self._begin, 1e-9), RATE_SPAN_S)
            lately = {}
            for name, recent in self._recent.items():
                self._forget(recent)
                lately[name] = sum(number for _, number in recent)
            ages = [age for when, age in self._ages if when >= now - AGE_SPAN_S]
            caveats = [*self._caveats, *self._trouble.values()]
            if self._stride != self._asked:
                caveats.append(
                    f"cannot keep up: a label every {self._stride} frames in place of {self._asked}"
                )
            if lately["dropped"]:
                caveats.append(f"cannot keep up: {lately['dropped']} frames dropped in {span:.0f} s")
            return SessionStatus(
                captured_fps=lately["captured"] / span,
                processed_fps=lately["processed"] / span,
                **{name: self._counts[name] for name in get_args(Counted)},
                stride=self._stride,
                asked_stride=self._asked,
                keeps_up=self._stride == self._asked and not lately["dropped"],
                age_p50_s=float(np.percentile(ages, 50)) if ages else None,
                age_p95_s=float(np.percentile(ages, 95)) if len(ages) >= LEAST_FOR_P95 else None,
                queues={name: length() for name, length in self._queues.items()},
                uptime_s=now - self._begin,
                connected=self._connected,
                caveats=tuple(caveats),
            )

    def histograms(self) -> Mapping[str, Histogram]:
        """Stage → its times since the session began."""
        with self._lock:
            return {
                stage: Histogram(BOUNDS_S, tuple(bins), self._sums[stage])
                for stage, bins in self._bins.items()
            }

    def summary(self) -> SessionSummary:
        """The session as a whole."""
        with self._lock:
            labels = int(self._all_ages.sum())
            looks = sum(self._bins["people"])
            return SessionSummary(
                seconds=self._clock() - self._begin,
                **{name: self._counts[name] for name in get_args(Counted)},
                age_p50_s=self._age_percentile(0.5) if labels else None,
                age_p95_s=self._age_percentile(0.95) if labels >= LEAST_FOR_P95 else None,
                people_s=self._sums["people"] / looks if looks else None,
            )

    def _age_percentile(self, share: float) -> float:
        """The age that a share of all labels did not exceed: by the nearest rank, to the width of a bin."""
        reached = np.cumsum(self._all_ages)
        place = int(np.searchsorted(reached, math.ceil(share * reached[-1])))
        return float(_AGE_BINS_S[min(place, len(_AGE_BINS_S) - 1)])

"""Trials of the scenario "stream": which stride and which rate a model keeps up with is searched by them.

Both searches double a value, then bisect. What was tried decides what is tried next, so that an interrupted
search continues where it stopped, and a report can tell whether one has ended.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from .stream import StreamRecord, keeps_up

Search = Literal["stride", "rate"]
"""What is searched: the smallest stride at a camera's rate, or the largest rate of a camera at a stride."""

TRIALS = "stream_trials"
"""Name of their file, without its ending."""

SLOWEST_FPS, FASTEST_FPS = 5, 240
"""Limits of the rates that are tried, frames per second: surveillance at its slowest, a telephone's slow
motion."""

NEAR = 0.05
"""A rate is found when the next one that was tried is so near, as a share of it (or one frame per second)."""


@dataclass(frozen=True, slots=True)
class StreamTrial:
    """One trial of a search.

    - `search`: that it belongs to.
    - `measured`: a camera, as the scenario "stream" measures it; its `process` counts the model's trials.
    """

    search: Search
    measured: StreamRecord

    @property
    def passed(self) -> bool:
        """Whether the model kept up with this camera."""
        return keeps_up(self.measured)


def next_stride(passed: Collection[int], failed: Collection[int], window: int) -> int | None:
    """The stride that is tried next, frames: 1, 2, 4, … up to `window`, then between the last two.

    - `passed`, `failed`: strides that were tried.
    - `window`: frames of a window. A larger stride would leave out frames, and is not tried.

    None when the search has ended: the smallest of `passed` is found, or there is none.
    """
    low = max(failed, default=0)
    if not passed:
        return None if low >= window else min(max(1, 2 * low), window)
    high = min(passed)
    return (low + high) // 2 if high - low > 1 else None


def next_rate(passed: Collection[int], failed: Collection[int], first: int) -> int | None:
    """The rate that is tried next, frames per second: `first`, then twice or half of it, then in between.

    - `passed`, `failed`: rates that were tried.
    - `first`: from `SLOWEST_FPS` to `FASTEST_FPS`, the limits of the search.

    None when the search has ended: the largest of `passed` is found, or there is none.
    """
    if not passed and not failed:
        return first
    if not failed:
        low = max(passed)
        return None if low >= FASTEST_FPS else min(2 * low, FASTEST_FPS)
    high = min(failed)
    if not passed:
        return None if high <= SLOWEST_FPS else max(high // 2, SLOWEST_FPS)
    low = max(passed)
    return (low + high) // 2 if high - low > max(1, NEAR * low) else None


@dataclass(frozen=True, slots=True)
class StreamPeak:
    """What a search of `--find-peak` found, as measured in its trials.

    - `search`: what was searched.
    - `kept_up`: the most demanding camera that was kept up with: the smallest stride or the largest rate;
      None if there was none.
    - `not_kept_up`: the least demanding camera that was not; None if there was none.
    - `ended`: whether the search has ended. One that was interrupted might find more.
    """

    search: Search
    kept_up: StreamRecord | None
    not_kept_up: StreamRecord | None
    ended: bool

    @property
    def camera(self) -> StreamRecord:
        """A trial, for what all of the search have in common: the rate or the stride, and the window."""
        found = self.kept_up or self.not_kept_up
        assert found is not None, "a search without a trial is none"
        return found


def stream_peaks_of(trials: Iterable[StreamTrial]) -> tuple[StreamPeak, ...]:
    """What each search found, in their order; `trials`: of one model."""
    searches: dict[tuple[Search, float], list[StreamTrial]] = {}
    for trial in trials:
        same = trial.measured.fps if trial.search == "stride" else trial.measured.stride
        searches.setdefault((trial.search, same), []).append(trial)
    return tuple(_peak(search, of_search) for (search, _), of_search in searches.items())


def _peak(search: Search, trials: Sequence[StreamTrial]) -> StreamPeak:
    passed = [trial.measured for trial in trials if trial.passed]
    failed = [trial.measured for trial in trials if not trial.passed]
    if search == "stride":
        ended = next_stride([r.stride for r in passed], [r.stride for r in failed], trials[0].measured.window)
        kept_up = min(passed, key=lambda r: r.stride, default=None)
        not_kept_up = max(failed, key=lambda r: r.stride, default=None)
    else:
        ended = next_rate([round(r.fps) for r in passed], [round(r.fps) for r in failed], SLOWEST_FPS)
        kept_up = max(passed, key=lambda r: r.fps, default=None)
        not_kept_up = min(failed, key=lambda r: r.fps, default=None)
    return StreamPeak(search, kept_up, not_kept_up, ended is None)

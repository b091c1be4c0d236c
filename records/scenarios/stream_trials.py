"""Trials of the scenario "stream": which camera a model keeps up with, and how many it serves.

All searches double a value, then bisect. What was tried decides what is tried next, so that an interrupted
search continues where it stopped, and a report can tell whether one has ended.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from .stream import StreamRecord, keeps_up

Search = Literal["stride", "rate", "cameras"]
"""What is searched: the smallest stride at a camera's rate, the largest rate of a camera at a stride, or the
largest number of cameras at once."""

TRIALS = "stream_trials"
"""Name of their file, without its ending."""

SLOWEST_FPS, FASTEST_FPS = 5, 240
"""Limits of the rates that are tried, frames per second: surveillance at its slowest, a telephone's slow
motion."""

MOST_CAMERAS = 256
"""Cameras that are tried at most: their decoding alone would take more cores than most machines have."""

FEWEST_STRIDES = 20
"""Strides of a trial, at least. One window of each camera, or person, may wait while another is in the
network, so that in N strides a network that is too slow by less than 1 / N computes all labels: here a
twentieth, as near as a rate is found."""

NEAR = 0.05
"""A rate is found when the next one that was tried is so near, as a share of it (or one frame per second)."""


@dataclass(frozen=True, slots=True)
class StreamTrial:
    """One trial of a search.

    - `search`: that it belongs to.
    - `measured`: as the scenario "stream" measures its cameras; `process` counts the model's trials.
    """

    search: Search
    measured: StreamRecord

    @property
    def passed(self) -> bool | None:
        """Whether the model kept up with every camera; None where that is not known, as
        no label was due, which ends the search."""
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


def next_cameras(passed: Collection[int], failed: Collection[int]) -> int | None:
    """The number of cameras that is tried next: 1, 2, 4, … up to `MOST_CAMERAS`, then between the last two.

    - `passed`, `failed`: numbers that were tried.

    None when the search has ended: the largest of `passed` is found, or there is none.
    """
    low = max(passed, default=0)
    if not failed:
        return None if low >= MOST_CAMERAS else min(max(1, 2 * low), MOST_CAMERAS)
    high = min(failed)
    return (low + high) // 2 if high - low > 1 else None


@dataclass(frozen=True, slots=True)
class StreamPeak:
    """What a search of `--find-peak` or `--streams` found, as measured in its trials.

    - `search`: what was searched.
    - `kept_up`: the most demanding trial that passed: the smallest stride, the largest rate or the most
      cameras; None if there was none.
    - `not_kept_up`: the least demanding trial that did not; None if there was none.
    - `ended`: whether the search has ended. One that was interrupted might find more.
    - `undecided`: the trial that ended it because no label was due; None if none did.
    - `camera_bytes`: memory that another camera takes, from the growth of the process between the trials with
      the fewest and the most cameras; None where cameras were not searched, or one number alone was tried.
    """

    search: Search
    kept_up: StreamRecord | None
    not_kept_up: StreamRecord | None
    ended: bool
    undecided: StreamRecord | None = None
    camera_bytes: float | None = None

    @property
    def camera(self) -> StreamRecord:
        """A trial, for what all of the search have in common: the rate or the stride, and the window."""
        found = self.kept_up or self.not_kept_up or self.undecided
        assert found is not None, "a search without a trial is none"
        return found


def stream_peaks_of(trials: Iterable[StreamTrial]) -> tuple[StreamPeak, ...]:
    """What each search found, in their order; `trials`: of one model."""
    searches: dict[tuple[Search, float], list[StreamTrial]] = {}
    for trial in trials:
        same = trial.measured.stride if trial.search == "rate" else trial.measured.fps
        searches.setdefault((trial.search, same), []).append(trial)
    return tuple(_peak(search, of_search) for (search, _), of_search in searches.items())


def _peak(search: Search, trials: Sequence[StreamTrial]) -> StreamPeak:
    passed = [trial.measured for trial in trials if trial.passed]
    failed = [trial.measured for trial in trials if trial.passed is False]
    undecided = next((trial.measured for trial in trials if trial.passed is None), None)
    if search == "stride":
        ended = next_stride([r.stride for r in passed], [r.stride for r in failed], trials[0].measured.window)
        kept_up = min(passed, key=lambda r: r.stride, default=None)
        not_kept_up = max(failed, key=lambda r: r.stride, default=None)
    elif search == "cameras":
        ended = next_cameras([r.cameras for r in passed], [r.cameras for r in failed])
        kept_up = max(passed, key=lambda r: r.cameras, default=None)
        not_kept_up = min(failed, key=lambda r: r.cameras, default=None)
    else:
        ended = next_rate([round(r.fps) for r in passed], [round(r.fps) for r in failed], SLOWEST_FPS)
        kept_up = max(passed, key=lambda r: r.fps, default=None)
        not_kept_up = min(failed, key=lambda r: r.fps, default=None)
    has_ended = ended is None or undecided is not None
    return StreamPeak(search, kept_up, not_kept_up, has_ended, undecided, _camera_bytes([*passed, *failed]))


def _camera_bytes(trials: Sequence[StreamRecord]) -> float | None:
    by_cameras = {r.cameras: r.resident_bytes for r in trials if r.resident_bytes is not None}
    fewest, most = min(by_cameras, default=0), max(by_cameras, default=0)
    if most == fewest:
        return None
    return max(0.0, (by_cameras[most] - by_cameras[fewest]) / (most - fewest))

"""The task "turns": clips are timed when it is this process's turn, between which it does nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle
from queue import SimpleQueue

from ..scenarios.latency import ClipTimer, none_left, warm_preparation
from ..scenarios.scenario import Loaded
from .events import Send, Waiting
from .job import Job


@dataclass(frozen=True, slots=True)
class TurnSettings:
    """`min_seconds`: a clip is timed again until a turn has measured so much; it is timed once at least."""

    min_seconds: float = 0.0


def take_turns(
    job: Job, loaded: Loaded, send: Send, *, turns: SimpleQueue[bytes], peak_rss: Callable[[], int]
) -> None:
    """Time one of the job's clips in every turn, the clips in order, until the process is ended.

    - `job`, `loaded`, `send`: as of every task; `job.settings` are `TurnSettings`.
    - `turns`: a line from the parent for each turn.
    - `peak_rss`: gives the bytes that the process held at most so far.

    Every clip is timed once before the first turn, which warms the process. Raises MeasurementError if a clip
    cannot be used.
    """
    settings: TurnSettings = job.settings
    timed = ClipTimer(job, loaded, send)
    samples = 0
    warm_preparation(loaded.preparer, job.clips[0], send)
    for clip in job.clips:
        if timed(clip, 0, 0) is None:
            raise none_left(samples, timed.refused)
    for clip in cycle(job.clips):
        send(Waiting(peak_rss(), loaded.network.describe()))
        turns.get()
        measured = 0.0
        while measured == 0 or measured < settings.min_seconds:
            sample = timed(clip, samples, 0)
            if sample is None:
                raise none_left(samples, timed.refused)
            samples += 1
            measured += sample.wall_s

"""What the scenarios beside latency say: how much at once, how soon, whether a camera is kept up with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from ...records.disturbance import is_disturbed, waiting_ratio
from ...records.run import ProcessRecord, StreamRecord, ThroughputRecord
from ..statistics.intervals import Estimate, percentile, process_median
from .load_runs import Timings

R = TypeVar("R", ThroughputRecord, StreamRecord)

KEPT_UP = 0.99
"""Share of the labels due that must be answered, and of the frames that must be taken up, to keep up."""


@dataclass(frozen=True, slots=True)
class Throughput:
    """One model's stretches in "throughput" or "pipelined". Estimates: median over processes.

    - `in_flight`, `lanes`, `network_threads`, `batch`, `streams_apart`, `forwards_at_once`: see
      `ThroughputRecord`. `videos`: answered in all processes. `mean_batch`: views in a forward call.
    - `videos_per_s`, `frames_per_s`; `factor`: seconds of video per second; None where its length is unknown.
    - `answer`: seconds from taking up a video to its answer.
    - `busy`: CPU time by wall time and lanes (0–1); `gpu_busy` likewise, as nvidia-smi tells.
    - `growth`: of the process's memory, last third of the stretch against the first, the largest of all
      processes; None with fewer than `FEWEST_READINGS`.
    - `waiting`: `waiting_ratio` of the lanes; median over processes.
    """

    in_flight: int
    lanes: int
    network_threads: int
    batch: int
    streams_apart: bool
    forwards_at_once: bool
    videos: int
    videos_per_s: Estimate | None
    frames_per_s: Estimate | None
    factor: Estimate | None
    answer: Estimate | None
    busy: Estimate | None
    gpu_busy: Estimate | None
    growth: float | None
    peak_rss_bytes: int | None
    waiting: float | None
    mean_batch: Estimate | None
    skipped: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    errors: tuple[tuple[int, str], ...]

    @property
    def disturbed(self) -> bool:
        """Whether something else had the cores."""
        return is_disturbed(self.waiting)


FEWEST_READINGS = 9
"""Readings of memory from which its growth is told: three in each third of a stretch."""


def throughput(timings: Timings | None) -> Throughput | None:
    """Summary of one model's stretches; None without any."""
    records = _of_kind(timings, ThroughputRecord)
    if not records or timings is None:
        return None
    first = records[0]
    waits = [w for r in records if (w := waiting_ratio(r.waited_s, r.wall_s, r.lanes)) is not None]
    growths = [g for r in records if (g := _growth(r.rss_bytes)) is not None]
    return Throughput(
        first.in_flight,
        first.lanes,
        first.network_threads,
        first.batch,
        first.streams_apart,
        first.forwards_at_once,
        videos=sum(r.videos for r in records),
        videos_per_s=process_median([[r.videos / r.wall_s] for r in records]),
        frames_per_s=process_median([[r.frames / r.wall_s] for r in records]),
        factor=process_median([[r.video_s / r.wall_s] for r in records if r.video_s > 0]),
        answer=process_median([r.answer_s for r in records]),
        busy=process_median([[r.cpu_s / r.wall_s / r.lanes] for r in records]),
        gpu_busy=process_median([[r.gpu_busy] for r in records if r.gpu_busy is not None]),
        growth=max(growths, default=None),
        peak_rss_bytes=_peak(timings.processes),
        waiting=float(np.median(waits)) if waits else None,
        mean_batch=process_median([[r.mean_batch] for r in records if r.mean_batch is not None]),
        skipped=tuple(sorted({item for r in records for item in r.skipped.items()})),
        notes=tuple(sorted({note for r in records for note in r.notes})),
        errors=_errors(timings.processes),
    )


def _growth(rss_bytes: Sequence[int]) -> float | None:
    if len(rss_bytes) < FEWEST_READINGS:
        return None
    third = len(rss_bytes) // 3
    before, after = np.median(rss_bytes[:third]), np.median(rss_bytes[-third:])
    return float(after / before - 1)


@dataclass(frozen=True, slots=True)
class Stream:
    """One model and a camera. Estimates: median over processes.

    - `fps`, `window`, `stride`: see `StreamRecord`. `labels`, `due`: answered and due, over all processes.
    - `labels_per_s`: the share answered of fps / stride.
    - `age`: seconds from a window's last frame to its label; `age_p95` pooled, None where the sample is too
      small; `oldest` the worst.
    - `answered`: share of the labels due; `taken`: share of the frames that were not lost. The worst process.
    - `frame`, `forward`: seconds of work on a frame and on a window.
    - `waiting`: `waiting_ratio` of the threads that prepare frames and of the one with the network; median
      over processes.
    """

    fps: float
    window: int
    stride: int
    labels: int
    due: int
    frames: int
    dropped: int
    labels_per_s: Estimate | None
    age: Estimate | None
    age_p95: float | None
    oldest: float | None
    answered: float
    taken: float
    frame: Estimate | None
    forward: Estimate | None
    threads: int
    waiting: float | None
    notes: tuple[str, ...]
    errors: tuple[tuple[int, str], ...]

    @property
    def keeps_up(self) -> bool:
        """In every process."""
        return min(self.answered, self.taken) >= KEPT_UP

    @property
    def disturbed(self) -> bool:
        """Whether something else had the cores."""
        return is_disturbed(self.waiting)


def stream(timings: Timings | None) -> Stream | None:
    """Summary of one model's cameras; None without any."""
    records = _of_kind(timings, StreamRecord)
    if not records or timings is None:
        return None
    first = records[0]
    ages = [age for r in records for age in r.age_s]
    threads = first.preparing_threads + first.network_threads
    workers = first.preparing_threads + 1  # and the one that has the network
    waits = [w for r in records if (w := waiting_ratio(r.waited_s, r.wall_s, workers)) is not None]
    return Stream(
        first.fps,
        first.window,
        first.stride,
        labels=len(ages),
        due=sum(r.due for r in records),
        frames=sum(r.frames for r in records),
        dropped=sum(r.dropped for r in records),
        labels_per_s=process_median([[len(r.age_s) / r.due * r.fps / r.stride] for r in records]),
        age=process_median([r.age_s for r in records]),
        age_p95=percentile(ages, 0.95),
        oldest=max(ages, default=None),
        answered=min(len(r.age_s) / r.due for r in records),
        taken=min(1 - r.dropped / r.frames for r in records),
        frame=process_median([[r.frame_s] for r in records]),
        forward=process_median([[r.forward_s] for r in records if r.forward_s is not None]),
        threads=threads,
        waiting=float(np.median(waits)) if waits else None,
        notes=tuple(sorted({note for r in records for note in r.notes})),
        errors=_errors(timings.processes),
    )


def _of_kind(timings: Timings | None, kind: type[R]) -> list[R]:
    return [] if timings is None else [s for s in timings.samples if isinstance(s, kind)]


def _peak(processes: Sequence[ProcessRecord]) -> int | None:
    return max((p.peak_rss_bytes for p in processes if p.peak_rss_bytes is not None), default=None)


def _errors(processes: Sequence[ProcessRecord]) -> tuple[tuple[int, str], ...]:
    return tuple((p.process, p.error) for p in processes if p.error is not None)

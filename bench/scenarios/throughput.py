"""How "throughput" and "pipelined" are measured: clips worked on by several threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import psutil

from ...datasets.clip import Clip
from ...datasets.sources.manifest import verify
from ...errors import ClipError
from ...preprocessing.stopwatch import Meter
from ..plan.environment import GpuWatch
from ..worker.events import Measured, Send, StageProgress, signs_of_life
from ..worker.job import Job
from .latency import none_left, warm_preparation
from .pipeline import Answer, Pipeline
from .scenario import Cost, Loaded, Scenario, repeated
from .thread_pool import ThreadPool

if TYPE_CHECKING:  # a worker needs neither
    from ..plan.config import RunConfig
    from ..plan.planned_model import PlannedModel

MOST_RSS = 60
"""Readings of the process's memory that are kept of a measurement window."""


@dataclass(frozen=True, slots=True)
class ThroughputSettings:
    """How clips are shared out.

    - `min_seconds`: least time that is measured.
    - `threads`: that clips are worked on by, each with `Job.options.threads` in the network.
    - `in_flight`: clips in flight at the same time.
    """

    min_seconds: float
    threads: int = 1
    in_flight: int = 1


class MeasurementWindow:
    """What is measured from one answer to another: the first ones only warm up, the rest count.

    It begins after `warm_up` answers, and is over as soon as `seconds` have passed and the number of answers
    in it is a multiple of `multiple`: with one clip a thread, answers come in groups of that size, and
    part of a group would be a rate of its own. What is answered after that does not count.

    - `warm_up`: answers before it begins.
    - `seconds`: least duration.
    - `multiple`: of answers in it.
    - `counted`: returns the forward calls so far and the views in them.
    """

    def __init__(
        self, warm_up: int, seconds: float, multiple: int, counted: Callable[[], tuple[int, int]]
    ) -> None:
        self.meter = Meter()
        self.answers: list[Answer] = []
        self.rss_bytes: list[int] = []
        self.over = False
        self.mean_batch: float | None = None
        self._warm_up, self._seconds, self._multiple = warm_up, seconds, multiple
        self._before = 0
        self._counted = counted
        self._counts = (0, 0)
        self._process = psutil.Process()

    def add(self, answer: Answer) -> bool:
        """Count an answer, if it is one that counts; True if the window is over."""
        if self.over:
            return True
        if self._before < self._warm_up:
            self._before += 1
            if self._before == self._warm_up:
                self._counts = self._counted()
                self.meter.__enter__()
            return False
        self.answers.append(replace(answer, probabilities=None))  # which would be what the memory grows by
        self.rss_bytes.append(self._process.memory_info().rss)
        if len(self.answers) % self._multiple or self.meter.elapsed_s < self._seconds:
            return False
        self.meter.__exit__()
        self.over = True
        calls, views = (now - then for now, then in zip(self._counted(), self._counts, strict=True))
        self.mean_batch = views / calls if calls else None
        return True


class _Source:
    """Clips one after the other, over and over; those that fail are left out from then on.

    - `skipped`: id → why, of those that were left out; `refused`: the last of these errors.
    """

    def __init__(self, clips: Sequence[Clip]) -> None:
        self._clips = list(clips)
        self.skipped: dict[str, str] = {}
        self.refused: ClipError | None = None
        self._next = 0

    def __bool__(self) -> bool:
        return bool(self._clips)

    def take(self) -> Clip:
        clip = self._clips[self._next % len(self._clips)]
        self._next += 1
        return clip

    def leave_out(self, clip: Clip, error: ClipError) -> None:
        if clip in self._clips:
            self._clips.remove(clip)
        self.skipped[clip.id] = str(error)
        self.refused = error


def measure_throughput(job: Job, loaded: Loaded, send: Send) -> None:
    """Keep `in_flight` clips in flight until `min_seconds` have been measured, and report that.

    Raises MeasurementError if no clip can be used, or none can be any more.
    """
    settings: ThroughputSettings = job.settings
    networks, preparer = loaded.networks, loaded.preparer
    source = _Source(job.clips)
    for clip in job.clips:
        try:
            verify(clip)
        except ClipError as error:
            source.leave_out(clip, error)
    warm_preparation(preparer, job.clips[0], send)
    # Each thread has computed, and each clip's shape has been met.
    warm_up = max(min(settings.threads, settings.in_flight), len(job.clips))
    multiple = len(job.clips) if settings.in_flight == 1 else settings.threads
    lock = threading.Lock()
    with ThreadPool(settings.threads) as pool, GpuWatch(job.options.device) as gpu:

        def answered(answer: Answer) -> None:
            with lock:
                if window.over:
                    return
                send(StageProgress("video", len(window.answers), 0))
                if answer.error is not None:
                    source.leave_out(answer.clip, answer.error)
                elif window.add(answer):
                    pool.end()
                    return
                if not source:
                    raise none_left(len(window.answers), source.refused)
                pipeline.start(source.take())

        pipeline = Pipeline(pool, preparer, networks, job.classes, job.batch, answered, signs_of_life(send))
        window = MeasurementWindow(warm_up, settings.min_seconds, multiple, pipeline.counted)
        if not source:
            raise none_left(0, source.refused)
        with lock:
            first = [source.take() for _ in range(settings.in_flight)]
        for clip in first:
            pipeline.start(clip)
        pool.wait()
    meter, answers = window.meter, window.answers
    values = {
        "in_flight": settings.in_flight,
        "lanes": settings.threads,
        "network_threads": job.options.threads,
        "batch": job.batch,
        "mean_batch": window.mean_batch,
        "streams_apart": len(networks) > 1,
        "forwards_at_once": all(each.at_once for each in networks),
        "warm_up": warm_up,
        "wall_s": meter.wall_s,
        "cpu_s": meter.cpu_s,
        "waited_s": meter.waited_s,
        "videos": len(answers),
        "views": sum(answer.views for answer in answers),
        "frames": sum(answer.frames for answer in answers),
        "video_s": sum(answer.video_s for answer in answers),
        "source_frames": None
        if any(answer.source_frames is None for answer in answers)
        else sum(answer.source_frames or 0 for answer in answers),
        "answer_s": [answer.seconds for answer in answers],
        "rss_bytes": window.rss_bytes[:: -(-len(window.rss_bytes) // MOST_RSS)],
        "gpu_busy": gpu.busy,
        "skipped": source.skipped,
        "notes": sorted({note for answer in answers for note in answer.notes}),
    }
    send(Measured(values))


def _pipelined_job(model: PlannedModel, clips: Sequence[Clip], config: RunConfig) -> Job:
    """As many forward calls as a clip gives at a time share the threads."""
    threads = model.options.threads
    at_once = len(model.weights) if model.whole else threads
    options = replace(model.options, threads=max(1, threads // at_once), at_once=min(at_once, threads))
    settings = ThroughputSettings(config.latency_seconds, threads=threads)
    return replace(model.job("pipelined", clips, settings=settings), options=options)


def _throughput_job(model: PlannedModel, clips: Sequence[Clip], config: RunConfig) -> Job:
    """Single-threaded steps of several clips keep the cores busier than steps that are cut in pieces."""
    threads = model.options.threads
    settings = ThroughputSettings(config.throughput_seconds, threads=threads, in_flight=threads + model.batch)
    options = replace(model.options, threads=1, at_once=threads)
    return replace(model.job("throughput", clips, settings=settings), options=options)


def _pipelined_seconds(_: PlannedModel, cost: Cost, clips: int, config: RunConfig) -> float:
    return clips * cost.clip + repeated(clips * cost.clip, config.latency_seconds)


def _throughput_seconds(model: PlannedModel, cost: Cost, clips: int, config: RunConfig) -> float:
    """Warm-up, the measured time, and what is in flight when that ends; all threads busy."""
    threads = model.options.threads
    group = max(cost.cpu, cost.prediction / threads)
    warm_up = max(threads, clips) * group / threads
    return warm_up + repeated(group, config.throughput_seconds) + group / threads


PIPELINED = Scenario(_pipelined_job, measure_throughput, _pipelined_seconds, apart=True)
THROUGHPUT = Scenario(
    _throughput_job, measure_throughput, _throughput_seconds, apart=True, several_videos=True
)

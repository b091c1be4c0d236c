"""The scenarios "throughput" and "pipelined" in their worker: clips worked on by several threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

import psutil

from ...datasets.clip import Clip
from ...datasets.sources.manifest import verify
from ...errors import ClipError
from ...preprocessing.preparer import Preparer
from ...preprocessing.stopwatch import Meter
from ..plan.environment import GpuWatch
from ..worker.events import Events, signs_of_life
from ..worker.job import Job
from .latency import none_left, warm_preparation
from .pipeline import Answer, Pipeline
from .stream_networks import Part
from .thread_pool import Lanes

MOST_RSS = 60
"""Readings of the process's memory that are kept of a stretch."""


class Stretch:
    """What is measured between two answers: the first ones only warm up, the rest count.

    It begins after `warm_up` answers, and is over as soon as `seconds` have passed and the number of answers
    in it is a multiple of `multiple`: with one clip a lane, answers come in groups of that size, and part of
    a group would be a rate of its own. What is answered after that does not count.

    - `counted`: tells the forward calls so far and the views in them.
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
        """Count an answer, if it is one that counts; True if the stretch is over."""
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


def measure_throughput(job: Job, parts: Sequence[Part], preparer: Preparer, events: Events) -> None:
    """Keep `job.in_flight` clips on their way until `job.min_seconds` have been measured.

    Raises MeasurementError if no clip can be used, or none can be any more.
    """
    source = _Source(job.clips)
    for clip in job.clips:
        try:
            verify(clip)
        except ClipError as error:
            source.leave_out(clip, error)
    warm_preparation(preparer, job.clips[0], events)
    # Each lane has computed, and each clip's shape has been met.
    warm_up = max(min(job.lanes, job.in_flight), len(job.clips))
    multiple = len(job.clips) if job.in_flight == 1 else job.lanes
    lock = threading.Lock()
    with Lanes(job.lanes) as lanes, GpuWatch(job.options.device) as gpu:

        def answered(answer: Answer) -> None:
            with lock:
                if stretch.over:
                    return
                events("progress", stage="video", done=len(stretch.answers), total=0)
                if answer.error is not None:
                    source.leave_out(answer.clip, answer.error)
                elif stretch.add(answer):
                    lanes.end()
                    return
                if not source:
                    raise none_left(len(stretch.answers), source.refused)
                pipeline.start(source.take())

        pipeline = Pipeline(lanes, preparer, parts, job.classes, job.batch, answered, signs_of_life(events))
        stretch = Stretch(warm_up, job.min_seconds, multiple, pipeline.counted)
        if not source:
            raise none_left(0, source.refused)
        with lock:
            first = [source.take() for _ in range(job.in_flight)]
        for clip in first:
            pipeline.start(clip)
        lanes.wait()
    meter, answers = stretch.meter, stretch.answers
    events(
        "measured",
        in_flight=job.in_flight,
        lanes=job.lanes,
        network_threads=job.options.threads,
        batch=job.batch,
        mean_batch=stretch.mean_batch,
        streams_apart=len(parts) > 1,
        forwards_at_once=all(part.at_once for part in parts),
        warm_up=warm_up,
        wall_s=meter.wall_s,
        cpu_s=meter.cpu_s,
        waited_s=meter.waited_s,
        videos=len(answers),
        views=sum(answer.views for answer in answers),
        frames=sum(answer.frames for answer in answers),
        video_s=sum(answer.video_s for answer in answers),
        answer_s=[answer.seconds for answer in answers],
        rss_bytes=stretch.rss_bytes[:: -(-len(stretch.rss_bytes) // MOST_RSS)],
        gpu_busy=gpu.busy,
        skipped=source.skipped,
        notes=sorted({note for answer in answers for note in answer.notes}),
    )

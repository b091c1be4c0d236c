"""How "latency" is measured: one clip at a time, one stage after the other."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING

from ...datasets.clip import Clip
from ...datasets.sources.manifest import verify
from ...errors import ClipError, MeasurementError
from ...preprocessing.preparer import Prepared, Preparer
from ...preprocessing.stopwatch import Meter, Stopwatch
from ...records.disturbance import is_disturbed, waiting_ratio
from ..worker.events import ClipFailed, FirstForward, Measured, Send, Started, signs_of_life
from ..worker.job import Job
from .inference import average_views, forward, input_shape, multiply_accumulates, remarks
from .scenario import Cost, Loaded, Scenario, repeated

if TYPE_CHECKING:  # a worker needs neither
    from ..plan.config import RunConfig
    from ..plan.planned_model import PlannedModel

MOST_REPEATS = 3
"""Times that a clip is timed again in one process because something else had the cores meanwhile."""


@dataclasses.dataclass(frozen=True, slots=True)
class LatencySettings:
    """`min_seconds`: the sample is gone through again until so much has been measured."""

    min_seconds: float = 0.0


def measure_latency(job: Job, loaded: Loaded, send: Send) -> None:
    """Go through the sample until `min_seconds` are measured, at least once.

    A disturbed sample is reported as such and taken again, `MOST_REPEATS` times a clip at most. Raises
    MeasurementError if no clip can be used, or none can be any more: `min_seconds` would never be measured.
    """
    settings: LatencySettings = job.settings
    timed = ClipTimer(job, loaded, send)
    repeats = dict.fromkeys((clip.id for clip in job.clips), 0)
    measured = 0.0
    warm_preparation(loaded.preparer, job.clips[0], send)
    samples = 0
    for repetition in count():
        before = samples
        for clip in job.clips:
            attempt = 0
            while True:
                sample = timed(clip, repetition, attempt)
                if sample is None:
                    break
                samples += 1
                measured += sample.wall_s
                if not disturbed(sample) or repeats[clip.id] == MOST_REPEATS:
                    break
                repeats[clip.id] += 1
                attempt += 1
        if samples == before:
            raise none_left(samples, timed.refused)
        if measured >= settings.min_seconds:
            return


def none_left(timed: int, refused: ClipError | None) -> MeasurementError:
    """The error of a process that cannot use any of its clips, or not any more.

    - `timed`: videos that it has timed before.
    - `refused`: why the last clip could not be used.
    """
    if timed == 0:
        return MeasurementError(f"no clip could be timed: {refused}")
    return MeasurementError(f"no clip can be read any more, after {timed} timed videos: {refused}")


def disturbed(sample: Meter) -> bool:
    """Whether something else had the cores; False where the system does not report it."""
    return is_disturbed(waiting_ratio(sample.waited_s, sample.wall_s))


class ClipTimer:
    """Times a clip and reports it. `refused`: why the last clip that failed could not be used."""

    def __init__(self, job: Job, loaded: Loaded, send: Send) -> None:
        """`job`: what is timed. `loaded`: the network and what prepares its input. `send`: reports events."""
        self._job, self._model, self._network = job, loaded.model, loaded.network
        self._preparer, self._send = loaded.preparer, send
        self.refused: ClipError | None = None
        self._shapes: set[tuple[object, ...]] = set()

    def __call__(self, clip: Clip, repetition: int, attempt: int) -> Meter | None:
        """What the sample took; None if the clip cannot be used.

        - `clip`: what is timed.
        - `repetition`: 0, 1, … of this clip within the process.
        - `attempt`: 0, then 1, 2, … if the clip is timed again because the sample was disturbed.
        """
        job, send, network = self._job, self._send, self._network
        send(Started(clip.id))
        meter = Meter()
        try:
            verify(clip)
            with meter:
                prepared = self._preparer(clip, signs_of_life(send))
        except ClipError as error:
            self.refused = error
            send(ClipFailed(clip.id, str(error)))
            return None
        self._warm(prepared)
        watch = Stopwatch()
        with meter:
            logits, device_s = forward(network, prepared, job.batch, job.classes, watch)
            with watch.stage("download"):
                average_views(logits, job.views.average)
        values = {
            "clip": clip.id,
            "repetition": repetition,
            "attempt": attempt,
            "disturbed": disturbed(meter),
            "stages_s": prepared.stages_s | dict(watch.seconds),
            "total_s": meter.wall_s,
            "cpu_s": meter.cpu_s,
            "waited_s": meter.waited_s,
            "views": len(prepared.views),
            "frames": prepared.frames,
            "video_s": prepared.video_s,
            "source_frames": prepared.source_frames,
            "macs": multiply_accumulates(self._model, prepared, logits.shape[1]),
            "device_forward_s": device_s,
            "notes": remarks(prepared),
        }
        send(Measured(values, clip.id))
        return meter

    def _warm(self, prepared: Prepared) -> None:
        """Run the network once with an input of a new shape."""
        shape = input_shape(prepared, self._job.batch)
        if shape in self._shapes:
            return
        begin = time.perf_counter()
        forward(self._network, prepared, self._job.batch, self._job.classes, Stopwatch())
        if not self._shapes:
            self._send(FirstForward(time.perf_counter() - begin))
        self._shapes.add(shape)


def warm_preparation(preparer: Preparer, clip: Clip, send: Send) -> None:
    """Decode, resize and compute flow once, over the clip's first moment, before anything is timed."""
    begin = clip.start_s or 0.0
    end = begin + 0.15 if clip.end_s is None else min(clip.end_s, begin + 0.15)
    with suppress(ClipError):  # too short for the network: warm all the same
        preparer(dataclasses.replace(clip, end_s=end), signs_of_life(send))


def _job(model: PlannedModel, clips: Sequence[Clip], config: RunConfig) -> Job:
    return model.job("latency", clips, settings=LatencySettings(config.latency_seconds))


def _seconds(_: PlannedModel, cost: Cost, clips: int, config: RunConfig) -> float:
    return cost.first + repeated(clips * cost.clip, config.latency_seconds)


LATENCY = Scenario(_job, measure_latency, _seconds)

"""How "stream" is measured: labels for a camera that does not wait."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...datasets.clip import Clip
from ...datasets.sources.manifest import verify
from ...datasets.video.reader import read_frames
from ...errors import ClipError, MeasurementError
from ...live.queues import Newest
from ...models.spec import InputArray, Network
from ...preprocessing.preparer import Preparer, View
from ...preprocessing.rolling_window import RollingWindow, still_window
from ...preprocessing.stopwatch import Meter, Stopwatch
from ..worker.events import Measured, Send, signs_of_life
from ..worker.job import Job
from .camera import Camera, due_windows, is_due
from .inference import average_views, forward_views
from .latency import warm_preparation
from .scenario import Cost, Loaded, Scenario

if TYPE_CHECKING:  # a worker needs neither
    from ..plan.config import RunConfig
    from ..plan.plan import PlannedModel

Frame = npt.NDArray[np.uint8]

MOST_FRAMES = 250
"""Frames of a clip that are held in memory and shown over and over."""

ROOM_S = 1.0
"""Seconds of video in the camera's buffer."""

FALLBACK_FPS = Fraction(25)
"""A camera's rate where neither the user nor the weights name one."""


@dataclasses.dataclass(frozen=True, slots=True)
class CameraSettings:
    """A camera that gives `fps` frames a second for `seconds`, and a label asked for every `stride` of them.

    `window`: frames that a label is about.
    """

    fps: Fraction
    window: int
    stride: int
    seconds: float


@dataclasses.dataclass(slots=True)
class _Labels:
    """What the thread with the network did. `failure`: what ended it early."""

    age_s: list[float] = dataclasses.field(default_factory=list)
    forward_s: list[float] = dataclasses.field(default_factory=list)
    failure: BaseException | None = None


@dataclasses.dataclass(slots=True)
class _Preparation:
    """What the thread with the frames did: for each frame its seconds, and those that waited behind it."""

    frame_s: list[float] = dataclasses.field(default_factory=list)
    stages_s: dict[str, list[float]] = dataclasses.field(default_factory=dict)
    waiting_frames: list[int] = dataclasses.field(default_factory=list)

    def add(self, seconds: float, watch: Stopwatch, waiting: int) -> None:
        self.frame_s.append(seconds)
        for stage, of_stage in watch.seconds.items():
            self.stages_s.setdefault(stage, []).append(of_stage)
        self.waiting_frames.append(waiting)


def measure_stream(job: Job, loaded: Loaded, send: Send) -> None:
    """Show the first usable clip to the network at the camera's rate, for the camera's time, and report it.

    Raises MeasurementError if no clip can be used.
    """
    camera: CameraSettings = job.settings
    network, preparer = loaded.network, loaded.preparer
    clip, frames = _first_usable(job, camera.fps)
    warm_preparation(preparer, clip, send)
    _warm(job, network, preparer, camera, frames)
    _watch(job, network, preparer, send, clip, frames, camera)


def _first_usable(job: Job, fps: Fraction) -> tuple[Clip, list[Frame]]:
    refused: ClipError | None = None
    for clip in job.clips:
        try:
            verify(clip)
            with read_frames(clip, fps) as reader:
                return clip, [frame for frame, _ in zip(reader, range(MOST_FRAMES), strict=False)]
        except ClipError as error:
            refused = error
    raise MeasurementError(f"no clip could be shown: {refused}")


def _warm(
    job: Job, network: Network, preparer: Preparer, camera: CameraSettings, frames: list[Frame]
) -> None:
    window = still_window(preparer, camera.window, frames[0])
    forward_views(network, [window], job.classes, Stopwatch())


def _watch(
    job: Job,
    network: Network,
    preparer: Preparer,
    send: Send,
    clip: Clip,
    frames: list[Frame],
    settings: CameraSettings,
) -> None:
    total = max(int(settings.seconds * settings.fps), 0) + settings.window
    room = max(1, round(ROOM_S * settings.fps))
    camera = Camera(settings.fps, total, room, time.perf_counter, time.sleep)
    windows: Newest[tuple[float, Mapping[str, list[InputArray]]]] = Newest()
    labels = _Labels()

    def label() -> None:
        try:
            while (item := windows.take()) is not None:
                arrived, inputs = item
                begin = time.perf_counter()
                view: View = {stream: np.stack(kept) for stream, kept in inputs.items()}
                average_views(forward_views(network, [view], job.classes, Stopwatch()), job.views.average)
                end = time.perf_counter()
                labels.age_s.append(end - arrived)
                labels.forward_s.append(end - begin)
        except BaseException as error:
            labels.failure = error

    window = RollingWindow(preparer, settings.window)
    alive = signs_of_life(send)
    work = _Preparation()
    meter = Meter()
    thread = threading.Thread(target=label, name="labels", daemon=True)
    with meter:
        thread.start()
        while (arrival := camera.take()) is not None and labels.failure is None:
            watch = Stopwatch()
            begin = time.perf_counter()
            window.add(frames[arrival.number % len(frames)], watch)
            work.add(time.perf_counter() - begin, watch, arrival.waiting)
            if is_due(arrival.number, settings.window, settings.stride) and window.whole():
                windows.put((arrival.time_s, window.frames()))
            alive("camera", arrival.number + 1, total)
        windows.close()
        thread.join()
    if labels.failure is not None:
        raise labels.failure
    send(Measured(_result(job, settings, clip, camera, total, labels, work, meter, preparer)))


def _result(
    job: Job,
    settings: CameraSettings,
    clip: Clip,
    camera: Camera,
    total: int,
    labels: _Labels,
    work: _Preparation,
    meter: Meter,
    preparer: Preparer,
) -> dict[str, Any]:
    rates = {how.frame_rate for how in preparer.streams.values()} - {None, settings.fps}
    trained = ", ".join(f"{float(rate):g}" for rate in rates if rate is not None)
    notes = [f"the weights were trained at {trained} frames a second"] if rates else []
    if any(how.rate is None and how.every > 1 for how in preparer.streams.values()):
        notes.append("the camera gives only those frames of a video that the weights were trained on")
    return {
        "clip": clip.id,
        "fps": float(settings.fps),
        "window": settings.window,
        "stride": settings.stride,
        "frames": total,
        "dropped": camera.dropped,
        "due": due_windows(total, settings.window, settings.stride),
        "age_s": labels.age_s,
        "frame_s": float(np.median(work.frame_s)),
        "forward_s": float(np.median(labels.forward_s)) if labels.forward_s else None,
        "preparing_threads": 1,
        "network_threads": job.options.threads,
        "wall_s": meter.wall_s,
        "cpu_s": meter.cpu_s,
        "waited_s": meter.waited_s,
        "stages_s": {stage: float(np.median(seconds)) for stage, seconds in work.stages_s.items()},
        "waiting_frames": work.waiting_frames,
        "notes": sorted({*notes, *preparer.notes}),
    }


def _camera(model: PlannedModel, config: RunConfig) -> CameraSettings:
    """The camera that a model is shown: at the rate of its weights unless the user names another."""
    rate = model.stream_rate or FALLBACK_FPS / model.stream_every
    return CameraSettings(
        fps=rate if config.stream_fps is None else Fraction(str(config.stream_fps)),
        window=model.stream_window,
        stride=config.stride,
        seconds=config.stream_seconds,
    )


def _job(model: PlannedModel, clips: Sequence[Clip], config: RunConfig) -> Job:
    return model.stream_job("stream", clips, _camera(model, config))


def _seconds(model: PlannedModel, cost: Cost, _: int, config: RunConfig) -> float:
    camera = _camera(model, config)
    return cost.first + camera.seconds + float(camera.window / camera.fps)


STREAM = Scenario(_job, measure_stream, _seconds)

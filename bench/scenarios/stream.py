"""How "stream" is measured: labels for cameras that do not wait."""

from __future__ import annotations

import dataclasses
import itertools
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import nullcontext
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import psutil

from ...datasets.clip import Clip
from ...datasets.sources.manifest import verify
from ...datasets.video.reader import read_frames
from ...errors import ClipError, MeasurementError
from ...live.frame import FALLBACK_FPS
from ...live.people.finder import MOST_PEOPLE
from ...live.queues import Turns
from ...models.detectors.detector import Detector
from ...models.detectors.registry import ChosenDetector, load_detector
from ...models.spec import InputArray, Network
from ...preprocessing.people.square import Square
from ...preprocessing.preparer import Preparer, View
from ...preprocessing.rolling_window import still_window
from ...preprocessing.stopwatch import Meter, Stopwatch
from ..worker.events import Measured, Send, signs_of_life
from ..worker.job import Job
from .camera import Camera, due_windows, is_due
from .inference import average_views, forward_views
from .latency import warm_preparation
from .scenario import Cost, Loaded, Scenario
from .stream_windows import CameraWindows, FrameWindow, PersonWindows, Watched

if TYPE_CHECKING:  # a worker needs neither
    from ..plan.config import RunConfig
    from ..plan.planned_model import PlannedModel

Frame = npt.NDArray[np.uint8]

MOST_FRAMES = 250
"""Frames of a clip that are held in memory and shown over and over."""

ROOM_S = 1.0
"""Seconds of video in the camera's buffer."""


@dataclasses.dataclass(frozen=True, slots=True)
class CameraSettings:
    """A camera that gives `fps` frames a second for `seconds`, and a label asked for every `stride` of them.

    - `window`: frames that a label is about.
    - `cameras`: such cameras at once, which all begin at the same time.
    - `decoding`: each frame is decoded when it has arrived, by each camera; otherwise all are beforehand.
    - `people`: detector by which persons are found, of each of whom a label is asked for; None: of whole
      frames.
    """

    fps: Fraction
    window: int
    stride: int
    seconds: float
    cameras: int = 1
    decoding: bool = False
    people: ChosenDetector | None = None

    @property
    def frames(self) -> int:
        """Frames of each camera: those of its first window, then `seconds`."""
        return int(self.seconds * self.fps) + self.window


@dataclasses.dataclass(frozen=True, slots=True)
class _Due:
    """A window for which a label is due: of which camera, when its last frame arrived, its input."""

    camera: int
    arrived: float
    inputs: Mapping[str, list[InputArray]]


def measure_stream(job: Job, loaded: Loaded, send: Send) -> None:
    """Show the first usable clip to the network at the cameras' rate, for their time, and report it.

    Raises MeasurementError if no clip can be used.
    """
    settings: CameraSettings = job.settings
    network, preparer = loaded.network, loaded.preparer
    clip, frames = _first_usable(job, settings)
    warm_preparation(preparer, clip, send)
    shown, detector = frames[0], None
    if settings.people is not None:
        detector = load_detector(settings.people, threads=1, at_once=settings.cameras)
        detector.detect(shown)  # compiles what is compiled at first use
        shown = Square(0, 0, min(shown.shape[:2])).cut(shown)
    window = still_window(preparer, settings.window, shown)
    forward_views(network, [window], job.classes, Stopwatch())
    _Watching(job, network, preparer, send, clip, frames, detector).watch()


def _first_usable(job: Job, settings: CameraSettings) -> tuple[Clip, list[Frame]]:
    """The first clip that can be read, and the frames of it that are decoded beforehand, at least one."""
    refused: ClipError | None = None
    rate, held = (None, 1) if settings.decoding else (settings.fps, MOST_FRAMES)
    for clip in job.clips:
        try:
            verify(clip)
            with read_frames(clip, rate) as reader:
                return clip, list(itertools.islice(reader, held))
        except ClipError as error:
            refused = error
    raise MeasurementError(f"no clip could be shown: {refused}")


def _decoded(clip: Clip) -> Iterator[Frame]:
    """The clip's own frames over and over, each decoded when it is asked for."""
    while True:
        with read_frames(clip) as reader:
            yield from reader


class _Watching:
    """The cameras, with a thread each, and the network, with another one, while they work.

    - `held`: frames that are decoded beforehand.
    - `detector`: finds persons; None: labels are about whole frames.
    """

    def __init__(
        self,
        job: Job,
        network: Network,
        preparer: Preparer,
        send: Send,
        clip: Clip,
        held: list[Frame],
        detector: Detector | None,
    ) -> None:
        self._job, self._network, self._preparer, self._send = job, network, preparer, send
        self._clip, self._held, self._detector = clip, held, detector
        self._settings: CameraSettings = job.settings
        self._cameras = [Watched() for _ in range(self._settings.cameras)]
        self._forward_s: list[float] = []
        self._windows: Turns[tuple[int, int | None], _Due] = Turns()
        self._stop = threading.Event()

    def watch(self) -> None:
        """Let them work until the cameras end, and report it. Raises what ended a thread early."""
        # The threads outlive the meter: of those that have ended it could not tell how long they waited.
        with ThreadPoolExecutor(self._settings.cameras + 1) as pool, Meter() as meter:
            labelling = pool.submit(self._label)
            shown = [pool.submit(self._show, number) for number in range(self._settings.cameras)]
            try:
                wait(shown, return_when=FIRST_EXCEPTION)
            finally:
                self._stop.set()
                self._windows.close()
            for each in (*shown, labelling):
                each.result()
        self._send(Measured(self._result(meter)))

    def _label(self) -> None:
        """Compute labels: cameras, or persons, take turns, and of each the newest window counts. That of a
        person who has left meanwhile is computed too, as it was due."""
        job = self._job
        try:
            while (due := self._windows.take()) is not None:
                begin = time.perf_counter()
                view: View = {stream: np.stack(kept) for stream, kept in due.inputs.items()}
                logits = forward_views(self._network, [view], job.classes, Stopwatch())
                average_views(logits, job.views.average)
                end = time.perf_counter()
                self._cameras[due.camera].age_s.append(end - due.arrived)
                self._forward_s.append(end - begin)
        finally:
            self._stop.set()

    def _show(self, number: int) -> None:
        """Take one camera's frames and prepare them, until it ends."""
        settings, watched = self._settings, self._cameras[number]
        room = max(1, round(ROOM_S * settings.fps))
        camera = Camera(settings.fps, settings.frames, room, time.perf_counter, time.sleep)
        windows = self._windows_of_a_camera()
        strides = 0
        frames = _decoded(self._clip) if settings.decoding else itertools.cycle(self._held)
        alive = signs_of_life(self._send)
        while (arrival := camera.take()) is not None and not self._stop.is_set():
            watch = Stopwatch()
            begin = time.perf_counter()
            with watch.stage("decode") if settings.decoding else nullcontext():
                frame = next(frames)
            # What was due with frames that were lost in between is not known: the last one before tells.
            passed = due_windows(arrival.number, settings.window, settings.stride)
            watched.ask(passed - strides, windows)
            strides = passed
            windows.add(frame, watch)
            watched.add(time.perf_counter() - begin, watch, arrival.waiting)
            if is_due(arrival.number, settings.window, settings.stride):
                watched.ask(1, windows)
                strides += 1
                for person, window in windows.whole().items():
                    self._windows.put((number, person), _Due(number, arrival.time_s, window.frames()))
            if number == 0:
                alive("camera", arrival.number + 1, settings.frames)
        watched.dropped = camera.dropped
        watched.resident_bytes = psutil.Process().memory_info().rss

    def _windows_of_a_camera(self) -> CameraWindows:
        settings = self._settings
        if self._detector is None:
            return FrameWindow(self._preparer, settings.window)
        return PersonWindows(self._preparer, settings.window, settings.fps, self._detector)

    def _result(self, meter: Meter) -> dict[str, Any]:
        settings, preparer = self._settings, self._preparer
        rates = {how.frame_rate for how in preparer.streams.values()} - {None, settings.fps}
        trained = ", ".join(f"{float(rate):g}" for rate in rates if rate is not None)
        notes = [f"the weights were trained at {trained} frames a second"] if rates else []
        if any(how.rate is None and how.every > 1 for how in preparer.streams.values()):
            notes.append("the camera gives only those frames of a video that the weights were trained on")
        cameras = self._cameras
        persons = [each for camera in cameras for each in camera.persons]
        if (most := max(persons, default=0)) > MOST_PEOPLE:
            notes.append(f"{most} persons were in the picture, of whom {MOST_PEOPLE} were recognised")
        stages = dict.fromkeys(stage for camera in cameras for stage in camera.stages_s)
        return {
            "clip": self._clip.id,
            "fps": float(settings.fps),
            "window": settings.window,
            "stride": settings.stride,
            "frames": settings.cameras * settings.frames,
            "dropped": sum(camera.dropped for camera in cameras),
            "due": sum(camera.due for camera in cameras),
            "age_s": [age for camera in cameras for age in camera.age_s],
            "frame_s": self._typical([camera.frame_s for camera in cameras]),
            "forward_s": float(np.median(self._forward_s)) if self._forward_s else None,
            "preparing_threads": settings.cameras,
            "network_threads": self._job.options.threads,
            "wall_s": meter.wall_s,
            "cpu_s": meter.cpu_s,
            "waited_s": meter.waited_s,
            "stages_s": {
                stage: self._typical([camera.stages_s.get(stage, []) for camera in cameras])
                for stage in stages
            },
            "waiting_frames": [waiting for camera in cameras for waiting in camera.waiting_frames],
            "notes": sorted({*notes, *preparer.notes}),
            "cameras": settings.cameras,
            "served": [
                {"labels": len(camera.age_s), "dropped": camera.dropped, "due": camera.due}
                for camera in (cameras if len(cameras) > 1 else ())
            ],
            "persons": persons,
            # That of the first one to end: the others still have their windows and decoders.
            "resident_bytes": max(camera.resident_bytes for camera in cameras),
        }

    def _typical(self, seconds: Iterable[Sequence[float]]) -> float:
        """Seconds of work on a frame, from those of each camera: the median. Persons are looked for in some
        frames only, which no median shows: with them, the mean over all frames."""
        of_all = list(itertools.chain.from_iterable(seconds))
        if self._detector is None:
            return float(np.median(of_all))
        return sum(of_all) / sum(len(camera.frame_s) for camera in self._cameras)


def camera_of(model: PlannedModel, config: RunConfig) -> CameraSettings:
    """The camera that a model is shown: at the rate of its weights unless the user names another."""
    rate = model.stream_rate or FALLBACK_FPS / model.stream_every
    return CameraSettings(
        fps=rate if config.stream_fps is None else Fraction(str(config.stream_fps)),
        window=model.stream_window,
        stride=config.stride,
        seconds=config.stream_seconds,
        people=model.people,
    )


def job_of(model: PlannedModel, clips: Sequence[Clip], camera: CameraSettings) -> Job:
    """The job of a process that is shown such a camera. The main person of a clip is of no use to it."""
    return dataclasses.replace(model.stream_job("stream", clips, camera), people=None)


def _job(model: PlannedModel, clips: Sequence[Clip], config: RunConfig) -> Job:
    return job_of(model, clips, camera_of(model, config))


def _seconds(model: PlannedModel, cost: Cost, _: int, config: RunConfig) -> float:
    camera = camera_of(model, config)
    return cost.first + camera.seconds + float(camera.window / camera.fps)


STREAM = Scenario(_job, measure_stream, _seconds)

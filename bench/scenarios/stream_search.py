"""`--find-peak` and `--streams`: which camera each model keeps up with, and how many cameras it serves."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from ...datasets.clip import Clip
from ...records.run import ProcessRecord
from ...records.run_directory import RunWriter, log_path
from ...records.scenarios.stream import RATES
from ...records.scenarios.stream_trials import (
    FASTEST_FPS,
    FEWEST_STRIDES,
    MOST_CAMERAS,
    SLOWEST_FPS,
    Search,
    StreamTrial,
    next_cameras,
    next_rate,
    next_stride,
)
from ..console.progress import Console, Progress
from ..plan.config import RunConfig
from ..plan.planned_model import PlannedModel
from ..worker.supervisor import Worker
from .scenario import Cost
from .stream import CameraSettings, camera_of, job_of
from .timed import measure


@dataclass(frozen=True, slots=True)
class StreamSearch:
    """One search of one model.

    - `search`: what is searched.
    - `camera`: from a value to the camera that is tried.
    - `following`: from the values that passed and those that failed to the next one; None at its end.
    """

    search: Search
    camera: Callable[[int], CameraSettings]
    following: Callable[[Collection[int], Collection[int]], int | None]

    def value(self, trial: StreamTrial) -> int | None:
        """The value that a trial tried; None for one of another search."""
        measured = trial.measured
        values = {"stride": measured.stride, "rate": round(measured.fps), "cameras": measured.cameras}
        camera = self.camera(values[self.search])
        same = (measured.fps, measured.stride) == (float(camera.fps), camera.stride)
        return values[self.search] if trial.search == self.search and same else None


def searches(model: PlannedModel, config: RunConfig) -> Iterator[StreamSearch]:
    """The searches of a model that the settings ask for, in their order."""
    if config.find_peak:
        yield from _of_one_camera(camera_of(model, config), config)
    if config.streams:
        yield _of_cameras(camera_of(model, config))


def _of_one_camera(shown: CameraSettings, config: RunConfig) -> Iterator[StreamSearch]:
    """The smallest stride at 25 and at 30 frames per second, or at `config.stream_fps`; then the largest rate
    at `config.stride`. The rest is as `shown`."""
    window = shown.window

    def camera(fps: Fraction, stride: int) -> CameraSettings:
        return _long_enough(replace(shown, fps=fps, stride=stride))

    def stride_at(fps: Fraction) -> StreamSearch:
        return StreamSearch(
            "stride",
            lambda stride: camera(fps, stride),
            lambda passed, failed: next_stride(passed, failed, window),
        )

    rates = [Fraction(rate) for rate in RATES]
    if config.stream_fps is not None:
        rates = [Fraction(str(config.stream_fps))]
    yield from map(stride_at, rates)
    first = min(max(round(rates[0]), SLOWEST_FPS), FASTEST_FPS)
    yield StreamSearch(
        "rate",
        lambda fps: camera(Fraction(fps), config.stride),
        lambda passed, failed: next_rate(passed, failed, first),
    )


def _of_cameras(camera: CameraSettings) -> StreamSearch:
    """How many of such cameras are served, which decode their frames themselves."""
    camera = replace(_long_enough(camera), decoding=True)
    return StreamSearch("cameras", lambda cameras: replace(camera, cameras=cameras), next_cameras)


def _long_enough(camera: CameraSettings) -> CameraSettings:
    seconds = max(camera.seconds, FEWEST_STRIDES * camera.stride / float(camera.fps))
    return replace(camera, seconds=seconds)


def search_pass(
    models: Sequence[PlannedModel],
    clips: Sequence[Clip],
    config: RunConfig,
    writer: RunWriter,
    console: Console,
) -> dict[str, str]:
    """Carry out all searches of all models, each trial in a fresh process. Model → why a search has no end.

    Trials that `writer` has are not repeated.
    """
    failures: dict[str, str] = {}
    plans = [(model, tuple(searches(model, config))) for model in models]
    with console.task("search", sum(len(of_model) for _, of_model in plans)) as progress:
        for model, of_model in plans:
            trials = [trial for trial in writer.stream_trials() if trial.measured.model == model.key]
            for each in of_model:
                error = _carry_out(each, model, clips, config, trials, writer, console, progress)
                if error is not None:
                    failures[model.key] = f"search: {error}"
                    break
                progress.advance(model.key)
    return failures


def _carry_out(
    search: StreamSearch,
    model: PlannedModel,
    clips: Sequence[Clip],
    config: RunConfig,
    trials: list[StreamTrial],
    writer: RunWriter,
    console: Console,
    progress: Progress,
) -> str | None:
    """Add the trials that a search still needs to `trials` and to the directory; the error that ended it."""
    while (value := _next(search, trials)) is not None:
        camera = search.camera(value)
        many = f"{camera.cameras} cameras, " if search.search == "cameras" else ""
        progress.note(f"{model.key}: {many}stride {camera.stride} at {float(camera.fps):g} frames/s")

        def keep(record: object) -> None:
            trial = StreamTrial(search.search, record)  # type: ignore[arg-type]
            writer.append_stream_trial(trial)
            trials.append(trial)

        process = _trial(model, clips, camera, config, len(trials), writer, console, keep, progress)
        if process.error is not None:
            return process.error
    return None


def _next(search: StreamSearch, trials: Sequence[StreamTrial]) -> int | None:
    tried = [(value, trial.passed) for trial in trials if (value := search.value(trial)) is not None]
    if any(passed is None for _, passed in tried):
        return None  # the next one would have no label due either
    return search.following([v for v, passed in tried if passed], [v for v, passed in tried if not passed])


def _trial(
    model: PlannedModel,
    clips: Sequence[Clip],
    camera: CameraSettings,
    config: RunConfig,
    number: int,
    writer: RunWriter,
    console: Console,
    keep: Callable[[object], None],
    progress: Progress,
) -> ProcessRecord:
    job = job_of(model, clips, camera)
    worker = Worker(job, model.python, log_path(writer.path, model.key), config.clip_timeout, console.say)
    return measure("stream", worker, model.key, number, number, keep, progress)


def longest_s(model: PlannedModel, cost: Cost, config: RunConfig) -> float:
    """Seconds that the searches of a model take at most: the sum over them of the longest way to an end."""
    window = model.stream_window
    largest = max(window, FASTEST_FPS, MOST_CAMERAS)

    def seconds(search: StreamSearch, boundary: int) -> float:
        """Of the search of a model that keeps up with strides from `boundary` on, or less of others."""
        passed: list[int] = []
        failed: list[int] = []
        total = 0.0
        while (value := search.following(passed, failed)) is not None:
            (passed if (value >= boundary) == (search.search == "stride") else failed).append(value)
            camera = search.camera(value)
            total += cost.start + cost.first + camera.seconds + float(window / camera.fps)
        return total

    return sum(
        max(seconds(search, boundary) for boundary in range(1, largest + 2))
        for search in searches(model, config)
    )

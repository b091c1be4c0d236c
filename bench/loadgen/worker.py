"""MLPerf's LoadGen in the worker: it asks for videos by its own schedule and clock, and the network answers.

A query's sample is one video: from its file to its probabilities, preprocessing included, one stage after
the other, as in the latency scenario. LoadGen runs in a thread of its own; the thread that loaded the network
answers, one video at a time, in the order of asking.
"""

from __future__ import annotations

import queue
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from ...datasets.clip import Clip
from ...datasets.sources.manifest import verify
from ...errors import ClipError, MeasurementError
from ...preprocessing.stopwatch import Stopwatch
from ..scenarios.inference import average_views, forward, remarks
from ..scenarios.scenario import Loaded
from ..worker.events import Answered, Notice, Send, signs_of_life
from ..worker.job import Job

HALF_LOAD = 0.5
"""Of what the network manages alone: asked for in Server where the user names no rate."""

SPARE = 1.5
"""Of what the network manages alone: expected in Offline, so that its samples last for the time."""


@dataclass(frozen=True, slots=True)
class LoadGenSettings:
    """What MLPerf's LoadGen is to ask.

    - `scenario`: its name for it. `seconds`: least time it asks for.
    - `qps`: videos a second, None for what the network is measured to manage.
    - `logs`: folder of its logs.
    """

    scenario: str
    seconds: float
    qps: float | None
    logs: Path


@dataclass(frozen=True, slots=True)
class _Asked:
    """A sample that LoadGen waits for. `query`: number of the call that asked for it, at `issued_s`."""

    query: int
    id: int
    clip: Clip
    issued_s: float


def measure_loadgen(job: Job, loaded: Loaded, send: Send) -> None:
    """Answer LoadGen until it has enough, then report when each sample was asked for and answered.

    Each clip is answered twice before: compiled for its shape, and to know how many queries to prepare.
    Raises MeasurementError if no clip can be used, or one cannot be any more.
    """
    settings: LoadGenSettings = job.settings
    answer = _Answer(job, loaded, send)
    clips, seconds = _warmed(job, answer, send)
    answered: list[Answered] = []
    begin = time.perf_counter()
    try:
        for asked in _asked(settings, clips, seconds):
            begun_s = time.perf_counter()
            stages_s, notes = answer(asked.clip)
            done_s = time.perf_counter()
            answered.append(
                Answered(
                    asked.query,
                    asked.clip.id,
                    issued_s=asked.issued_s - begin,
                    begun_s=begun_s - begin,
                    done_s=done_s - begin,
                    stages_s=stages_s,
                    notes=notes,
                )
            )
    except ClipError as error:
        raise MeasurementError(f"a clip could not be answered: {error}") from error
    # Not before: a pipe to the parent that is full would be waited for in a sample's time.
    for sample in answered:
        send(sample)


class _Answer:
    """Takes a clip from its file to its probabilities."""

    def __init__(self, job: Job, loaded: Loaded, send: Send) -> None:
        self._job, self._average, self._network = job, job.views.average, loaded.network
        self._preparer, self._progress = loaded.preparer, signs_of_life(send)
        self._answers = 0

    def __call__(self, clip: Clip) -> tuple[dict[str, float], tuple[str, ...]]:
        """Stage → seconds, and what was odd about it. Raises ClipError for an unusable clip."""
        watch = Stopwatch()
        prepared = self._preparer(clip, self._progress)
        logits, _ = forward(self._network, prepared, self._job.batch, self._job.classes, watch)
        with watch.stage("download"):
            average_views(logits, self._average)
        self._answers += 1
        self._progress("answer", self._answers, 0)
        return prepared.stages_s | dict(watch.seconds), tuple(remarks(prepared))


def _warmed(job: Job, answer: _Answer, send: Send) -> tuple[list[Clip], list[float]]:
    """The clips that can be used, and the seconds that each takes once everything is compiled."""
    clips: list[Clip] = []
    refused = ""
    for clip in job.clips:
        try:
            verify(clip)
            answer(clip)
        except ClipError as error:
            refused = str(error)
            send(Notice(f"left out: {refused}"))
        else:
            clips.append(clip)
    if not clips:
        raise MeasurementError(f"no clip can be answered: {refused}")
    seconds = []
    for clip in clips:
        begin = time.perf_counter()
        answer(clip)
        seconds.append(time.perf_counter() - begin)
    return clips, seconds


def _asked(settings: LoadGenSettings, clips: Sequence[Clip], seconds: Sequence[float]) -> Iterator[_Asked]:
    """What LoadGen asks for, as it asks; each sample counts as answered when the next one is taken."""
    import mlperf_loadgen

    waiting: queue.SimpleQueue[_Asked | None] = queue.SimpleQueue()
    numbers = count()

    def issue(samples: Sequence[Any]) -> None:
        issued_s, number = time.perf_counter(), next(numbers)
        for sample in samples:
            waiting.put(_Asked(number, sample.id, clips[sample.index], issued_s))

    def nothing(*_: object) -> None:
        """Files are read anew for every sample, and answers are not gathered."""

    system = mlperf_loadgen.ConstructSUT(issue, nothing)
    library = mlperf_loadgen.ConstructQSL(len(clips), len(clips), nothing, nothing)

    def ask() -> None:
        try:
            mlperf_loadgen.StartTestWithLogSettings(
                system, library, _test_settings(settings, seconds), _log_settings(settings), ""
            )
        finally:
            waiting.put(None)

    thread = threading.Thread(target=ask, name="loadgen", daemon=True)
    thread.start()
    while (asked := waiting.get()) is not None:
        yield asked
        mlperf_loadgen.QuerySamplesComplete([mlperf_loadgen.QuerySampleResponse(asked.id, 0, 0)])
    thread.join()
    mlperf_loadgen.DestroyQSL(library)
    mlperf_loadgen.DestroySUT(system)


def _test_settings(settings: LoadGenSettings, seconds: Sequence[float]) -> Any:
    """LoadGen's own defaults, but for the duration, and for what LoadGen must know of the network's speed."""
    import mlperf_loadgen

    test = mlperf_loadgen.TestSettings()
    test.mode = mlperf_loadgen.TestMode.PerformanceOnly
    test.scenario = getattr(mlperf_loadgen.TestScenario, settings.scenario)
    test.min_duration_ms = round(1000 * settings.seconds)
    # Time decides. MLPerf's 100 and more queries would take hours with some networks; LoadGen's own verdict
    # (`result_validity`) says whether there were enough.
    test.min_query_count = 1
    # Queries are made up before the test. An expectation that is too fast only makes some for nothing.
    fastest_ns = round(1e9 * min(seconds) / 2)
    test.single_stream_expected_latency_ns = fastest_ns
    test.multi_stream_expected_latency_ns = fastest_ns * test.multi_stream_samples_per_query
    alone = 1 / statistics.mean(seconds)
    test.server_target_qps = settings.qps or HALF_LOAD * alone
    test.offline_expected_qps = settings.qps or SPARE * alone
    return test


def _log_settings(settings: LoadGenSettings) -> Any:
    import mlperf_loadgen

    output = mlperf_loadgen.LogOutputSettings()
    output.outdir = str(settings.logs)
    output.copy_summary_to_stdout = False
    log = mlperf_loadgen.LogSettings()
    log.log_output = output
    log.enable_trace = False
    return log

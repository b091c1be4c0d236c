"""The child process that runs one network: `PYTHON -m actionbench.bench.worker`, fed a `Job`."""

from __future__ import annotations

import base64
import dataclasses
import json
import logging
import os
import pickle
import sys
import threading
import time
import warnings
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import numpy as np
import psutil

from ..datasets.clip import Clip
from ..datasets.manifest import verify
from ..errors import ActionBenchError, ClipError, MeasurementError
from ..models.parity import softmax
from ..models.registry import find_model, load_network
from ..models.spec import FloatArray, InputArray, Model, Network
from .device_flow import shares_device, stack_on_device
from .job import Job
from .prepare import Prepared, Preparer, Progress
from .stopwatch import Meter, Stopwatch
from .thumbnails import write_thumbnail


class Events:
    """Writes events to the parent, one JSON object a line; from any thread."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def __call__(self, event: str, **values: Any) -> None:
        line = json.dumps({"event": event, **values}, allow_nan=False).encode() + b"\n"
        with self._lock:
            self._stream.write(line)
            self._stream.flush()


def main() -> None:
    events = Events(_own_stdout())
    job: Job = pickle.load(sys.stdin.buffer)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _pass_on_notices(events)
    try:
        _run(job, events)
    except ActionBenchError as error:
        events("failed", error=str(error))
    except MemoryError:
        events("failed", error="out of memory")


def _own_stdout() -> BinaryIO:
    """The pipe to the parent; what libraries print to standard output goes to standard error instead."""
    pipe = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return pipe


def _pass_on_notices(events: Events) -> None:
    """What our own code warns of is for the user, not for the log of the process."""

    class Notices(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            events("notice", text=record.getMessage())

    ours = Path(__file__).parents[1]
    show = warnings.showwarning

    def pass_on(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if category is RuntimeWarning and Path(filename).is_relative_to(ours):
            events("notice", text=str(message))
        else:
            show(message, category, filename, lineno, file, line)

    warnings.showwarning = pass_on
    logging.getLogger("actionbench").addHandler(Notices(logging.WARNING))


def _end_with_parent() -> None:
    """The parent holds our standard input open; it closes when the parent ends, however it ends."""
    # Not by `sys.stdin`, whose lock this thread would hold when the interpreter ends.
    while os.read(0, 1):
        pass
    os._exit(1)


def _run(job: Job, events: Events) -> None:
    begin = time.perf_counter()
    request = find_model(job.request)
    network = load_network(request, job.weights, job.options)
    network.synchronize()
    load_s = time.perf_counter() - begin
    events("ready", load_s=load_s, details=network.describe())
    if job.mode == "arrays":
        _arrays(job, network, events)
    else:
        preparer = _preparer(job, request.model, network)
        if job.mode == "accuracy":
            _accuracy(job, request.model, network, preparer, events)
        else:
            _latency(job, request.model, network, preparer, events)
        memory = psutil.Process().memory_info()
        peak = getattr(memory, "peak_wset", None) or _peak_rss()
        events("end", peak_rss_bytes=peak, details=network.describe())
    events("done")


def _peak_rss() -> int:
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _preparer(job: Job, model: Model, network: Network) -> Preparer:
    method = None
    notes: tuple[str, ...] = ()
    if job.flow is not None:
        from ..flow.registry import get_method

        method = get_method(job.flow, job.options.threads, job.options.device)
        if callable(compile_ahead := getattr(method, "warm_up", None)):
            compile_ahead()  # before any clip is timed, or watched
        if method.name != job.flow:
            notes = (f"optical flow by `{method.name}` in place of `{job.flow}`, which cannot run here",)
    cache = None
    if job.flow_cache is not None:
        from ..flow.cache import FlowCache

        cache = FlowCache(job.flow_cache)
    return Preparer(
        streams={name: weights.description.preprocessing for name, weights in job.weights.items()},
        views=model.views,
        single=model.window_frames if job.single else None,
        flow=method,
        cache=cache,
        notes=notes,
        uint8_streams=frozenset(getattr(network, "uint8_streams", ())),
        keep_middle=job.run is not None,
        on_device=cache is None and shares_device(method, network),
    )


def _accuracy(job: Job, model: Model, network: Network, preparer: Preparer, events: Events) -> None:
    logits_of_all: list[FloatArray] = []
    for clip, prepared in _prepared(job, preparer, events):
        if isinstance(prepared, ClipError):
            events("clip_error", clip=clip.id, error=str(prepared))
            continue
        watch = Stopwatch()
        logits, _ = _forward(job, network, prepared, watch)
        with watch.stage("download"):
            scores = average_views(logits, model.views.average)
        logits_of_all.append(logits)
        events(
            "clip",
            clip=clip.id,
            scores=base64.b64encode(scores.astype("<f4").tobytes()).decode(),
            stages_s=prepared.stages_s | dict(watch.seconds),
            views=len(prepared.views),
            frames=prepared.frames,
            video_s=prepared.video_s,
            flow_cached=prepared.flow_cached,
            notes=list(prepared.notes),
        )
        if job.run is not None and prepared.middle is not None:
            write_thumbnail(job.run, clip.id, prepared.middle)
    if job.logits is not None and logits_of_all:
        np.save(job.logits, np.concatenate(logits_of_all), allow_pickle=False)


def _prepared(job: Job, preparer: Preparer, events: Events) -> Iterator[tuple[Clip, Prepared | ClipError]]:
    """The job's clips in order, each prepared while the one before it is in the network."""

    def prepare(clip: Clip) -> Prepared | ClipError:
        events("start", clip=clip.id)
        try:
            verify(clip)
            return preparer(clip, _progress(events))
        except ClipError as error:
            return error

    if job.ahead == 0:
        for clip in job.clips:
            yield clip, prepare(clip)
        return
    with ThreadPoolExecutor(max_workers=1) as pool:
        waiting: deque[tuple[Clip, Future[Prepared | ClipError]]] = deque()
        for clip in job.clips:
            waiting.append((clip, pool.submit(prepare, clip)))
            if len(waiting) > job.ahead:
                done, future = waiting.popleft()
                yield done, future.result()
        while waiting:
            done, future = waiting.popleft()
            yield done, future.result()


def _progress(events: Events) -> Progress:
    """Signs of life for the parent's watchdog and progress bar, a few a second at most."""
    last = 0.0

    def progress(stage: str, done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last > 0.3:
            last = now
            events("progress", stage=stage, done=done, total=total)

    return progress


def _latency(job: Job, model: Model, network: Network, preparer: Preparer, events: Events) -> None:
    """Go through the sample until `min_seconds` are measured, at least once; one thing at a time."""
    warm: set[tuple[object, ...]] = set()
    measured = 0.0
    _warm_preparation(preparer, job.clips[0], events)
    for repetition in count():
        for clip in job.clips:
            events("start", clip=clip.id)
            meter = Meter()
            try:
                verify(clip)
                with meter:
                    prepared = preparer(clip, _progress(events))
            except ClipError as error:
                events("clip_error", clip=clip.id, error=str(error))
                continue
            shape = _shape(prepared, job.batch)
            if shape not in warm:
                begin = time.perf_counter()
                _forward(job, network, prepared, Stopwatch())
                if not warm:
                    events("first", first_s=time.perf_counter() - begin)
                warm.add(shape)
            watch = Stopwatch()
            with meter:
                logits, device_s = _forward(job, network, prepared, watch)
                with watch.stage("download"):
                    average_views(logits, model.views.average)
            measured += meter.wall_s
            events(
                "sample",
                clip=clip.id,
                repetition=repetition,
                stages_s=prepared.stages_s | dict(watch.seconds),
                total_s=meter.wall_s,
                cpu_s=meter.cpu_s,
                waited_s=meter.waited_s,
                views=len(prepared.views),
                frames=prepared.frames,
                video_s=prepared.video_s,
                macs=_macs(model, prepared, logits.shape[1]),
                device_forward_s=device_s,
                notes=list(prepared.notes),
            )
        if measured >= job.min_seconds or not warm:
            return


def _shape(prepared: Prepared, batch: int) -> tuple[object, ...]:
    """What a network may have to adapt to: the shapes of a view, and the sizes of the batches."""
    view = prepared.views[0]
    views = len(prepared.views)
    sizes = {min(batch, views), views % batch}
    return (*(view[name].shape for name in sorted(view)), *sorted(sizes))


def _warm_preparation(preparer: Preparer, clip: Clip, events: Events) -> None:
    """Decode, resize and compute flow once, over the clip's first moment, before anything is timed."""
    begin = clip.start_s or 0.0
    end = begin + 0.15 if clip.end_s is None else min(clip.end_s, begin + 0.15)
    with suppress(ClipError):  # too short for the network: warm all the same
        preparer(dataclasses.replace(clip, end_s=end), _progress(events))


def _macs(model: Model, prepared: Prepared, classes: int) -> int | None:
    """Multiply–accumulates of all views of a video."""
    if model.macs is None:
        return None
    shapes = [
        {name: (x.shape[0], x.shape[1], x.shape[2]) for name, x in view.items()} for view in prepared.views
    ]
    return sum(model.macs(shape, classes) for shape in shapes)


def _forward(
    job: Job, network: Network, prepared: Prepared, watch: Stopwatch
) -> tuple[FloatArray, float | None]:
    """Logits (views, classes), `job.batch` views at a time; seconds of the forwards by the device's clock.

    Stages are timed with the device synchronised. Raises MeasurementError for logits that are none.
    """
    results: list[FloatArray] = []
    device_s: float | None = None
    for begin in range(0, len(prepared.views), job.batch):
        views = prepared.views[begin : begin + job.batch]
        with watch.stage("upload"):
            inputs = network.upload({name: _stacked([view[name] for view in views]) for name in views[0]})
            network.synchronize()
        with watch.stage("forward"):
            logits = network.forward(inputs)
            network.synchronize()
        with watch.stage("download"):
            results.append(network.download(logits))
        seconds = network.describe().get("device_forward_s")
        if seconds is not None:
            device_s = (device_s or 0.0) + seconds
        _check_logits(results[-1], (len(views), job.classes))
    return np.concatenate(results), device_s


def _check_logits(logits: FloatArray, shape: tuple[int, int]) -> None:
    if logits.shape != shape:
        raise MeasurementError(
            "the network's logits have the wrong shape",
            expected=f"{shape} (views, classes of its labels)",
            found=logits.shape,
        )
    if not np.isfinite(logits).all():
        raise MeasurementError("the network's logits are not all finite numbers")


def _stacked(arrays: list[InputArray]) -> InputArray:
    if len(arrays) == 1:
        return arrays[0][None]
    return np.stack(arrays) if isinstance(arrays[0], np.ndarray) else stack_on_device(arrays)


def average_views(logits: FloatArray, average: str) -> FloatArray:
    """Probabilities (classes,) of a video from the logits (views, classes) of its views."""
    if average == "logits":
        logits = logits.mean(axis=0, keepdims=True)
    mean: FloatArray = softmax(logits).mean(axis=0).astype(np.float32)
    return mean


def _arrays(job: Job, network: Network, events: Events) -> None:
    for source, destination in job.arrays:
        with np.load(source, allow_pickle=False) as inputs:
            batch = {stream: inputs[stream] for stream in job.weights}
        np.save(destination, network.download(network.forward(network.upload(batch))), allow_pickle=False)
        events("progress")  # a sign of life


if __name__ == "__main__":
    main()

"""The child process that runs one network: `PYTHON -m actionbench.bench.worker.process`, fed a `Job`."""

from __future__ import annotations

import base64
import logging
import os
import pickle
import sys
import threading
import time
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import numpy as np
import psutil

from ...datasets.clip import Clip
from ...datasets.sources.manifest import verify
from ...errors import ActionBenchError, ClipError
from ...models.registry import find_model
from ...models.spec import FloatArray, Network
from ...preprocessing.assembly import assemble
from ...preprocessing.preparer import Prepared, Preparer
from ...preprocessing.stopwatch import Stopwatch
from ..loadgen.worker import measure_loadgen
from ..scenarios.inference import average_views, forward, remarks
from ..scenarios.scenario import Loaded, scenario
from ..scenarios.stream_networks import Part, load_parts
from ..thumbnails import write_thumbnail
from .events import Events, signs_of_life
from .job import Job


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

    ours = Path(__file__).parents[2]
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
    timed = None if job.mode in _UNTIMED or job.mode == "arrays" else scenario(job.mode)
    begin = time.perf_counter()
    request = find_model(job.request)
    parts = load_parts(request, job.weights, job.options, apart=timed is not None and timed.apart)
    for part in parts:
        part.network.synchronize()
    load_s = time.perf_counter() - begin
    events("ready", load_s=load_s, details=_details(parts))
    if job.mode == "arrays":
        _arrays(job, parts[0].network, events)
    else:
        preparer = assemble(
            job.weights,
            request.model.views,
            flow=job.flow,
            threads=job.options.threads,
            window=job.window,
            device=job.options.device,
            networks=[part.network for part in parts],
            flow_cache=job.flow_cache,
            keep_middle=job.run is not None,
        )
        work = _UNTIMED[job.mode] if timed is None else timed.measure
        work(job, Loaded(request.model, parts, preparer), events)
        events("end", peak_rss_bytes=_peak_rss(), details=_details(parts))
    events("done")


def _details(parts: Sequence[Part]) -> dict[str, Any]:
    """What the networks say of themselves, as one."""
    described = [part.network.describe() for part in parts]
    details = described[0]
    if len(described) > 1:
        known = [d["parameters"] for d in described if d.get("parameters") is not None]
        details = details | {"parameters": sum(known) if len(known) == len(described) else None}
    return details


def _peak_rss() -> int:
    """Bytes that the process held at most."""
    status = Path("/proc/self/status")
    if status.exists():
        # Not getrusage, whose figure begins with the memory of the parent that was forked.
        lines = status.read_text(encoding="ascii").splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    memory = psutil.Process().memory_info()
    if peak := getattr(memory, "peak_wset", None):
        return int(peak)
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _accuracy(job: Job, loaded: Loaded, events: Events) -> None:
    logits_of_all: list[FloatArray] = []
    for clip, prepared in _prepared(job, loaded.preparer, events):
        if isinstance(prepared, ClipError):
            events("clip_error", clip=clip.id, error=str(prepared))
            continue
        watch = Stopwatch()
        logits, _ = forward(loaded.network, prepared, job.batch, job.classes, watch)
        with watch.stage("download"):
            scores = average_views(logits, loaded.model.views.average)
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
            notes=remarks(prepared),
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
            return preparer(clip, signs_of_life(events))
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


_UNTIMED = {"accuracy": _accuracy, "loadgen": measure_loadgen}
"""What a worker does with clips in the modes that are no scenarios of a run."""


def _arrays(job: Job, network: Network, events: Events) -> None:
    for source, destination in job.arrays:
        with np.load(source, allow_pickle=False) as inputs:
            batch = {stream: inputs[stream] for stream in job.weights}
        np.save(destination, network.download(network.forward(network.upload(batch))), allow_pickle=False)
        events("progress")  # a sign of life


if __name__ == "__main__":
    main()

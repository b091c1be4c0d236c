"""The child process that runs one network: `PYTHON -m actionbench.bench.worker.process`, fed a `Job`."""

from __future__ import annotations

import os
import pickle
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import psutil

from ...atomic import file_and_reason
from ...child_process import event_writer, pipe_to_parent
from ...errors import ActionBenchError
from ...models.registry import find_model
from ...preprocessing.assembly import assemble
from ..loadgen.worker import measure_loadgen
from ..scenarios.scenario import Loaded, scenario
from ..scenarios.stream_networks import StreamNetwork, load_stream_networks
from .accuracy import predict_clips
from .arrays import compute_arrays
from .events import Done, Failed, Notice, Ready, Send
from .job import Job
from .notices import notices_to
from .turns import take_turns


def main() -> None:
    send = event_writer(pipe_to_parent())
    job: Job = pickle.load(sys.stdin.buffer)
    lines: SimpleQueue[bytes] = SimpleQueue()
    has_files = threading.Event()
    threading.Thread(target=_follow_parent, args=(lines, has_files), daemon=True).start()
    with notices_to(lambda text: send(Notice(text))):
        try:
            _run(job, send, lines, has_files)
        except ActionBenchError as error:
            send(Failed(str(error)))
        except MemoryError:
            send(Failed("out of memory"))
        except OSError as error:  # such as of the flow cache, on a disk that is full
            if error.filename is None:
                raise
            traceback.print_exc()  # into the log
            send(Failed(file_and_reason(error)))


def _follow_parent(lines: SimpleQueue[bytes], has_files: threading.Event) -> None:
    """Pass on the parent's lines, and end with it: an empty line, and the end of the process, at once unless
    this `has_files` that a live session is to close.

    The parent holds our standard input open; it closes when the parent ends, however it ends.
    """
    # Not by `sys.stdin`, whose lock this thread would hold when the interpreter ends.
    begun = b""
    while data := os.read(0, 1 << 16):
        *whole, begun = (begun + data).split(b"\n")
        for line in whole:
            lines.put(line)
    lines.put(b"")
    if has_files.is_set():
        time.sleep(LIVE_GRACE_S)
    os._exit(1)


def _recognise_live(
    job: Job, loaded: Loaded, send: Send, lines: SimpleQueue[bytes], has_files: threading.Event
) -> None:
    from .live import recognise_live  # only here: the other tasks need no video library

    has_files.set()
    recognise_live(job, loaded, send, lines)


def _watch_videos(job: Job, loaded: Loaded, send: Send) -> None:
    from .live_videos import watch_videos

    watch_videos(job, loaded, send)


_TASKS: dict[str, Callable[[Job, Loaded, Send], None]] = {
    "arrays": compute_arrays,
    "loadgen": measure_loadgen,
    "live videos": _watch_videos,
}
"""What a worker does beside the scenarios of a run, where its parent sends nothing more."""

LIVE_GRACE_S = 60.0
"""Seconds that a live session may take to close its files when its parent is gone."""


def _run(job: Job, send: Send, lines: SimpleQueue[bytes], has_files: threading.Event) -> None:
    tasks: dict[str, Callable[[Job, Loaded, Send], None]] = {
        **_TASKS,
        "accuracy": partial(predict_clips, lines=lines, peak_rss=_peak_rss),
        "turns": partial(take_turns, turns=lines, peak_rss=_peak_rss),
        "live": partial(_recognise_live, lines=lines, has_files=has_files),
    }
    timed = None if job.task in tasks else scenario(job.task)
    work = tasks[job.task] if timed is None else timed.measure
    begin = time.perf_counter()
    request = find_model(job.request)
    networks = load_stream_networks(
        request, job.weights, job.options, apart=timed is not None and timed.apart
    )
    for each in networks:
        each.network.synchronize()
    load_s = time.perf_counter() - begin
    send(Ready(load_s, _details(networks)))
    preparer = assemble(
        job.weights,
        job.views,
        flow=job.flow,
        threads=job.options.threads,
        window=job.window,
        device=job.options.device,
        networks=[each.network for each in networks],
        flow_cache=job.flow_cache,
        people=job.people,
        at_once=job.options.at_once,
    )
    work(job, Loaded(request.model, networks, preparer), send)
    send(Done(_peak_rss(), _details(networks)))


def _details(networks: Sequence[StreamNetwork]) -> dict[str, Any]:
    """What the networks say of themselves, as one."""
    described = [each.network.describe() for each in networks]
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


if __name__ == "__main__":
    main()

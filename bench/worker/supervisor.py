"""Running a worker process from the outside: start, events, watchdog, end.

Nothing that happens in a worker, a crash of the decoder, an out-of-memory kill, a hang, ends the parent:
it is an outcome like any other.
"""

from __future__ import annotations

import os
import pickle
import threading
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...child_process import Child, how_it_ended, last_lines
from ...datasets.clip import Clip
from ...errors import MeasurementError
from ...models.registry import find_model
from .events import (
    ClipFailed,
    Done,
    Event,
    Failed,
    Measured,
    Notice,
    Predicted,
    Started,
    Waiting,
    Watched,
    read_event,
)
from .job import Job, clips_as_line

_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "NUMBA_NUM_THREADS",
    "OPENCV_FOR_THREADS_NUM",
)
"""Read by the libraries when they are imported, so they must be set before the worker starts."""

_KEEP_MEMORY = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "-1"}
"""For glibc's malloc (mallopt(3)): one heap, in which all blocks lie, and which never shrinks.

By default large blocks go back to the kernel as soon as they are freed, and each page of the next one is a
page fault: a fifth of what I3D takes in torch (docs/backends.md). Heaps but for the first cannot keep them.
"""


@dataclass(slots=True)
class Outcome:
    """How a worker ended.

    - `failed`: None if it did all it was asked; else why not.
    - `died`: it did not say so itself: it crashed, was killed or made no progress.
    - `in_flight`: ids of the clips that it had begun and not finished when it ended.
    """

    failed: str | None = None
    died: bool = False
    in_flight: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Worker:
    """A job and the interpreter that runs it.

    - `log`: file that its standard error is appended to.
    - `timeout_s`: seconds without an event, until it is killed.
    - `notify`: is given what the user should know.
    - `limit`: what sets `timeout_s`, for the message when it is over.
    - `more`: gives the clips that a worker of the task "accuracy" is sent when it waits; none ends it.
    """

    job: Job
    python: str
    log: Path
    timeout_s: float
    notify: Callable[[str], None]
    limit: str = "--clip-timeout"
    more: Callable[[], Sequence[Clip]] = tuple

    def events(self, outcome: Outcome, stop: threading.Event | None = None) -> Generator[Event]:
        """Start the process and yield its events until it ends; how it ended is left in `outcome`.

        - `stop`: a live session is asked to end soon after this is set; its events go on until it has.

        `Notice` and `Failed` are not yielded: they are given to `notify` and `outcome`. A worker that is
        `Waiting` goes on when the next event is asked for. Closing the iterator kills the process, and what
        it started.
        """
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            begin = log.seek(0, os.SEEK_END)
            child = Child(
                [self.python, "-m", "actionbench.bench.worker.process"],
                env=worker_environment(self.job.options.threads, keep_memory=_wants_memory_kept(self.job)),
                stderr=log,
            )
        with child:
            child.send(pickle.dumps(self.job))
            yield from self._watched(child, begin, outcome, stop or threading.Event())

    def _watched(
        self, child: Child, log_begin: int, outcome: Outcome, stop: threading.Event
    ) -> Generator[Event]:
        asked = False
        while True:
            if stop.is_set() and not asked:
                asked = True
                child.send(b"\n")
            try:
                line = child.line(self.timeout_s)
            except TimeoutError:
                outcome.died = True
                outcome.failed = f"no progress for {self.timeout_s:g} s ({self.limit})"
                return
            if line is None:
                outcome.died = True
                outcome.failed = _cause_of_death(child.wait(), self.log, log_begin)
                return
            try:
                event = read_event(line)
            except ValueError as error:
                outcome.failed = (
                    f"its process reported what cannot be read ({error}): {self.python} may have another "
                    "version of ActionBench"
                )
                return
            match event:
                case None:
                    # Not the worker's: an interpreter that greets, or a line that a kill has torn.
                    with self.log.open("ab") as log:
                        log.write(line)
                    continue
                case Notice(text):
                    self.notify(text)
                    continue
                case Failed():
                    outcome.failed = event.error
                    return
                case Started(clip):
                    outcome.in_flight.append(clip)
                case (
                    Predicted(clip=str(clip))
                    | ClipFailed(clip=str(clip))
                    | Measured(clip=str(clip))
                    | Watched(clip=str(clip))
                ):
                    outcome.in_flight.remove(clip)
            yield event
            match event:
                case Done():
                    return
                case Waiting():
                    child.send(clips_as_line(self.more()) + b"\n")


def _wants_memory_kept(job: Job) -> bool:
    """torch's tuned and compiled variants do; others keep it themselves, and one heap slows OpenVINO."""
    return find_model(job.request).backend == "torch" and job.options.variant != "plain"


def worker_environment(threads: int, keep_memory: bool = False) -> dict[str, str]:
    """The environment of a worker: thread counts, quiet logs, and no module of the current folder's.

    - `keep_memory`: malloc is to keep what is freed, unless its variables are set already.
    """
    environment = _KEEP_MEMORY | os.environ if keep_memory else dict(os.environ)
    environment |= {name: str(threads) for name in _THREAD_VARIABLES}
    environment |= {"PYTHONSAFEPATH": "1", "PYTHONUNBUFFERED": "1"}
    environment.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    return environment


def _cause_of_death(status: int, log: Path, begin: int) -> str:
    """In words; `begin` is where in the log this process's messages begin."""
    if status < 0:
        return how_it_ended(status)
    said = log.read_bytes()[begin:].strip()
    return f"{how_it_ended(status)}: {last_lines(said, 1) if said else 'no message'} (see {log})"


def run_arrays(job: Job, python: str, log: Path, timeout_s: float, notify: Callable[[str], None]) -> None:
    """Run a job of the task "arrays" to its end. Raises MeasurementError if it does not get there."""
    outcome = Outcome()
    for _ in Worker(job, python, log, timeout_s, notify).events(outcome):
        pass
    if outcome.failed is not None:
        raise MeasurementError(outcome.failed, where=job.request)

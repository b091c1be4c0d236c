"""Running a worker process from the outside: start, events, watchdog, end.

Nothing that happens in a worker, a crash of the decoder, an out-of-memory kill, a hang, ends the parent:
it is an outcome like any other.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...errors import MeasurementError
from ...models.registry import find_model
from ...parsing import parse_json
from .job import Job

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
    """How a worker ended: `failed` is None if it did all it was asked; else why not.

    `in_hand`: ids of the clips it had begun and not finished when it died.
    """

    failed: str | None = None
    died: bool = False
    in_hand: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Worker:
    """A job and the interpreter that runs it.

    - `log`: file that its standard error is appended to. `timeout_s`: without an event, until it is killed.
    - `notify`: told what the user should know.
    """

    job: Job
    python: str
    log: Path
    timeout_s: float
    notify: Callable[[str], None]

    def events(self, outcome: Outcome) -> Iterator[dict[str, Any]]:
        """Start the process and yield its events until it ends; how it ended is left in `outcome`.

        Closing the iterator kills the process, and what it started.
        """
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            begin = log.seek(0, os.SEEK_END)
            process = subprocess.Popen(
                [self.python, "-m", "actionbench.bench.worker.process"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=worker_environment(self.job.options.threads, keep_memory=_wants_memory_kept(self.job)),
                # Ctrl-C is the parent's to handle: it ends its workers by closing their input.
                start_new_session=True,
            )
        try:
            yield from self._watched(process, begin, outcome)
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            for pipe in (process.stdin, process.stdout):
                assert pipe is not None
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()

    def _watched(
        self, process: subprocess.Popen[bytes], log_begin: int, outcome: Outcome
    ) -> Iterator[dict[str, Any]]:
        lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()

        def write() -> None:
            assert process.stdin is not None
            # Broken: it died at once, and its exit status says how.
            with contextlib.suppress(BrokenPipeError, ValueError):
                process.stdin.write(pickle.dumps(self.job))
                process.stdin.flush()

        def read() -> None:
            assert process.stdout is not None
            with contextlib.suppress(ValueError):  # closed: nobody listens any more
                for line in process.stdout:
                    lines.put(line)
            lines.put(None)

        for work in (write, read):
            threading.Thread(target=work, daemon=True).start()
        while True:
            try:
                line = lines.get(timeout=self.timeout_s)
            except queue.Empty:
                outcome.died = True
                outcome.failed = f"no sign of life for {self.timeout_s:g} s"
                return
            if line is None:
                outcome.died = True
                outcome.failed = _cause_of_death(process.wait(), self.log, log_begin)
                return
            event = _event(line)
            if event is None:
                # Not the worker's: an interpreter that greets, or a line that a kill has torn.
                with self.log.open("ab") as log:
                    log.write(line)
                continue
            kind = event["event"]
            if kind == "start":
                outcome.in_hand.append(event["clip"])
            elif kind in ("clip", "clip_error", "sample"):
                outcome.in_hand.remove(event["clip"])
            elif kind == "failed":
                outcome.failed = event["error"]
                return
            elif kind == "done":
                return
            elif kind == "notice":
                self.notify(event["text"])
                continue
            yield event


def _event(line: bytes) -> dict[str, Any] | None:
    try:
        event = parse_json(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "event" in event else None


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
    if status == -signal.SIGKILL:
        return "killed (SIGKILL): most likely the machine ran out of memory"
    if status < 0:
        return f"crashed ({signal.Signals(-status).name})"
    tail = log.read_bytes()[begin:].decode(errors="replace").strip().splitlines()[-1:]
    return f"exit status {status}: {tail[0] if tail else 'no message'} (see {log})"


def run_arrays(job: Job, python: str, log: Path, timeout_s: float, notify: Callable[[str], None]) -> None:
    """Run a job of the mode "arrays" to its end. Raises MeasurementError if it does not get there."""
    outcome = Outcome()
    for _ in Worker(job, python, log, timeout_s, notify).events(outcome):
        pass
    if outcome.failed is not None:
        raise MeasurementError(outcome.failed, where=job.request)

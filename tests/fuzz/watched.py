"""Inputs of a target in a process that is watched: what becomes of each, also where it ends the process."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import tempfile
import time
import traceback
import warnings
from collections import Counter
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from actionbench.child_process import how_it_ended

from .target import READ, REFUSED, Target, input_of, outcome

LIMIT_S = 60.0
"""Seconds of CPU time of an input: other programs may compute meanwhile."""

WAIT_S = 600.0
"""Seconds until an input counts as one that hangs without computing anything."""

LIMIT_BYTES = 2 << 30
"""Memory that an input may take."""

_FORK = multiprocessing.get_context("fork")
"""The watched process has imported everything when it begins."""


@dataclass
class Tally:
    """What became of the inputs of a target: how many were read, were refused clearly, have failed.

    - `failures`: number of an input → what is wrong.
    """

    read: int = 0
    refused: int = 0
    slowest_s: float = 0.0
    failures: dict[int, str] = field(default_factory=dict)

    def add(self, number: int, result: str, seconds: float) -> None:
        """Count an input, which took so many seconds."""
        self.slowest_s = max(self.slowest_s, seconds)
        if result == READ:
            self.read += 1
        elif result.startswith(REFUSED):
            self.refused += 1
        else:
            self.failures[number] = result

    @property
    def counts(self) -> Counter[str]:
        """Column of the table → number of inputs."""
        read, refused, failed = self.read, self.refused, len(self.failures)
        return Counter(inputs=read + refused + failed, read=read, refused=refused, failed=failed)


def result_of(target: Target, seed: int, number: int) -> str:
    """The outcome of an input, in this process: see `outcome`; an exception that is none of ours in words."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        try:
            return outcome(target, input_of(target, seed, number), Path(folder))
        except Exception as error:
            frames = [
                f"{Path(f.filename).name}:{f.lineno}" for f in traceback.extract_tb(error.__traceback__)
            ]
            return f"{type(error).__name__}: {str(error)[:300]} ({' < '.join(reversed(frames[-6:]))})"


def peak_bytes() -> int:
    """The most memory that this process has had, or one that it started and that has ended."""
    lines = Path("/proc/self/status").read_text().splitlines()
    own = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    return max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) << 10


def enter(room: Path) -> None:
    """Keep all files that this process makes in the folder `room`: inputs, and what ActionBench keeps."""
    tempfile.tempdir = str(room)
    os.environ["ACTIONBENCH_HOME"] = str(room / "home")


def limit_memory() -> None:
    """What is asked for beyond is a MemoryError in this process, and not the end of others."""
    resource.setrlimit(resource.RLIMIT_DATA, (3 * LIMIT_BYTES, 3 * LIMIT_BYTES))


def _serve(target: Target, numbers: range, seed: int, room: Path, reply: Connection) -> None:
    """The work of the watched process: the outcome of each input, until one has taken too much memory."""
    enter(room)
    null = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):  # what libraries print
        os.dup2(null, stream)
    limit_memory()
    before = peak_bytes()
    for number in numbers:
        signal.setitimer(signal.ITIMER_PROF, LIMIT_S)  # which ends this process
        result = result_of(target, seed, number)
        taken = peak_bytes() - before
        reply.send(result if taken < LIMIT_BYTES else f"took {taken / 2**30:.1f} GB")
        if taken >= LIMIT_BYTES:
            return


def campaign(target: Target, count: int, seed: int) -> Tally:
    """Give a reader inputs 0 to `count`, in a process that is begun anew where one has ended it."""
    with tempfile.TemporaryDirectory(prefix="fuzz-", ignore_cleanup_errors=True) as room:
        return _campaign(target, count, seed, Path(room))


def _campaign(target: Target, count: int, seed: int, room: Path) -> Tally:
    tally = Tally()
    done = 0
    while done < count:
        ours, theirs = _FORK.Pipe(duplex=False)
        process = _FORK.Process(target=_serve, args=(target, range(done, count), seed, room, theirs))
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
            process.start()  # Python 3.12 warns of forks where there are threads, which do nothing here
        theirs.close()
        begin = time.monotonic()
        while done < count and (result := _next(ours, process)) is not None:
            tally.add(done, result, time.monotonic() - begin)
            begin = time.monotonic()
            done += 1
        process.kill()
        process.join()
        ours.close()
    return tally


def _next(replies: Connection, process: multiprocessing.process.BaseProcess) -> str | None:
    """The next outcome, of an input that ends the process too; None when the process has ended before."""
    if replies.closed:
        return None
    if not replies.poll(WAIT_S):
        replies.close()
        return f"no answer within {WAIT_S:g} s"
    try:
        return str(replies.recv())
    except EOFError:
        replies.close()
        process.join()
        return how_it_ended(process.exitcode) if process.exitcode else None

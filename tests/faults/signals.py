"""A command that gets a signal at some moment, and what may be left of it: nothing that runs."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from .processes import SIGNALS, default_signals

_MARK = "ACTIONBENCH_FAULTS"
"""Environment variable by which the processes that a command has started are found."""

_ENDING_S = 90.0
"""Seconds in which they have to end after the command has; a live session has 60 to close its files."""


@dataclass(frozen=True)
class Ended:
    """How a command ended: exit status, negative for a signal, and what it printed.

    - `sent`: how many processes got the signal. `late`: whether the work had been done by then.
    """

    status: int
    output: str
    errors: str
    sent: int
    late: bool

    def assert_not_ignored(self) -> None:
        """Assert that the signal has ended the command, unless its work had been done."""
        ended_by_it = self.status == 130 or self.status < 0
        assert ended_by_it or self.late, f"exit status {self.status}: the signal was ignored"


def ended(
    command: Sequence[object],
    folder: Path,
    number: signal.Signals | None = None,
    wait: Callable[[Callable[[], bool]], None] = lambda _: None,
    victim: str | None = None,
    done: Callable[[], bool] = lambda: False,
    timeout_s: float = 600.0,
) -> Ended:
    """Run a command, with `folder` for its temporary files; it, and all it started, has ended on return.

    - `number`: signal that it gets; None for no signal.
    - `wait`: returns when that is to be sent; gets a function that tells whether the command still runs.
    - `victim`: a word of a process that it has started, which gets the signal in its place.
    - `done`: whether the command has done its work; asked when the signal has been sent.

    Raises AssertionError where it shows a traceback, a process is left, or a temporary file, except after
    SIGKILL.
    """
    assert Path("/proc/self/environ").exists(), "by /proc, of Linux, processes that are left are found"
    temporary = folder / f"temporary-{secrets.token_hex(4)}"
    temporary.mkdir(parents=True)
    mark = secrets.token_hex(8)
    with (
        (temporary.with_suffix(".out")).open("w+b") as output,
        temporary.with_suffix(".err").open("w+b") as errors,
    ):
        process = subprocess.Popen(
            list(map(str, command)),
            stdout=output,
            stderr=errors,
            stdin=subprocess.DEVNULL,
            env=os.environ | {_MARK: mark, "TMPDIR": str(temporary)},
            preexec_fn=default_signals,
        )
        sent, late = 0, False
        if number is not None:
            wait(lambda: process.poll() is None)
            if victim is None:
                sent = int(process.poll() is None)
                process.send_signal(number)
            for pid, started in _marked(mark).items():
                if victim is not None and victim in started.split():
                    os.kill(pid, number)
                    sent += 1
            late = done()
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            raise AssertionError(f"did not end in {timeout_s:g} s") from None
        left = _left(mark)
        errors.seek(0)
        output.seek(0)
        found = Ended(process.returncode, output.read().decode(), errors.read().decode(), sent, late)
    assert not left, f"left running: {left}"
    assert "Traceback" not in found.errors, found.errors
    if found.status != -signal.SIGKILL:
        assert list(temporary.iterdir()) == []
    return found


def _left(mark: str) -> list[str]:
    """The processes with the mark that do not end by themselves; they are killed."""
    end = time.monotonic() + _ENDING_S
    while (found := _marked(mark)) and time.monotonic() < end:
        time.sleep(0.02)
    for pid in found:
        os.kill(pid, signal.SIGKILL)
    return list(found.values())


def _marked(mark: str) -> dict[int, str]:
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"{_MARK}={mark}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                found[int(folder.name)] = words
        except OSError:  # it has ended meanwhile, or is another user's
            continue
    return found


def after(moment_s: float) -> Callable[[Callable[[], bool]], None]:
    """A wait of so many seconds."""

    def wait(running: Callable[[], bool]) -> None:
        end = time.monotonic() + moment_s
        while running() and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, 0.05))

    return wait


def after_it(began: Callable[[], bool], moment_s: float) -> Callable[[Callable[[], bool]], None]:
    """A wait until something has begun, and then of so many seconds."""

    def wait(running: Callable[[], bool]) -> None:
        while running() and not began():
            time.sleep(0.002)
        after(moment_s)(running)

    return wait


Disturb = Callable[[Path, Random, signal.Signals], str]
"""Disturbs a command once, in an empty folder; what had happened when the signal came.

Raises AssertionError where something is not as promised; any other exception is a failure as well.
"""


Way = tuple[str, Disturb, tuple[str, ...]]
"""A command in words, what disturbs it, and the names of the signals that make sense."""


def disturbed(words: str, name: str, count: int, seed: int, disturb: Disturb) -> int:
    """Disturb a command `count` times by a signal; how often that went wrong.

    - `words`: what is disturbed. `name`: of the signal.

    The folder of each that went wrong stays, and is told.
    """
    failures, seen = 0, Counter[str]()
    for n in range(count):
        folder = Path(tempfile.mkdtemp(prefix="faults-"))
        try:
            came = disturb(folder, Random(f"{seed} {words} {name} {n}"), SIGNALS[name])
        except (
            Exception
        ) as error:  # also of what reads a damaged result: the others are to be tried all the same
            failures += 1
            why = f"{type(error).__name__}: {error}" if str(error) else _line(error)
            print(f"{words}, SIG{name}, number {n}: FAILED, see {folder}: {why}", flush=True)
            came = "FAILED"
        else:
            shutil.rmtree(folder, ignore_errors=True)
        seen[came] += 1
    stages = ", ".join(f"{stage} {times}" for stage, times in sorted(seen.items()))
    print(f"{words}, SIG{name}: {count}; it came in: {stages}", flush=True)
    return failures


def _line(error: Exception) -> str | None:
    """The line of source that has raised it."""
    return traceback.extract_tb(error.__traceback__)[-1].line

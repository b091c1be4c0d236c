"""A command that gets a signal at some moment, by itself and as one of many."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from random import Random

from .left import Left
from .processes import SIGNALS, To, default_signals, send


@dataclass(frozen=True)
class Victim:
    """Processes that a command has started. `word`: one of theirs."""

    word: str


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


Wait = Callable[[Callable[[], bool]], object]
"""Called while a command runs, with a function that tells whether it still does."""


def ended(
    command: Sequence[object],
    folder: Path,
    number: signal.Signals | None = None,
    wait: Wait = lambda _: None,
    to: To | Victim = "process",
    done: Callable[[], bool] = lambda: False,
    timeout_s: float = 600.0,
) -> Ended:
    """Run a command, with `folder` for its temporary files; it, and all it started, has ended on return.

    - `number`: signal that is sent; None for no signal.
    - `wait`: returns when that is to be sent.
    - `to`: what gets it: see `To`, or processes that the command has started.
    - `done`: whether the command has done its work; asked when the signal has been sent.

    Raises AssertionError where it shows a traceback, a process is left, or a temporary file, except after
    SIGKILL.
    """
    left = Left(folder)
    with (
        left.temporary.with_suffix(".out").open("w+b") as output,
        left.temporary.with_suffix(".err").open("w+b") as errors,
    ):
        process = subprocess.Popen(
            list(map(str, command)),
            stdout=output,
            stderr=errors,
            stdin=subprocess.DEVNULL,
            env=os.environ | left.environment,
            preexec_fn=default_signals,
            process_group=0,
        )
        sent, late = 0, False
        wait(lambda: process.poll() is None)
        if number is not None:
            if isinstance(to, Victim):
                victims = [pid for pid, started in left.processes().items() if to.word in started.split()]
                for pid in victims:
                    os.kill(pid, number)
                sent = len(victims)
            elif process.poll() is None:
                send(process.pid, number, to)
                sent = 1
            late = done()
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            raise AssertionError(f"did not end in {timeout_s:g} s") from None
        errors.seek(0)
        output.seek(0)
        found = Ended(process.returncode, output.read().decode(), errors.read().decode(), sent, late)
    left.assert_nothing(found.status)
    assert "Traceback" not in found.errors, found.errors
    return found


def after(moment_s: float) -> Wait:
    """A wait of so many seconds."""

    def wait(running: Callable[[], bool]) -> None:
        end = time.monotonic() + moment_s
        while running() and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, 0.05))

    return wait


_LOOK_S = 0.002


def after_it(began: Callable[[], bool], moment_s: float) -> Wait:
    """A wait until something has begun, and then of so many seconds."""

    def wait(running: Callable[[], bool]) -> None:
        while running() and not began():
            time.sleep(_LOOK_S)
        after(moment_s)(running)

    return wait


class Moments:
    """Moments of a command's stages; each is as likely, whether it takes long or not.

    - `stage`: number of the stage that it is in, from 0 to that of the last.
    """

    def __init__(self, stage: Callable[[], int]) -> None:
        self._stage = stage
        self._lengths_s: list[float] = []

    def measure(self, running: Callable[[], bool]) -> None:
        """A `Wait` for the end of an undisturbed command, in which the length of its stages is measured."""
        begun = [time.monotonic()]

        def look() -> None:
            begun.extend([time.monotonic()] * (self._stage() + 1 - len(begun)))

        while running():
            look()
            time.sleep(_LOOK_S)
        look()
        self._lengths_s = [end - begin for begin, end in pairwise([*begun, time.monotonic()])]

    def drawn(self, draw: Random) -> Wait:
        """A wait until a random moment of a stage that is drawn first."""
        number = draw.choice(range(len(self._lengths_s)))
        return after_it(lambda: self._stage() >= number, draw.uniform(0, self._lengths_s[number]))


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
        # Also of what reads a damaged result: the others are to be tried all the same.
        except Exception as error:
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

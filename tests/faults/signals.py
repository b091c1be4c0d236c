"""A command that gets a signal at some moment, and what may be left of it: nothing that runs."""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

COMMAND = [sys.executable, "-m", "actionbench"]
SIGNALS = {name: getattr(signal, f"SIG{name}") for name in ("KILL", "INT", "TERM", "HUP")}

_MARK = "ACTIONBENCH_FAULTS"
"""Environment variable by which the processes that a command has started are found."""

_ENDING_S = 90.0
"""Seconds in which they have to end after the command has; a live session has 60 to close its files."""


@dataclass(frozen=True)
class Ended:
    """How a command ended: exit status, negative for a signal, and what it printed."""

    status: int
    output: str
    errors: str


def ended(
    command: Sequence[object],
    folder: Path,
    number: signal.Signals | None = None,
    wait: Callable[[Callable[[], bool]], None] = lambda _: None,
    victim: str | None = None,
    timeout_s: float = 600.0,
) -> Ended:
    """Run a command, with `folder` for its temporary files; it, and all it started, has ended on return.

    - `number`: signal that it gets; None for no signal.
    - `wait`: returns when that is to be sent; gets a function that tells whether the command still runs.
    - `victim`: a word of a process that it has started, which gets the signal in its place.

    Raises AssertionError where it shows a traceback, a process is left, or a temporary file, except after
    SIGKILL.
    """
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
            # As in a terminal, wherever the campaign runs.
            preexec_fn=lambda: [
                signal.signal(each, signal.SIG_DFL) for each in SIGNALS.values() if each != 9
            ],
        )
        if number is not None:
            wait(lambda: process.poll() is None)
            if victim is None:
                process.send_signal(number)
            for pid, started in _marked(mark).items():
                if victim is not None and victim in started.split():
                    os.kill(pid, number)
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            raise AssertionError(f"did not end in {timeout_s:g} s") from None
        left = _left(mark)
        errors.seek(0)
        output.seek(0)
        found = Ended(process.returncode, output.read().decode(), errors.read().decode())
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
            time.sleep(0.001)
        after(moment_s)(running)

    return wait


def campaign(
    words: str,
    title: str,
    count: int,
    disturb: Callable[[Path, Random, signal.Signals], str],
    signals: Sequence[str] = tuple(SIGNALS),
) -> int:
    """Disturb a command `count` times by each signal, or as the command line says; 1 where one failed.

    - `words`: what is disturbed. `title`: of the command line.
    - `disturb`: does it once, in an empty folder; what had happened when the signal came. Raises
      AssertionError where something is not as promised.
    - `signals`: names of those that make sense.
    """
    parser = argparse.ArgumentParser(description=title)
    parser.add_argument("--count", type=int, default=count, help="for each signal")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--signals", nargs="+", default=list(SIGNALS), choices=list(SIGNALS))
    given = parser.parse_args()
    failures = 0
    for name in (each for each in given.signals if each in signals):
        seen: Counter[str] = Counter()
        for n in range(given.count):
            with tempfile.TemporaryDirectory(prefix="faults-", ignore_cleanup_errors=True) as folder:
                try:
                    came = disturb(Path(folder), Random(f"{given.seed} {name} {n}"), SIGNALS[name])
                except AssertionError as error:
                    failures += 1
                    came = f"FAILED: {error or traceback.extract_tb(error.__traceback__)[-1].line}"
                print(f"SIG{name}, {words} {n}: {came}", file=sys.stderr, flush=True)
                seen[came] += 1
        print(f"SIG{name}: {given.count} times {words}; when it came: {dict(seen)}", flush=True)
    print(f"{failures} failures")
    return int(failures > 0)

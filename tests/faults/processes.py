"""Processes of the command line, which treat signals as in a terminal, wherever they are started."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Literal, Protocol

from actionbench.__main__ import main

COMMAND = [sys.executable, "-m", "actionbench"]

SIGNALS = {name: getattr(signal, f"SIG{name}") for name in ("KILL", "INT", "TERM", "HUP")}

LONGEST_S = 900


To = Literal["process", "group"]
"""What gets a signal: the first process of a command, as by `kill`, or all of its process group, as by Ctrl-C
in a terminal."""


class Started(Protocol):
    """A process of the command line, which leads a process group.

    - `runs`: whether it still does. `send`: a signal, to one that may have ended.
    - `end`: wait for its exit status, negative for a signal.
    """

    def runs(self) -> bool: ...

    def send(self, number: signal.Signals, to: To) -> None: ...

    def end(self) -> int: ...


Start = Callable[[list[str], Path, Mapping[str, str]], Started]
"""From the words of a command, the file for what it prints to standard error, and environment variables that
it gets besides ours, to its process."""


class Command:
    """`python -m actionbench`, from the start of the interpreter to its end."""

    def __init__(self, words: list[str], errors: Path, environment: Mapping[str, str]) -> None:
        with errors.open("wb") as file:
            self._process = subprocess.Popen(
                [*COMMAND, *words],
                stdout=subprocess.DEVNULL,
                stderr=file,
                env=os.environ | environment,
                preexec_fn=default_signals,
                process_group=0,
            )

    def runs(self) -> bool:
        return self._process.poll() is None

    def send(self, number: signal.Signals, to: To) -> None:
        if self.runs():
            send(self._process.pid, number, to)

    def end(self) -> int:
        return self._process.wait(LONGEST_S)


class Forked:
    """The command without its imports, which take seconds: a fork of a process that has done them.

    A moment of it is one of its work.
    """

    _CONTEXT = multiprocessing.get_context("forkserver")
    _CONTEXT.set_forkserver_preload(
        ["actionbench.bench.experiments", "actionbench.training.loop", "actionbench.tests.faults.subjects"]
    )

    def __init__(self, words: list[str], errors: Path, environment: Mapping[str, str]) -> None:
        errors.unlink(missing_ok=True)
        # The server of forks has the environment of its own start.
        given = (words, errors, os.environ | environment)
        self._process = self._CONTEXT.Process(target=_forked, args=given)
        self._process.start()
        while not errors.exists() and self._process.is_alive():
            time.sleep(0.001)

    def runs(self) -> bool:
        return self._process.is_alive()

    def send(self, number: signal.Signals, to: To) -> None:
        assert self._process.pid is not None, "was started"
        with suppress(ProcessLookupError):
            send(self._process.pid, number, to)

    def end(self) -> int:
        self._process.join(LONGEST_S)
        assert self._process.exitcode is not None, "still runs"
        return self._process.exitcode


def send(process: int, number: signal.Signals, to: To) -> None:
    """Send a signal. Raises ProcessLookupError where nothing is there to get it."""
    (os.killpg if to == "group" else os.kill)(process, number)


def default_signals() -> None:
    """Treat signals as in a terminal, wherever the campaign runs."""
    for number in SIGNALS.values():
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)


def _forked(words: list[str], errors: Path, environment: dict[str, str]) -> None:
    os.setpgid(0, 0)
    os.environ.update(environment)
    tempfile.tempdir = None  # which the server may have looked up
    default_signals()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(os.open(errors, os.O_WRONLY | os.O_CREAT, 0o600), 2)
    sys.argv = ["bench", *words]
    try:
        main()
    finally:
        for number in set(SIGNALS.values()) - {signal.SIGKILL}:  # as at the end of an interpreter
            signal.signal(number, signal.SIG_IGN)

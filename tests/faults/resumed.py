"""Runs, trainings and experiments that get a signal at a random moment of a stage, and are then continued.

Each has the same result afterwards as one that nothing has happened to, bit for bit.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from random import Random
from typing import get_args

from .left import Left
from .processes import SIGNALS, To
from .signals import Moments, Wait, Way
from .subjects import NOTHING, SUBJECTS, Subject


class Resumed:
    """Disturbs a subject; see `Disturb`."""

    def __init__(self, make: Callable[[Path], Subject], folder: Path) -> None:
        """`folder`: for the subject's data, and for its results, which may name it."""
        self._subject, self._out, self._home = make(folder / "data"), folder / "out", folder / "home"
        self._moments = Moments(lambda: self._subject.stages.index(self._subject.stage(self._out)))
        self._whole = self._undisturbed()
        # Of the first, also the server of forks had to start.
        _assert_same(self._undisturbed(), self._whole)

    def __call__(self, folder: Path, draw: Random, number: signal.Signals) -> str:
        """See `Disturb`."""
        subject, out, errors = self._subject, self._out, folder / "errors"
        self._clear()
        moment, to = self._moments.drawn(draw), draw.choice(get_args(To))
        left = Left(folder)
        try:
            process = subject.start(subject.begin(out), errors, left.environment)
            moment(process.runs)
            process.send(number, to)
            late = subject.stage(out) == subject.stages[-1]
            status, said, seen = process.end(), errors.read_text(), subject.stage(out)
            allowed = {0, -number} if number == signal.SIGKILL else {0, 130}
            if seen == NOTHING:  # Python has to start before it can treat a signal
                allowed.add(-number)
            assert status != 0 or late, "the signal was ignored"
            if not said.startswith("Fatal Python error: init_"):  # by an interrupt in its first 50 ms
                assert status in allowed, f"exit status {status}: {said}"
                assert "Traceback" not in said, said
            # At once: what the first has started may run for a while yet.
            self._ended(subject.begin(out) if seen == NOTHING else subject.go_on(out), folder)
            left.assert_nothing(status)
            _assert_same(subject.answers(out), self._whole)
        except Exception:
            if out.exists():
                shutil.move(out, folder / "out")
            raise
        return seen

    def _undisturbed(self) -> Mapping[str, object]:
        """The answers of a command that nothing happens to."""
        self._clear()
        self._ended(self._subject.begin(self._out), self._out.parent, self._moments.measure)
        return self._subject.answers(self._out)

    def _ended(self, words: list[str], folder: Path, wait: Wait = lambda _: None) -> None:
        """Carry out a command that nothing happens to. Raises AssertionError where it fails.

        - `folder`: for its temporary files, and what it prints to standard error.
        """
        errors, left = folder / "errors", Left(folder)
        process = self._subject.start(words, errors, left.environment)
        wait(process.runs)
        status = process.end()
        assert status == 0, errors.read_text()
        left.assert_nothing(status)

    def _clear(self) -> None:
        """Remove a result, and what was kept to be computed once."""
        os.environ["ACTIONBENCH_HOME"] = str(self._home)
        shutil.rmtree(self._out, ignore_errors=True)
        shutil.rmtree(self._home, ignore_errors=True)


def _assert_same(found: Mapping[str, object], expected: Mapping[str, object]) -> None:
    differ = sorted(name for name in {*found, *expected} if found.get(name) != expected.get(name))
    assert not differ, f"not as in the undisturbed one: {', '.join(differ)}"


def ways(name: str) -> Callable[[Path], Iterator[Way]]:
    """Function that gives the ways of a campaign to disturb the subject `name`."""
    return lambda folder: iter([(name, Resumed(SUBJECTS[name], folder), tuple(SIGNALS))])

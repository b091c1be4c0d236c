"""Every error a user can cause or repair, as one tree.

A message says what went wrong and where, what was expected and what was found, and the next step.
The exit code belongs to the class: 2 for usage, input and measurement errors. `EXIT_CODES` are those of
verdicts, which are no errors; 1 is what an uncaught exception, a bug, ends with.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

EXIT_CODES = {"fine": 0, "improvement": 0, "regression": 3, "inconclusive": 4}
"""Verdict of a comparison → exit code of the command that gave it. No crash ends with 0, 3 or 4."""


class ActionBenchError(Exception):
    """Base of all errors that `bench` reports without a traceback.

    - `what`: one sentence, what went wrong.
    - `where`: the file, option or clip it went wrong in.
    - `expected`, `found`: the contradiction, where there is one.
    - `remedy`: what to do next.
    """

    exit_code = 2

    def __init__(
        self,
        what: str,
        *,
        where: object = None,
        expected: object = None,
        found: object = None,
        remedy: str | None = None,
    ) -> None:
        self.what = what
        self.where = None if where is None else str(where)
        self.expected = None if expected is None else str(expected)
        self.found = None if found is None else str(found)
        self.remedy = remedy
        super().__init__(str(self))

    def __str__(self) -> str:
        text = self.what if self.where is None else f"{self.where}: {self.what}"
        if self.expected is not None:
            text += f"; expected {self.expected}"
        if self.found is not None:
            text += f"; found {self.found}"
        if self.remedy is not None:
            text += f". {self.remedy}"
        return text


class UsageError(ActionBenchError):
    """An option, a name or a configuration does not make sense."""


class ClipError(ActionBenchError):
    """A clip cannot be read, or has too few frames for what is asked."""


class WeightsError(ActionBenchError):
    """Weights are absent, damaged, unsafe to load, or do not fit the network."""


class BackendUnavailable(ActionBenchError):
    """A package or a device that a backend needs is not there."""


class MeasurementError(ActionBenchError):
    """A run ended without the measurements that were planned."""


def unknown_name(kind: str, name: str, known: Iterable[str], most: int = 12) -> UsageError:
    """The error for `name`, which is none of the `known` names, with the nearest ones suggested.

    - `kind`: what it is the name of. `most`: known names that are listed at most.
    """
    known = sorted(known)
    listed = ", ".join(known[:most]) + (f", … ({len(known)} in all)" if len(known) > most else "")
    remedy = f"{did_you_mean(name, known)}Known: {listed or 'none'}"
    return UsageError(f"unknown {kind} '{name}'", remedy=remedy)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The nearest of the `known` names as a question, with a space at its end; empty if none is near."""
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    return f"Did you mean: {', '.join(near)}? " if near else ""

"""Every error that a user can cause or repair, as one class hierarchy.

A message says what went wrong and where, what was expected and what was found, and what to do. The exit code
belongs to the class: 2 for usage, input and measurement errors. `EXIT_CODES` are those of verdicts, which are
not errors; 1 is the exit code of an uncaught exception, which is a bug.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

EXIT_CODES = {"fine": 0, "improvement": 0, "regression": 3, "inconclusive": 4}
"""Verdict of a comparison → exit code of the command that gave it. No crash ends with 0, 3 or 4."""


def is_interrupt(error: BaseException) -> bool:
    """Whether it is an interrupt, or came of one: what a library does to clean up may fail in turn."""
    link: BaseException | None = error
    while link is not None:
        if isinstance(link, KeyboardInterrupt):
            return True
        link = link.__context__
    return False


class ActionBenchError(Exception):
    """Base of all errors that `bench` reports without a traceback.

    - `what`: what went wrong, one sentence.
    - `where`: the file, option or clip that it is about.
    - `expected`: what was expected; None where that does not apply.
    - `found`: what was found instead; None where that does not apply.
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
    """An option, a name or a setting is invalid."""


class ClipError(ActionBenchError):
    """A clip cannot be read, or has too few frames."""


class WeightsError(ActionBenchError):
    """Weights are absent, damaged, unsafe to load, or do not fit the network."""


class ArchiveError(ActionBenchError):
    """An archive of videos cannot be read, is damaged, or is not the published one."""


class DamagedArchive(ArchiveError):
    """What an archive holds is not what it should be; another attempt would find the same."""


class FullDisk(ArchiveError):
    """The disk has no room for what comes out of an archive."""


class BackendUnavailable(ActionBenchError):
    """A package or a device that a backend needs is missing."""


class MeasurementError(ActionBenchError):
    """A run ended without the measurements that were planned."""


def unknown_name(kind: str, name: str, known: Iterable[str], most: int = 12) -> UsageError:
    """The error for an unknown name, with similar known names as suggestions.

    - `kind`: what it is the name of, e.g. "model".
    - `name`: the unknown name.
    - `known`: the known names.
    - `most`: number of known names that are listed at most.
    """
    known = sorted(known)
    listed = ", ".join(known[:most]) + (f", … ({len(known)} in all)" if len(known) > most else "")
    remedy = f"{did_you_mean(name, known)}Known: {listed or 'none'}"
    return UsageError(f"unknown {kind} '{name}'", remedy=remedy)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Similar `known` names as a question, "Did you mean: …? ", with a space at its end; empty if none is."""
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    return f"Did you mean: {', '.join(near)}? " if near else ""

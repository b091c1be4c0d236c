"""Arms whose processes take turns: both of a pair are loaded and warm, and one at a time works.

A process that takes turns says {"ready": {…}} in a line when it is warm, works when it reads a line, says in
a line what that took, and ends when its standard input is closed. A command may do so (docs/gate.md); for
networks, `arm_process` does it.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ...child_process import Child, how_it_ended, last_lines, run_captured
from ...errors import MeasurementError
from ...parsing import parse_json
from ...records.metrics import FIRST, LOAD, PEAK_DEVICE_MEMORY, PEAK_MEMORY
from .protocol import COMMAND, VARIABLE, VERSION, number, reported
from .targets import Place

PER_PROCESS = (LOAD, FIRST, PEAK_MEMORY, PEAK_DEVICE_MEMORY)
"""Metrics of which a process has one value; a later one replaces an earlier one."""


_IMPORT_LIMIT_S = 120.0
"""Time limit of an import in an arm, which may compile the code of a new environment first."""


class Conversation:
    """A child process that answers by JSON objects, a line each. Other lines are ignored.

    Its standard error goes to the file stderr.txt in `folder`.
    """

    def __init__(self, command: list[str], place: Place, folder: Path, timeout_s: float, **more: str) -> None:
        """Start it. Raises MeasurementError if it does not start, OSError if that file cannot be made.

        - `command`: program and arguments, run in `place`.
        - `folder`: an existing folder for its messages.
        - `timeout_s`: seconds until an answer.
        - `more`: environment variables.
        """
        self._spec, self._timeout_s = place.record.spec, timeout_s
        self._errors = folder / "stderr.txt"
        with self._errors.open("wb") as errors:
            try:
                self._child = Child(
                    command, env=place.environment() | more, cwd=place.root, stderr=errors, foreign=True
                )
            except OSError as error:
                raise MeasurementError(
                    f"cannot be run: {error.strerror}", where=f"{self._spec}: {command[0]}"
                ) from error

    def __enter__(self) -> Conversation:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.close()

    def say(self, request: str) -> None:
        """Send a request that has no answer."""
        self._child.send(f"{request}\n".encode())

    def ask(self, request: str) -> dict[str, Any]:
        """The answer to a request. Raises MeasurementError if it is an error, or there is none."""
        self.say(request)
        return self.answer()

    def answer(self) -> dict[str, Any]:
        """What it says next. Raises MeasurementError if it says that it failed, or has ended."""
        found = self.answer_if_any()
        if found is None:
            raise self._ended("a process ended before its work was done", self._child.wait())
        return found

    def answer_if_any(self) -> dict[str, Any] | None:
        """As `answer`; None if the process has ended, by exit status 0."""
        end = time.monotonic() + self._timeout_s
        while True:
            try:
                line = self._child.line(max(0.0, end - time.monotonic()))
            except TimeoutError:
                raise MeasurementError(
                    f"a process took longer than {self._timeout_s:g} s",
                    where=self._spec,
                    remedy="See --timeout.",
                ) from None
            if line is None:
                if (status := self._child.wait()) != 0:
                    raise self._ended("a process failed", status)
                return None
            try:
                facts = parse_json(line)
            except ValueError:
                continue
            if not isinstance(facts, dict):
                continue
            if "error" in facts:
                raise MeasurementError(str(facts["error"]), where=self._spec)
            return facts

    def _ended(self, what: str, status: int) -> MeasurementError:
        return MeasurementError(
            f"{what} ({how_it_ended(status)}); its messages are in {self._errors}; the last lines:\n"
            f"{last_lines(self._errors.read_bytes())}",
            where=self._spec,
        )


@dataclass(slots=True)
class Process:
    """A fresh process that is loaded and warm. `once`: its values of the metrics `PER_PROCESS`, so far."""

    conversation: Conversation
    once: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of_ready(cls, conversation: Conversation, facts: dict[str, Any]) -> Process:
        """The process that has said `facts` when it was warm."""
        ready = facts["ready"] if isinstance(facts["ready"], dict) else {}
        named = ((LOAD, "load_s"), (FIRST, "first_s"))
        return cls(conversation, {metric: number(ready[key]) for metric, key in named if key in ready})

    def turn(self) -> dict[str, float]:
        """Let it work: metric → seconds per video. Raises MeasurementError if it measured nothing."""
        facts = self.conversation.ask("turn")
        values = reported(facts)
        if values is None:
            raise MeasurementError("a process did not say what its turn took", found=str(facts)[:200])
        self.once |= {metric: values.pop(metric) for metric in PER_PROCESS if metric in values}
        return values


class TakesTurns(Protocol):
    """An arm whose processes take turns. `models`: what is measured in it, each in processes of its own."""

    @property
    def models(self) -> tuple[str, ...]: ...

    def start(self, model: str, folder: Path) -> AbstractContextManager[Process]:
        """A fresh process, which ends with the block; `folder` is made for what it leaves."""


@dataclass(frozen=True, slots=True)
class CommandTurns:
    """A command that takes turns."""

    words: tuple[str, ...]
    place: Place
    timeout_s: float

    @property
    def models(self) -> tuple[str, ...]:
        """The one name that stands for a command."""
        return (COMMAND,)

    @contextmanager
    def start(self, model: str, folder: Path) -> Iterator[Process]:  # noqa: ARG002
        """See `TakesTurns`."""
        with self.conversation(empty(folder)) as conversation:
            while "ready" not in (facts := conversation.answer()):
                pass
            yield Process.of_ready(conversation, facts)

    def conversation(self, folder: Path) -> Conversation:
        """The command, started and told that it may take turns."""
        return Conversation(list(self.words), self.place, folder, self.timeout_s, **{VARIABLE: VERSION})

    def may_start(self, folder: Path) -> bool:
        """Whether it takes turns; one that does not is run to its end. Raises as `Conversation.answer`."""
        with self.conversation(folder) as conversation:
            while (facts := conversation.answer_if_any()) is not None:
                if "ready" in facts:
                    return True
        return False


@dataclass(frozen=True, slots=True)
class NetworkTurns:
    """The networks of an arm, planned once by its `arm_process`."""

    conversation: Conversation
    models: tuple[str, ...]

    @contextmanager
    def start(self, model: str, folder: Path) -> Iterator[Process]:  # noqa: ARG002
        """See `TakesTurns`. What the networks' processes leave goes to `arm_process.LOG`."""
        facts = self.conversation.ask(f"start {model}")
        try:
            yield Process.of_ready(self.conversation, facts)
        finally:
            self.conversation.say("end")


def empty(folder: Path) -> Path:
    """The folder, made anew."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


@contextmanager
def network_turns(place: Place, settings: Path, timeout_s: float) -> Iterator[NetworkTurns]:
    """The networks of `settings`, a file of `bench run`, in an arm whose ActionBench takes turns.

    - `timeout_s`: time limit of an answer: of planning, of starting a network, of a turn.

    Raises MeasurementError if the run cannot be planned there.
    """
    command = [place.python, "-P", "-m", f"{__package__}.arm_process", str(settings.absolute())]
    with Conversation(command, place, settings.parent, timeout_s) as conversation:
        models = conversation.answer().get("models", [])
        yield NetworkTurns(conversation, tuple(map(str, models)))


def takes_turns(place: Place) -> bool:
    """Whether the ActionBench of an arm, which may be an older one, takes turns as this one does."""
    code = f"from {__package__}.protocol import VERSION; print(VERSION)"
    try:
        answer = run_captured(
            [place.python, "-P", "-c", code],
            cwd=place.root,
            env=place.environment(),
            timeout_s=_IMPORT_LIMIT_S,
        )
    except TimeoutError:
        return False
    return answer.status == 0 and answer.last_line == VERSION

"""Child processes: how one is started, watched and ended, with everything that it started itself.

- `Child` answers by lines, as our workers do.
- `run_to_end` runs any command, such as a user's, with its output in files.
- `run_captured` returns how a command ended and what it printed.
- `output_of` runs a command that is not expected to fail, and returns what it printed.
- `pipe_to_parent` and `end_with_parent` are for a `Child` itself; `event_writer` and `event_of` are the two
  ends of what it reports, one JSON object a line.

Each takes a time limit; only a whole `bench run`, which watches its own children, is run without. No other
file imports `subprocess`.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Self, TypeVar

from .atomic import FREE_SPACE, NO_SPACE
from .errors import MeasurementError
from .parsing import parse_json
from .typed_values import Mismatch, typed

T = TypeVar("T")

MAKING_LIMIT_S = 7200.0
"""Seconds for a command that makes something once: demo weights, an int8 network, an environment.

They take minutes; installing torch with CUDA over a slow line takes the longest. A command that hangs ends
with an error instead of holding the lock of what it makes for ever.
"""


class Child:
    """A process that is given bytes and answers by lines; a context manager that ends it.

    It leads a process group of its own: Ctrl-C is for its parent, which ends it and what it started. Its
    standard input is open as long as its parent lives, so it can end itself when that is closed.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path | None = None,
        stderr: int | IO[bytes] = subprocess.DEVNULL,
        foreign: bool = False,
    ) -> None:
        """Start it. Raises OSError if that cannot be done.

        - `command`: program and arguments.
        - `env`: all of its environment variables.
        - `cwd`: its working folder; None: that of this process.
        - `stderr`: an open file for its standard error, or a constant of `subprocess`.
        - `foreign`: a user's command, which may ignore that its standard input is closed: it is killed when
          this process ends, even by kill -9.
        """
        with contextlib.ExitStack() as guarded:
            killer = guarded.enter_context(_GroupKiller()) if foreign else None
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env=env,
                cwd=cwd,
                start_new_session=True,
            )
            if killer is not None:
                killer.watch(self._process)
            self._guard = guarded.pop_all()
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with contextlib.suppress(ValueError):  # closed: nobody listens any more
            for line in self._process.stdout:
                self._lines.put(line)
        self._lines.put(None)

    def send(self, data: bytes) -> None:
        """Write to its standard input without waiting until it reads; answer by answer, never two at once."""
        stdin = self._process.stdin
        assert stdin is not None

        def write() -> None:
            # Broken or closed: it has ended, which `line` reports.
            with contextlib.suppress(BrokenPipeError, ValueError):
                stdin.write(data)
                stdin.flush()

        threading.Thread(target=write, daemon=True).start()

    def line(self, timeout_s: float) -> bytes | None:
        """Its next line of output, with the line feed; None when it has ended.

        Raises TimeoutError if it writes none for `timeout_s` seconds.
        """
        try:
            return self._lines.get(timeout=timeout_s)
        except queue.Empty:
            raise TimeoutError from None

    def wait(self) -> int:
        """Its exit status, negative for a signal, when it has ended."""
        return self._process.wait()

    def kill(self) -> None:
        """Kill it and what it started, from any thread; a `line` that waits then returns None."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """Kill it and what it started, if they still run, and clean up."""
        self.kill()
        self._process.wait()
        self._guard.close()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):
                pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def run_to_end(
    command: Sequence[str],
    *,
    cwd: Path | None,
    env: Mapping[str, str] | None,
    stdin: IO[bytes] | None = None,
    stdout: IO[bytes],
    stderr: IO[bytes],
    timeout_s: float | None,
) -> tuple[int, float]:
    """Run `command` to its end: its exit status, negative for a signal, and its seconds of wall time.

    - `cwd`, `env`: its working folder, and all of its environment variables; None: those of this process.
    - `stdin`: an open file with its input; None: no input.
    - `stdout`, `stderr`: open files for what it prints.
    - `timeout_s`: seconds until it is killed; None for no limit.

    What it started is killed when it has ended, and when this process ends, even by kill -9. Raises OSError
    if it does not start, TimeoutError if it takes too long.
    """
    with _GroupKiller() as killer:
        begin = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL if stdin is None else stdin,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
        killer.watch(process)
        try:
            status = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise TimeoutError from None
        return status, time.perf_counter() - begin


class _GroupKiller:
    """A shell that kills a process group when the block ends, or when this process does, even by kill -9: its
    standard input is closed then.

    It sleeps while it waits, so it takes no time from what is measured.
    """

    def __init__(self) -> None:
        script = 'read group; read end; kill -s KILL -- "-$group"'
        self._watched: subprocess.Popen[bytes] | None = None
        self._shell = subprocess.Popen(
            ["/bin/sh", "-c", script],
            bufsize=0,
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # Out of reach of a signal that is for our whole process group.
            start_new_session=True,
        )

    def watch(self, leader: subprocess.Popen[bytes]) -> None:
        """`leader`: of the process group."""
        self._watched = leader
        self._input.write(f"{leader.pid}\n".encode())

    @property
    def _input(self) -> IO[bytes]:
        assert self._shell.stdin is not None
        return self._shell.stdin

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._input.close()
        self._shell.wait()
        if self._watched is not None:
            self._watched.wait()


def pipe_to_parent() -> IO[bytes]:
    """Called in a `Child` at its begin: the pipe to its parent.

    What libraries print to standard output goes to standard error instead.
    """
    pipe = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return pipe


def event_writer(stream: IO[bytes]) -> Callable[[Any], None]:
    """Function that writes events, which are dataclasses, to `stream`, from any thread."""
    lock = threading.Lock()

    def send(event: Any) -> None:
        line = json.dumps({"event": type(event).__name__, **asdict(event)}, allow_nan=False).encode() + b"\n"
        with lock:
            stream.write(line)
            stream.flush()

    return send


def event_of(line: bytes, kinds: Mapping[str, type[T]]) -> T | None:
    """The event that a `Child` wrote; None for a line that is no event, such as an interpreter's greeting.

    - `kinds`: name of a dataclass → the dataclass.

    Raises ValueError for an event that is none of these, or lacks what they have: the child is of another
    version of ActionBench.
    """
    try:
        values = parse_json(line)
    except ValueError:
        return None
    if not isinstance(values, dict) or "event" not in values:
        return None
    name = values.pop("event")
    if not isinstance(name, str) or name not in kinds:
        raise Mismatch(f"there is no event {name!r}")
    return typed(kinds[name], values)


def end_with_parent() -> None:
    """Called in a `Child` that is given no input: end it as soon as its parent ends, however it ends."""

    def follow() -> None:
        # Not by `sys.stdin`, whose lock this thread would hold when the interpreter ends.
        while os.read(0, 1):
            pass
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


@dataclass(frozen=True, slots=True)
class Completed:
    """A command that has ended.

    - `status`: exit status, negative for a signal.
    - `stdout`, `stderr`: what it printed.
    """

    status: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        """Its standard output; bytes that are not UTF-8 are replaced."""
        return self.stdout.decode(errors="replace")

    @property
    def last_line(self) -> str:
        """The last line of its standard output; "" if it printed nothing."""
        return self.text.strip().rpartition("\n")[2]


def run_captured(
    command: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    timeout_s: float | None,
) -> Completed:
    """Run `command` to its end: how it ended, and what it printed.

    - `stdin`: its input.
    - `cwd`, `env`, `timeout_s`: see `run_to_end`, also for how it is ended, and for the errors.
    """
    # Files, unlike pipes, do not keep us waiting for what it started and left behind.
    with (
        tempfile.TemporaryFile() as given,
        tempfile.TemporaryFile() as output,
        tempfile.TemporaryFile() as errors,
    ):
        given.write(stdin)
        given.seek(0)
        status, _ = run_to_end(
            command, cwd=cwd, env=env, stdin=given, stdout=output, stderr=errors, timeout_s=timeout_s
        )
        output.seek(0)
        errors.seek(0)
        return Completed(status, output.read(), errors.read())


def output_of(
    command: Sequence[str],
    failure: str,
    *,
    where: object,
    remedy: str | None = None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    timeout_s: float = MAKING_LIMIT_S,
) -> str:
    """What `command` prints.

    - `failure`: what the error says if it fails, before its last lines.
    - `where`, `remedy`: see `ActionBenchError`.
    - `cwd`, `env`, `stdin`, `timeout_s`: see `run_captured`.

    Raises MeasurementError if it fails or takes too long, OSError if it does not start. Where it says that a
    disk is full, the error has that line alone, and the remedy is to free some space.
    """
    try:
        ended = run_captured(command, cwd=cwd, env=env, stdin=stdin, timeout_s=timeout_s)
    except TimeoutError:
        raise MeasurementError(
            f"{failure} (it took longer than {timeout_s:g} s)", where=where, remedy=remedy
        ) from None
    if ended.status != 0:
        if (line := line_of_full_disk(ended.stderr)) is not None:
            raise MeasurementError(f"{failure}: {line}", where=where, remedy=FREE_SPACE)
        raise MeasurementError(
            f"{failure} ({how_it_ended(ended.status)}); its last lines:\n{last_lines(ended.stderr)}",
            where=where,
            remedy=remedy,
        )
    return ended.text


def line_of_full_disk(output: bytes) -> str | None:
    """The last line of what a process printed that tells of a full disk; None if none does."""
    lines = (line.strip() for line in reversed(output.decode(errors="replace").splitlines()))
    reasons = [os.strerror(number) for number in NO_SPACE]
    return next((line for line in lines if any(reason in line for reason in reasons)), None)


def how_it_ended(status: int) -> str:
    """An exit status other than 0, negative for a signal, in words."""
    if status == -signal.SIGKILL:
        return "killed (SIGKILL): most likely the machine ran out of memory"
    if status < 0:
        # Real-time signals have no names.
        names = {each.value: each.name for each in signal.Signals}
        return f"crashed ({names.get(-status, f'signal {-status}')})"
    return f"exit status {status}"


def last_lines(output: bytes, most: int = 15) -> str:
    """The last lines of what a process printed, `most` of them; "(none)" if it printed nothing."""
    return "\n".join(output.decode(errors="replace").strip().splitlines()[-most:]) or "(none)"

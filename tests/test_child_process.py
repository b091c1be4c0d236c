"""Child processes are heard, given up in time, and ended with all they started."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from actionbench.child_process import (
    MAKING_LIMIT_S,
    Child,
    Completed,
    how_it_ended,
    last_lines,
    output_of,
    run_captured,
    run_to_end,
)
from actionbench.errors import MeasurementError

ECHO = "import sys\nfor line in sys.stdin: print(line.upper(), end='', flush=True)"
STARTS_ANOTHER = (
    "import subprocess, sys, time\n"
    "other = subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(60)'])\n"
    "print(other.pid, flush=True)\n"
)


def python(code: str) -> list[str]:
    return [sys.executable, "-S", "-c", code]


def child(code: str) -> Child:
    return Child(python(code), env=dict(os.environ))


def gone(pid: int, seconds: float = 10) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False


def test_a_child_answers_line_by_line() -> None:
    with child(ECHO) as process:
        for word in (b"first\n", b"second\n"):
            process.send(word)
            assert process.line(20) == word.upper()


def test_more_than_a_pipe_holds_goes_both_ways() -> None:
    """Neither side waits for the other: what is sent is larger than the pipe, and so is the answer."""
    with child(ECHO) as process:
        process.send(b"x" * 1_000_000 + b"\n")
        assert process.line(20) == b"X" * 1_000_000 + b"\n"


def test_a_child_that_says_nothing_is_given_up() -> None:
    begin = time.monotonic()
    with child("import time; time.sleep(60)") as process, pytest.raises(TimeoutError):
        process.line(0.1)
    assert time.monotonic() - begin < 10


def test_a_child_that_has_ended_says_how() -> None:
    with child("import sys; print('half', end=''); sys.exit(3)") as process:
        process.send(b"nobody reads this" * 100_000)
        assert process.line(20) == b"half"
        assert process.line(20) is None
        assert process.wait() == 3


def test_killing_ends_a_wait_in_another_thread() -> None:
    with child("import time; time.sleep(60)") as process:
        threading.Timer(0.2, process.kill).start()
        assert process.line(30) is None


def test_closing_ends_what_a_child_started() -> None:
    with child(STARTS_ANOTHER + "time.sleep(60)") as process:
        line = process.line(20)
        assert line is not None
    assert gone(int(line))


def run(code: str, folder: Path, timeout_s: float | None = None) -> tuple[int, float, str]:
    output = folder / "out"
    with output.open("wb") as out, (folder / "err").open("wb") as err:
        status, seconds = run_to_end(
            python(code), cwd=folder, env=dict(os.environ), stdout=out, stderr=err, timeout_s=timeout_s
        )
    return status, seconds, output.read_text()


def test_a_command_is_run_to_its_end(tmp_path: Path) -> None:
    status, seconds, output = run(
        "import os, sys, time; time.sleep(0.2); print(os.getcwd()); sys.exit(5)", tmp_path
    )
    assert status == 5
    assert 0.2 <= seconds < 20
    assert output == f"{tmp_path}\n"


@pytest.mark.parametrize(("rest", "timeout_s"), [("", None), ("time.sleep(60)", 1.0)])
def test_what_a_command_started_ends_with_it(tmp_path: Path, rest: str, timeout_s: float | None) -> None:
    if timeout_s is None:
        run(STARTS_ANOTHER + rest, tmp_path)
    else:
        with pytest.raises(TimeoutError):
            run(STARTS_ANOTHER + rest, tmp_path, timeout_s)
    assert gone(int((tmp_path / "out").read_text()))


def test_a_command_that_does_not_start_is_an_error(tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as out, pytest.raises(OSError, match="no-such-program"):
        run_to_end(["./no-such-program"], cwd=tmp_path, env={}, stdout=out, stderr=out, timeout_s=1)


def test_what_a_command_prints_is_captured() -> None:
    code = "import sys; print(input()); print('\\xff', file=sys.stderr); sys.exit(3)"
    env = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    ended = run_captured(python(code), env=env, stdin=b"first\nsecond\n", timeout_s=60)
    assert ended == Completed(3, b"first\n", b"\xff\n")
    assert (ended.text, ended.last_line) == ("first\n", "first")
    assert Completed(0, b"", b"").last_line == ""
    assert Completed(0, b"a\n\xff\n", b"").last_line == "\ufffd"


def test_a_captured_command_has_no_input_unless_it_is_given() -> None:
    code = "import os, sys; print(repr(sys.stdin.read()), os.getcwd())"
    assert run_captured(python(code), timeout_s=60).text == f"'' {Path.cwd()}\n"


@pytest.mark.parametrize(("rest", "timeout_s"), [("", None), ("time.sleep(60)", 1.0)])
def test_what_a_captured_command_started_ends_with_it(
    tmp_path: Path, rest: str, timeout_s: float | None
) -> None:
    """Also where that has the output open, for which a pipe would wait."""
    notes = tmp_path / "pid"
    code = STARTS_ANOTHER + f"open({str(notes)!r}, 'w').write(str(other.pid))\n" + rest
    begin = time.monotonic()
    if timeout_s is None:
        assert run_captured(python(code), timeout_s=None).text == f"{notes.read_text()}\n"
    else:
        with pytest.raises(TimeoutError):
            run_captured(python(code), timeout_s=timeout_s)
    assert time.monotonic() - begin < 30
    assert gone(int(notes.read_text()))


def test_output_that_takes_too_long_is_an_error_with_its_limit() -> None:
    with pytest.raises(MeasurementError, match=r"^here: cannot be made \(it took longer than 0\.5 s\)"):
        output_of(python("import time; time.sleep(60)"), "cannot be made", where="here", timeout_s=0.5)


def test_the_output_of_a_command_or_its_last_lines_in_an_error() -> None:
    env = dict(os.environ)
    assert output_of(python("print(input())"), "failed", where="x", env=env, stdin=b"word\n") == "word\n"
    code = "import sys; print(*range(40), sep='\\n', file=sys.stderr); sys.exit(7)"
    with pytest.raises(MeasurementError) as raised:
        output_of(python(code), "cannot be made", where="here", remedy="Do this.", env=env)
    message = str(raised.value)
    assert message.startswith("here: cannot be made (exit status 7); its last lines:\n25\n")
    assert message.endswith("\n39. Do this.")


def test_a_full_disk_is_told_of_a_command_that_fails_for_it() -> None:
    code = "import sys; print('a', 'OSError: [Errno 28] No space left on device', *range(40), sep='\\n', "
    with pytest.raises(MeasurementError) as raised:
        output_of(
            python(f"{code}file=sys.stderr); sys.exit(7)"),
            "cannot be made",
            where="here",
            remedy="Do this.",
            env=dict(os.environ),
        )
    assert str(raised.value) == (
        "here: cannot be made: OSError: [Errno 28] No space left on device. "
        "Free some space, then give the command again."
    )


def test_no_command_that_makes_something_runs_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[object] = []

    def captured(*_: object, timeout_s: float | None, **__: object) -> Completed:
        given.append(timeout_s)
        raise TimeoutError

    monkeypatch.setattr("actionbench.child_process.run_captured", captured)
    with pytest.raises(MeasurementError, match=r"cannot be made \(it took longer than 7200 s\)"):
        output_of(["make"], "cannot be made", where="here")
    assert given == [MAKING_LIMIT_S]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (3, "exit status 3"),
        (-signal.SIGSEGV, "crashed (SIGSEGV)"),
        (-signal.SIGKILL, "killed (SIGKILL): most likely the machine ran out of memory"),
        (-(signal.SIGRTMIN + 1), f"crashed (signal {signal.SIGRTMIN + 1})"),
    ],
)
def test_an_end_in_words(status: int, words: str) -> None:
    assert how_it_ended(status) == words


def test_last_lines_of_anything() -> None:
    assert last_lines(b"") == "(none)"
    assert last_lines(b"a\nb\n\xff\n", 2) == "b\n�"

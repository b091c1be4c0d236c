"""An interrupt while the command is still being imported."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from actionbench import __main__
from actionbench.bench.cli.app import run_app


@contextmanager
def importing(folder: Path, treatment: signal.Handlers) -> Iterator[subprocess.Popen[str]]:
    """The command, held in the middle of its imports; its signals are treated so from the beginning."""
    (folder / "typer.py").write_text("import time; print('importing', flush=True); time.sleep(60)\n")

    def treat() -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, treatment)

    process = subprocess.Popen(
        [sys.executable, "-m", "actionbench", "models"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=treat,
    )
    with process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "importing\n"
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_ends_at_once_and_without_a_traceback(tmp_path: Path, number: signal.Signals) -> None:
    with importing(tmp_path, signal.SIG_DFL) as process:
        process.send_signal(number)
        _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert stderr == ""


def test_an_interrupt_in_place_of_which_a_library_raises_another_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Such as one of a file that it cannot close any more."""

    def cleans_up(_: object) -> None:
        try:
            raise KeyboardInterrupt
        except BaseException:
            raise ValueError("Can't close the ZIP file") from None

    monkeypatch.setattr("actionbench.reports.analysis.history.read_history", cleans_up)
    assert run_app(["history", "show", str(tmp_path)]) == 130
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_what_nohup_or_a_shell_ignores_stays_ignored(tmp_path: Path, number: signal.Signals) -> None:
    with importing(tmp_path, signal.SIG_IGN) as process:
        process.send_signal(number)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=0.3)


IN_AN_EXEC = """
import sys
from actionbench import __main__
from actionbench.bench.cli import app

def run_app(arguments):
    try:
        exec("import os, signal; os.kill(os.getpid(), signal.SIGTERM)")
    except KeyboardInterrupt:
        print("handled")
        return 130

app.run_app = run_app
__main__.main()
"""


AT_THE_END = """
import os, signal
from actionbench import __main__
from actionbench.bench.cli import app

class Last:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGHUP)

kept = Last()  # until the interpreter takes modules down
app.run_app = lambda arguments: 0
__main__.main()
"""


LEFT_HALF_DONE = """
import os, signal
from actionbench import __main__
from actionbench.bench.cli import app

class HalfDone:
    def __del__(self):
        raise ValueError("cannot be closed")

def run_app(arguments):
    kept = HalfDone()
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    except KeyboardInterrupt:
        return 130

app.run_app = run_app
__main__.main()
"""


@pytest.mark.parametrize(
    ("program", "ends"),
    [
        (IN_AN_EXEC, (130, "handled\n", "")),
        (AT_THE_END, (0, "", "")),
        (LEFT_HALF_DONE, (130, "", "")),
    ],
)
def test_the_exit_code_is_the_commands(tmp_path: Path, program: str, ends: tuple[int, str, str]) -> None:
    """In an `exec`, as when modules with data classes are being imported, and after all has been done."""
    (tmp_path / "interrupted.py").write_text(program)
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    ended = subprocess.run(
        [sys.executable, "-m", "interrupted"],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == ends


class Interrupted:
    """Something whose destructor a signal interrupts."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)


def in_a_destructor() -> None:
    Interrupted()


def in_a_callback() -> None:
    something = threading.Event()
    kept = weakref.ref(something, lambda _: signal.raise_signal(signal.SIGINT))
    del something
    assert kept() is None


@pytest.mark.parametrize("happens", [in_a_destructor, in_a_callback])
def test_an_interrupt_that_python_drops_comes_again(
    monkeypatch: pytest.MonkeyPatch, happens: Callable[[], None]
) -> None:
    """At once, also where the main thread waits."""
    monkeypatch.setattr(sys, "unraisablehook", __main__._not_dropped)
    numbers = signal.SIGINT, signal.SIGTERM
    before = {number: signal.signal(number, __main__._interrupt) for number in numbers}
    begin = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):  # noqa: PT012  it comes in the second statement
            happens()
            time.sleep(30)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert time.monotonic() - begin < 15

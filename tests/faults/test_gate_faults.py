"""What can happen to a gate; after each, the same gate goes on, and its verdict is made of whole pairs."""

from __future__ import annotations

import errno
import json
import os
import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from actionbench.bench.cli.app import run_app
from actionbench.bench.gate import runner
from actionbench.records.gate_directory import GateDirectory, GateWriter

from ..bench.gate.conftest import TURNS, Command, _machine, arm, control, turn_taker
from .gates import PAIRS, WORK, Gates, pairs, repository
from .processes import SIGNALS

__all__ = ["_machine", "arm", "control", "turn_taker"]

pytestmark = pytest.mark.usefixtures("control")


def words(out: Path, base: str, candidate: str) -> list[str]:
    number = str(PAIRS)
    given = ["--base", base, "--candidate", candidate, "--pairs", number, "--max-pairs", number]
    return ["gate", *given, "--pair-seconds", "0.001", "--out", str(out)]


def goes_on(out: Path, kept: int) -> None:
    """Assert that the gate goes on where it was, after `kept` pairs, to a verdict: slower."""
    before = pairs(out)
    assert len(before) == kept
    assert GateDirectory(out).gate.state == "running"
    result = out.parent / "result.json"
    assert run_app(["gate", "--resume", str(out), "--json", str(result)]) == 3
    assert json.loads(result.read_text())["pairs"] == PAIRS
    now = pairs(out)
    assert sorted(now) == list(range(PAIRS))
    assert all(now[number] == records for number, records in before.items())
    assert list(out.rglob("*.tmp")) == []


def _at_record(monkeypatch: pytest.MonkeyPatch, number: int, happens: Callable[[], object]) -> None:
    """Let something happen before a record is written, counted from 0."""
    left, append = iter([None] * number + [happens]), GateWriter.append

    def wrapped(self: GateWriter, entry: Any) -> None:
        if happens := next(left, None):
            happens()
        append(self, entry)

    monkeypatch.setattr(GateWriter, "append", wrapped)


def _full(_: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("in_turns", [pytest.param(True, marks=pytest.mark.slow), False])
def test_a_full_disk(
    tmp_path: Path,
    arm: Command,
    turn_taker: Command,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    in_turns: bool,
) -> None:
    """In the middle of a pair where its slots are written one by one."""
    out = tmp_path / "gate"
    both = (turn_taker("b"), turn_taker("c", 1.4)) if in_turns else (arm(), arm(flow_s=1.8))
    with monkeypatch.context() as patch:
        _at_record(patch, 3, lambda: patch.setattr(os, "fsync", _full))
        assert run_app(words(out, *both)) == 2
    said = capsys.readouterr().err
    assert f"{out / 'slots.jsonl'}: cannot be written: No space left on device" in said
    assert f"go on with: bench gate --resume {out}" in said
    (out / "slots.jsonl").write_bytes((out / "slots.jsonl").read_bytes()[:-40])  # what the disk did not take
    goes_on(out, 3 if in_turns else 1)


def test_a_folder_that_may_not_be_written(
    tmp_path: Path, arm: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    """/proc, where root may not write either."""
    assert run_app(words(Path("/proc/gate"), arm(), arm())) == 2
    assert "bench: error: /proc/gate: " in capsys.readouterr().err
    assert not (tmp_path / "gate").exists()


def test_a_second_gate_in_the_same_folder_is_refused(
    tmp_path: Path, arm: Command, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    out, codes = tmp_path / "gate", []
    both = arm(), arm(flow_s=1.8)

    def second() -> None:
        codes.append(run_app(["gate", "--resume", str(out)]))
        codes.append(run_app(words(out, *both)))

    _at_record(monkeypatch, 3, second)
    assert run_app(words(out, *both)) == 3
    assert codes == [2, 2]
    said = capfd.readouterr().err
    assert f"{out}: another gate is writing this directory; found process {os.getpid()} on" in said
    assert f"{out}: already holds a gate" in said
    assert sorted(pairs(out)) == list(range(PAIRS))


@pytest.mark.parametrize("stage", [pytest.param("pairs", marks=pytest.mark.slow), "verdict"])
def test_an_interrupt(tmp_path: Path, arm: Command, monkeypatch: pytest.MonkeyPatch, stage: str) -> None:
    """Between the slots of a pair, and after the last one; a verdict of a part is not written."""

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    out, result = tmp_path / "gate", tmp_path / "result.json"
    with monkeypatch.context() as patch:
        if stage == "pairs":
            _at_record(patch, 5, interrupt)
        else:
            patch.setattr(GateWriter, "finish", interrupt)
        assert run_app([*words(out, arm(), arm(flow_s=1.8)), "--json", str(result)]) == 130
    assert not result.exists()
    goes_on(out, 2 if stage == "pairs" else PAIRS)


KILLED = "import os\nif not os.path.exists({once!r}) and os.path.exists({log!r}) and " + (
    "os.path.getsize({log!r}) > 40:\n    open({once!r}, 'w')\n    os.kill(os.getpid(), 9)\n"
)


def test_a_measured_process_that_the_kernel_kills(
    tmp_path: Path, turn_taker: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    out, base = tmp_path / "gate", turn_taker("b")
    script = tmp_path / "killed.py"
    log = str(tmp_path / "turns.log")
    script.write_text(KILLED.format(once=str(tmp_path / "once"), log=log) + TURNS)
    candidate = shlex.join(map(str, [sys.executable, "-S", "-E", script, log, "c", 1.4, 1.0, 1000]))
    assert run_app(words(out, base, f"command:{candidate}")) == 2
    said = capsys.readouterr().err
    assert "killed (SIGKILL): most likely the machine ran out of memory" in said
    assert f"go on with: bench gate --resume {out}" in said
    goes_on(out, 5)


def test_a_clock_that_jumps(tmp_path: Path, arm: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of a gate is measured, waited for or ordered by the time of day."""
    real, jumps = time.time, iter([0.0, 86_400.0, -86_400.0] * 1000)
    monkeypatch.setattr(time, "time", lambda: real() + next(jumps))
    assert run_app([*words(tmp_path / "gate", arm(), arm(flow_s=1.8)), "--max-minutes", "60"]) == 3
    assert sorted(pairs(tmp_path / "gate")) == list(range(PAIRS))


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["gone", "changed"])
def test_a_repository_that_changes_in_the_middle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], fault: str
) -> None:
    """There is no verdict; a repository that comes back is measured on."""
    mine, away, out = repository(tmp_path / "mine", installed=False), tmp_path / "away", tmp_path / "gate"
    work = f"command:{shlex.join([sys.executable, '-S', '-E', '-c', WORK])}"
    (tmp_path / "seconds").write_text("0.5")
    monkeypatch.chdir(tmp_path)
    given = ["--repository", str(mine), "--command", work.removeprefix("command:")]
    happens = (lambda: mine.rename(away)) if fault == "gone" else (lambda: (mine / "work.py").write_text(""))
    with monkeypatch.context() as patch:
        patch.setattr(runner, "environment", dict)
        _at_record(patch, 5, happens)
        code = run_app([*words(out, work, "tree"), *given])
    assert code == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert GateDirectory(out).gate.state == "running"
    if fault == "gone":
        away.rename(mine)
        assert run_app(["gate", "--resume", str(out)]) in (3, 4)
    else:
        assert "the candidate was changed while it was being measured" in said


@pytest.mark.slow
@pytest.mark.parametrize("name", SIGNALS)
def test_a_signal_at_some_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """One of the campaign's, which are many: `make faults`."""
    monkeypatch.setenv("ACTIONBENCH_HOME", str(tmp_path / "home"))
    gates = Gates(tmp_path / "whole", installed=False, turns=True)
    gates(tmp_path / "disturbed", Random(name), SIGNALS[name])

"""Gates whose directory, or check-outs and environments, are on a disk that becomes full: a real one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from actionbench.bench.cli.app import run_app
from actionbench.records.gate_directory import GATE, GateDirectory

from ...bench.gate.conftest import _machine, control
from ..gates import PAIRS, files, pairs, repository, words_of
from .file_system import PAGE, ROOM, leave_room, mount, resize, used
from .messages import error_of

__all__ = ["_machine", "control"]

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("control")]

WAYS = {
    "directory": ("out", True, False, (0.0, 0.03, 0.1, 0.35, 0.7, 0.95)),
    "directory, slot after slot": ("out", False, False, (0.0, 0.03, 0.1, 0.35, 0.7, 0.95)),
    "check-outs and environments": ("home", True, False, (0.0, 0.2, 0.48, 0.5, 0.8, 0.99)),
    "what pip installs": ("home", False, True, (0.985,)),
}
"""What is on the disk: `--out` or ACTIONBENCH_HOME; whether its arms take turns, whether pip installs their
code, which takes a while, and shares of the space that all takes there."""


def verdict(result: Path) -> dict[str, Any]:
    """What must be the same of each gate's result, whose times are made up; the file is removed."""
    facts = json.loads(result.read_text())
    result.unlink()
    kept = ("verdict", "pairs", "pairs_in_turns", "turns")
    return {each: facts[each] for each in kept} | {"moved": facts["moved"]["command"]["stage"]}


@pytest.mark.parametrize("way", WAYS)
def test_a_disk_that_becomes_full(
    way: str,
    disk: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """An error with the file and the remedy, no verdict; with more room the same verdict, of whole pairs."""
    where, turns, installed, shares = WAYS[way]
    mine, result = repository(tmp_path / "mine", installed=installed), tmp_path / "result.json"
    folders = {"out": tmp_path / "gate", "home": tmp_path / "home"} | {where: disk / where}
    out, before = folders["out"], files(mine)
    monkeypatch.setenv("ACTIONBENCH_HOME", str(folders["home"]))
    words = words_of(mine, out, turns, "--json", result)
    assert run_app(words) == 3
    whole, most = verdict(result), used(disk)
    stages = set()
    for share in shares:
        shutil.rmtree(disk / where)
        shutil.rmtree(out, ignore_errors=True)
        leave_room(disk, share, most)
        capfd.readouterr()
        assert run_app(words) == 2, share
        error = error_of(capfd.readouterr().err)
        assert error.startswith(f"bench: error: {disk / where}"), error
        reasons = ("No space left on device", "unable to write file", "Out of diskspace")
        assert any(reason in error for reason in reasons), error
        assert not result.exists()
        assert files(mine) == before
        begun, kept = (out / GATE).exists(), pairs(out)
        assert "ree some space" in error
        assert (f"`bench gate --resume {out}`" in error) == begun, error
        stages.add(len(kept) if begun else error.split("/")[-1].split(":")[0])
        resize(disk, ROOM)
        again = ["gate", "--resume", str(out), "--json", str(result)] if begun else words
        assert run_app(again) == 3, (share, capfd.readouterr().err)
        assert verdict(result) == whole, share
        now = pairs(out)
        assert sorted(now) == list(range(PAIRS))
        assert all(now[number] == records for number, records in kept.items())
        assert GateDirectory(out).gate.state == "done"
        assert list(out.rglob("*.tmp")) == list(folders["home"].rglob("*.tmp")) == []
        assert files(mine) == before
    assert len(stages) >= min(4, len(shares)), stages


def test_a_command_that_does_not_notice_that_its_output_is_cut(
    disk: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Its wall time does not count in place of the time that it has said."""
    arm = """command:sh -c 'echo "{\\"total_s\\": 1.0}" 2> /dev/null || true'"""
    given = ["--base", arm, "--candidate", arm, "--pairs", str(PAIRS), "--max-pairs", str(PAIRS)]
    cut = 0
    for pages in range(4, 12):
        out = disk / f"gate-{pages}"
        resize(disk, str(used(disk) + pages * PAGE))
        capfd.readouterr()
        assert run_app(["gate", *given, "--pair-seconds", "0.001", "--out", str(out)]) == 2
        error = error_of(capfd.readouterr().err)
        assert f"`bench gate --resume {out}`" in error
        cut += "stdout.txt: cannot be written: No space left on device" in error
        resize(disk, ROOM)
        assert run_app(["gate", "--resume", str(out)]) == 0
        for records in pairs(out).values():
            assert all(record["values"]["command"] == {"total": 1.0} for record in records), pages
    assert cut > 0


@pytest.mark.parametrize("where", ["out", "home"])
def test_a_disk_that_may_only_be_read(
    where: str,
    disk: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """It is named."""
    mine = repository(tmp_path / "mine", installed=False)
    folders = {"out": tmp_path / "gate", "home": tmp_path / "home"} | {where: disk / where}
    monkeypatch.setenv("ACTIONBENCH_HOME", str(folders["home"]))
    before, words = files(mine), words_of(mine, folders["out"], True)
    mount("-o", "remount,ro", disk)
    assert run_app(words) == 2
    error = error_of(capfd.readouterr().err)
    assert error.startswith(f"bench: error: {disk / where}"), error
    assert error.endswith("Read-only file system"), error
    assert files(mine) == before

"""What a slot runs when it runs `bench run`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from actionbench.bench.gate import commands
from actionbench.bench.gate.commands import KEPT, UNREAD, BenchRun, run_process, without_unread
from actionbench.bench.gate.targets import Place
from actionbench.errors import MeasurementError
from actionbench.records.gate import Arm
from actionbench.records.metrics import TOTAL

from ...file_sizes import limited
from ..conftest import NETWORKS, write_video

SETTINGS = {"models": [f"{NETWORKS}:tiny"], "weights": {"*": "random"}, "processes": 1, "threads": 1}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(Arm("tree", "here", {}), tmp_path, sys.executable)


@pytest.mark.slow
def test_a_slot_leaves_out_what_nobody_reads(place: Place, tmp_path: Path, tiny_module: object) -> None:
    write_video(tmp_path / "data" / "abseiling" / "one.mp4", tiny_module.colour_of(0))  # type: ignore[attr-defined]
    folder = tmp_path / "slot"
    folder.mkdir()
    sample = {"data": str(tmp_path / "data"), "latency_clips": 1, "latency_seconds": 0}
    values = BenchRun(without_unread(place, SETTINGS | sample), {}, timeout_s=120)(place, folder)
    assert values["tiny"][TOTAL] > 0
    assert not any(json.loads((folder / "config.json").read_text())[name] for name in UNREAD)
    assert {path.name for path in (folder / "run").iterdir()} <= {*KEPT}
    assert "no report (--no-report)" in (folder / "stderr.txt").read_text()


def test_an_arm_that_is_older_than_a_setting_is_not_given_it(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = tmp_path / "old" / "actionbench" / "__main__.py"
    command.parent.mkdir(parents=True)
    command.write_text("print('--models TEXT')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "old"))
    assert without_unread(place, SETTINGS) == SETTINGS
    command.write_text("print('--models TEXT  --report / --no-report')\n")
    assert without_unread(place, SETTINGS) == {**SETTINGS, "report": False}


def test_an_arm_whose_help_does_not_end_is_given_up(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = tmp_path / "old" / "actionbench" / "__main__.py"
    command.parent.mkdir(parents=True)
    command.write_text("import time; time.sleep(60)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "old"))
    monkeypatch.setattr(commands, "_HELP_LIMIT_S", 0.5)
    with pytest.raises(MeasurementError, match=r"tree: `bench run --help` took longer than 0\.5 s"):
        without_unread(place, SETTINGS)


def test_output_of_which_the_disk_refused_a_part_is_an_error(place: Place, tmp_path: Path) -> None:
    """Though the process did not notice."""
    command = ["sh", "-c", "head -c 5000 /dev/zero 2> /dev/null || true"]
    assert len(run_process(command, place, tmp_path, 60)[1]) == 5000
    with limited(4096), pytest.raises(OSError, match="File too large") as caught:
        run_process(command, place, tmp_path, 60)
    assert caught.value.filename == str(tmp_path / "stdout.txt")

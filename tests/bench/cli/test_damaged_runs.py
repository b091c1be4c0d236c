"""Run directories that are damaged or moved away: a clear error, and `--resume` measures what is missing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from actionbench.bench.cli.app import run_app
from actionbench.records.run import ClipRecord
from actionbench.records.run_directory import RunDirectory, RunWriter

pytestmark = pytest.mark.usefixtures("forked_workers")

TINY = Path(__file__).parents[1] / "networks" / "tiny.py"
ScoreVector = npt.NDArray[np.float32]
Videos = Callable[[list[int], int], Path]


@pytest.fixture(scope="module")
def words(coloured_videos: Videos, weights_file: Path) -> list[str]:
    """A run of three clips that times nothing."""
    data = coloured_videos([1, 2, 3], 1)
    return [
        *("run", "--models", f"{TINY}:tiny", "--weights", f"tiny={weights_file}", "--data", str(data)),
        *("--latency-clips", "0", "--no-report"),
    ]


def scores_of(run: Path) -> dict[str, ScoreVector]:
    directory = RunDirectory(run)
    return {record.clip: directory.scores(record) for record in directory.clips()}


def test_scores_that_are_cut_off_are_named_and_measured_again(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert run_app([*words, "--out", str(run)]) == 0
    before = scores_of(run)
    file = run / "scores.bin"
    file.write_bytes(file.read_bytes()[:-1605])
    capsys.readouterr()
    assert run_app(["report", str(run)]) == 2
    message = capsys.readouterr().err
    assert message.startswith(f"bench: error: {file}: is damaged: the scores of ")
    assert f"bench run --resume {run}" in message
    assert run_app(["run", "--resume", str(run)]) == 0
    assert "is truncated: 2 predictions are computed again" in capsys.readouterr().err
    after = scores_of(run)
    assert after.keys() == before.keys()
    assert all((after[key] == before[key]).all() for key in before)


def test_a_run_that_is_moved_away_ends_at_once_and_goes_on_elsewhere(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    append = RunWriter.append_clip

    def append_and_move(writer: RunWriter, record: ClipRecord, scores: ScoreVector | None) -> None:
        append(writer, record, scores)
        run.rename(elsewhere)

    with monkeypatch.context() as patch:
        patch.setattr(RunWriter, "append_clip", append_and_move)
        assert run_app([*words, "--out", str(run)]) == 2
    message = capsys.readouterr().err
    assert f"bench: error: {run}: was moved or removed while it was written" in message
    assert "is lost" in message
    assert len(RunDirectory(elsewhere).clips()) == 1
    assert run_app(["run", "--resume", str(elsewhere)]) == 0
    assert len(scores_of(elsewhere)) == 3


def test_a_report_of_somebody_elses_run_executes_nothing(tmp_path: Path) -> None:
    """Unlike `--resume`, which runs the networks that the directory names."""
    run = tmp_path / "run"
    shutil.copytree(Path(__file__).parents[2] / "records" / "data" / "run", run)
    evil = tmp_path / "evil.py"
    evil.write_text(f"open({str(tmp_path / 'executed')!r}, 'w')")
    for file in run.iterdir():
        file.write_text(file.read_text().replace("net@torch", f"{evil}:make"))
    assert f"{evil}:make" in (run / "run.json").read_text()
    np.full(100, 1 / 3, "<f4").tofile(run / "scores.bin")
    assert run_app(["report", str(run)]) == 0
    assert "evil.py:make" in (run / "report.html").read_text(encoding="utf-8")
    assert not (tmp_path / "executed").exists()

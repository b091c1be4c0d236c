"""What can happen to a run; after each, `--resume` gives the result of a run that nothing has happened to."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from actionbench.bench import runner
from actionbench.bench.cli.app import run_app
from actionbench.records.json_lines import AppendedFile
from actionbench.records.run_directory import RunDirectory, RunWriter

from .runs import Words, answers, assert_whole

pytestmark = pytest.mark.usefixtures("forked_workers")

Answers = dict[str, tuple[object, ...]]


@pytest.fixture(scope="module")
def undisturbed(words: Words, tmp_path_factory: pytest.TempPathFactory, forked_workers: None) -> Answers:  # noqa: ARG001
    """The answers of a run that nothing happens to."""
    out = tmp_path_factory.mktemp("undisturbed") / "run"
    assert run_app(words(out)) == 0
    assert_whole(out)
    return answers(out)


def _resumed(out: Path, undisturbed: Answers) -> None:
    assert run_app(["run", "--resume", str(out)]) == 0
    assert answers(out) == undisturbed
    assert_whole(out)


class Killed(BaseException):
    """In place of kill -9, which no test of this process would survive."""


WRITES = 14
"""Of scores and of records; a run has a few more."""


@pytest.mark.parametrize(
    "number", [pytest.param(n, marks=() if n == 7 else pytest.mark.slow) for n in range(WRITES)]
)
def test_the_end_in_the_middle_of_any_write(
    words: Words, undisturbed: Answers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """A record, or a row of scores, that is on the disk in part is measured again."""
    out = tmp_path / "run"
    left = number

    def torn(self: AppendedFile, data: bytes) -> int:
        nonlocal left
        if left == 0:
            self._file.write(data[: int(np.random.default_rng(number).integers(len(data)))])
            self._file.flush()
            raise Killed
        left -= 1
        return add(self, data)

    add = AppendedFile.add
    with monkeypatch.context() as patch:
        patch.setattr(AppendedFile, "add", torn)
        with pytest.raises(Killed):
            run_app(words(out))
    assert RunDirectory(out).run.state == "running"
    _resumed(out, undisturbed)


STAGES = ("planned", "accuracy_passes", "check_agreement", "scenario_pass", "finish")
IN_SHORT = ("accuracy_passes", "scenario_pass")


@pytest.mark.parametrize(
    "stage", [pytest.param(each, marks=() if each in IN_SHORT else pytest.mark.slow) for each in STAGES]
)
def test_an_interrupt_at_every_stage(
    words: Words, undisturbed: Answers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    """As Ctrl-C, SIGTERM and SIGHUP are inside the process; that they are is tested with the command."""
    out = tmp_path / "run"
    once = iter([KeyboardInterrupt])
    real = getattr(runner, stage)

    def interrupted(*given: object, **named: object) -> object:
        if error := next(once, None):
            raise error
        return real(*given, **named)

    monkeypatch.setattr(runner, stage, interrupted)
    assert run_app(words(out)) == 130
    if stage == "planned":
        assert not out.exists()
        assert run_app(words(out)) == 0
        assert answers(out) == undisturbed
    else:
        _resumed(out, undisturbed)


def test_a_full_disk(words: Words, videos: Path, tmp_path: Path) -> None:
    """The limit of a file's size refuses a write as a full disk does, in the middle of the scores."""
    header, *rows = (videos / "clips.csv").read_text().splitlines()
    thrice = [row.replace(",", f",{n}-", 1) for n in range(3) for row in rows]
    (videos / "thrice.csv").write_text("\n".join([header, *thrice]) + "\n")
    out, whole = tmp_path / "run", tmp_path / "whole"

    def given(folder: Path) -> list[str]:
        return [each.replace("clips.csv", "thrice.csv") for each in words(folder)]

    assert run_app(given(whole)) == 0
    limit = (whole / "run.json").stat().st_size + 1000
    assert limit < (whole / "scores.bin").stat().st_size
    ended = subprocess.run(
        [sys.executable, "-m", "actionbench", *given(out)],
        capture_output=True,
        text=True,
        timeout=300,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert ended.returncode == 2, ended.stderr
    assert f"{out / 'scores.bin'}: cannot be written: File too large" in ended.stderr
    assert f"free some space, then `bench run --resume {out}`" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert 0 < len(RunDirectory(out).clips()) < 18
    _resumed(out, answers(whole))


def _after_the_first_clip(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    real = RunWriter.append_clip
    left = iter([happens])

    def append_clip(writer: RunWriter, *given: object) -> None:
        real(writer, *given)  # type: ignore[arg-type]
        if happens := next(left, None):
            happens()

    monkeypatch.setattr(RunWriter, "append_clip", append_clip)


@pytest.mark.parametrize("fault", ["gone", pytest.param("cut off", marks=pytest.mark.slow), "replaced"])
def test_a_clip_that_changes_in_the_middle(
    words: Words,
    undisturbed: Answers,
    videos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: str,
) -> None:
    """It alone has no answer, and its error says so: a replaced one is not the one of the manifest."""
    copy = tmp_path / "videos"
    shutil.copytree(videos, copy)
    changed = sorted(copy.rglob("*.mp4"))[-1]

    def happens() -> None:
        if fault == "gone":
            changed.unlink()
        elif fault == "replaced":
            shutil.copy(sorted(copy.rglob("*.mp4"))[0], changed)
        else:
            os.truncate(changed, changed.stat().st_size // 2)

    out = tmp_path / "run"
    _after_the_first_clip(monkeypatch, happens)
    given = [str(copy / "clips.csv") if each == str(videos / "clips.csv") else each for each in words(out)]
    assert run_app(given) == 0
    (failed,) = [each for each in RunDirectory(out).clips() if each.error is not None]
    assert changed.name in failed.clip
    expected = {"gone": "No such file", "replaced": "not the one in the manifest"}.get(fault, "")
    assert expected in str(failed.error)
    found = answers(out)
    assert {clip: found[clip] for clip in undisturbed if clip != failed.clip} == {
        clip: answer for clip, answer in undisturbed.items() if clip != failed.clip
    }


def test_a_second_run_of_the_same_directory_is_refused(
    words: Words,
    undisturbed: Answers,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "run"
    codes: list[int] = []
    _after_the_first_clip(monkeypatch, lambda: codes.append(run_app(["run", "--resume", str(out)])))
    assert run_app(words(out)) == 0
    assert codes == [2]
    assert (
        f"{out}: another run is writing this directory; found process {os.getpid()} on"
        in capfd.readouterr().err
    )
    assert answers(out) == undisturbed


@pytest.mark.parametrize("once", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_network_that_the_kernel_kills(
    words: Words, undisturbed: Answers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, once: bool
) -> None:
    """The clip is tried once more, alone; where that is killed too, it alone is lost, with the reason."""
    if once:
        monkeypatch.setenv("FAULTS_ONCE", str(tmp_path / "killed"))
    out = tmp_path / "run"
    assert run_app(words(out, "hungry")) == 0
    found = answers(out)
    failed = {each.clip: str(each.error) for each in RunDirectory(out).clips() if each.error is not None}
    assert len(failed) == (0 if once else 1)
    assert all("most likely the machine ran out of memory" in error for error in failed.values())
    assert {clip: found[clip] for clip in found if clip not in failed} == {
        clip: answer for clip, answer in undisturbed.items() if clip not in failed
    }


def test_a_clock_that_jumps(
    words: Words, undisturbed: Answers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of a run is measured, waited for or ordered by the time of day."""
    real, jumps = time.time, iter([0.0, 86_400.0, -86_400.0] * 1000)
    monkeypatch.setattr(time, "time", lambda: real() + next(jumps))
    out = tmp_path / "run"
    assert run_app(words(out)) == 0
    assert answers(out) == undisturbed
    assert all(0 < sample.total_s < 60 for sample in RunDirectory(out).latencies())

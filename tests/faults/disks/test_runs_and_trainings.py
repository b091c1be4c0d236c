"""Runs, trainings and experiments on a disk that becomes full, or that may only be read: real ones."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from actionbench.bench.cli.app import run_app

from .. import runs
from ..runs import Words
from ..subjects import NOTHING, SUBJECTS
from .file_system import ROOM, leave_room, mount, read_only, resize, used

pytestmark = pytest.mark.slow


SHARES = (0.0, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9)
"""Of the space that the whole result takes; a training takes more than that in the middle."""


@pytest.mark.usefixtures("forked_workers", "no_pictures")
@pytest.mark.parametrize("name", SUBJECTS)
def test_a_disk_that_becomes_full(
    name: str,
    disk: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """An error with the file and the remedy; with more room it goes on, and nothing else was lost."""
    monkeypatch.setenv("ACTIONBENCH_HOME", str(tmp_path / "home"))
    subject, out = SUBJECTS[name](tmp_path / "data"), disk / "out"
    assert run_app(subject.begin(out)) == 0
    expected, most = subject.answers(out), used(disk)
    stages = set()
    for share in SHARES:
        shutil.rmtree(out)
        shutil.rmtree(tmp_path / "home", ignore_errors=True)
        leave_room(disk, share, most)
        capfd.readouterr()
        assert run_app(subject.begin(out)) == 2, share
        *_, said = capfd.readouterr().err.splitlines()
        assert said.startswith(f"bench: error: {out}"), said
        assert "No space left on device" in said
        assert "ree some space" in said
        stages.add(stage := subject.stage(out))
        resize(disk, ROOM)
        assert run_app(subject.begin(out) if stage == NOTHING else subject.go_on(out)) == 0
        assert subject.answers(out) == expected, share
    assert len(stages) >= 3, stages


@pytest.mark.usefixtures("forked_workers")
@pytest.mark.parametrize("how", ["permissions", "mount"])
@pytest.mark.parametrize("name", ["run", "finetune"])
def test_a_folder_that_may_not_be_written(
    name: str, how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """It is read, where it need not be written; else it is named. A training needs features in the cache."""

    def here(words: list[str]) -> tuple[int, str]:
        capfd.readouterr()
        code = run_app(words)
        return code, capfd.readouterr().err

    data, home, results = (tmp_path / each for each in ("data", "home", "results"))
    monkeypatch.setenv("ACTIONBENCH_HOME", str(home))
    subject = SUBJECTS[name](data)
    error = "Permission denied" if how == "permissions" else "Read-only file system"

    def refused(folder: Path, out: Path) -> None:
        with read_only(folder, how, here) as call:
            code, said = call(subject.begin(out))
        assert code == 2, said
        assert "Traceback" not in said
        assert said.splitlines()[-1].startswith(f"bench: error: {folder}"), said
        assert said.count(error) == 1

    refused(results, results / "out")
    first = tmp_path / "first"
    if name == "finetune":
        refused(home, first)
        assert run_app(subject.go_on(first)) == 0
    with read_only(data, how, here) as call, read_only(home, how, call) as call:
        code, said = call(subject.begin(tmp_path / "second"))
    assert code == 0, said
    assert subject.stage(tmp_path / "second") == "ended"


@pytest.mark.usefixtures("forked_workers")
@pytest.mark.parametrize("name", ["run", "finetune"])
def test_a_result_that_may_not_be_written_any_more(
    name: str, disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """It is not gone on with; what the first has left is read."""
    monkeypatch.setenv("ACTIONBENCH_HOME", str(tmp_path / "home"))
    subject, out = SUBJECTS[name](tmp_path / "data"), disk / "out"
    resize(disk, "20k")
    assert run_app(subject.begin(out)) == 2
    mount("-o", "remount,ro", disk)
    capfd.readouterr()
    assert run_app(subject.go_on(out)) == 2
    *_, said = capfd.readouterr().err.splitlines()
    assert said.startswith(f"bench: error: {out}"), said
    assert "Read-only file system" in said
    mount("-o", f"remount,rw,size={ROOM}", disk)
    assert run_app(subject.go_on(out)) == 0
    assert subject.stage(out) == "ended"


@pytest.mark.usefixtures("forked_workers")
@pytest.mark.parametrize("options", ["size=40k", "ro"])
def test_a_flow_cache_that_cannot_be_written(
    options: str,
    disk: Path,
    words: Words,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The model fails, with the file; what it has predicted before is kept, and with room it goes on."""
    monkeypatch.setenv("ACTIONBENCH_HOME", str(tmp_path / "home"))
    assert run_app(words(tmp_path / "whole", "moving", "--flow", "dis")) == 0
    monkeypatch.setenv("ACTIONBENCH_HOME", str(disk))
    mount("-o", f"remount,{options}", disk)
    out = tmp_path / "out"
    capfd.readouterr()
    assert run_app(words(out, "moving", "--flow", "dis")) == 2
    *_, said = capfd.readouterr().err.splitlines()
    reason = "No space left on device. Free some space" if options != "ro" else "Read-only file system"
    assert said.startswith(f"bench: error: {out}: no result for moving: {disk / 'flow'}"), said
    assert reason in said
    mount("-o", f"remount,rw,size={ROOM}", disk)
    assert run_app(runs.go_on(out)) == 0
    assert runs.answers(out) == runs.answers(tmp_path / "whole")

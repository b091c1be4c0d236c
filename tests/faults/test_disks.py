"""A disk that becomes full, and folders that may not be written: real ones."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from actionbench.bench.cli.app import run_app

from . import runs
from .runs import Words
from .subjects import NOTHING, SUBJECTS

pytestmark = pytest.mark.slow


def mount(*words: str | Path) -> None:
    """Call `mount`. The test is skipped where that is not possible, as for anyone but root."""
    ended = subprocess.run(["mount", *words], capture_output=True, text=True)
    if ended.returncode:
        pytest.skip(f"no file system can be mounted here: {ended.stderr.strip()}")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, in memory, with room enough."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount("-t", "tmpfs", "-o", "size=64m", "tmpfs", folder)
    yield folder
    subprocess.run(["umount", folder], check=True)


def resize(disk: Path, size: str) -> None:
    mount("-o", f"remount,size={size}", disk)


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
    expected, used = subject.answers(out), shutil.disk_usage(disk).used
    stages = set()
    for share in SHARES:
        shutil.rmtree(out)
        shutil.rmtree(tmp_path / "home", ignore_errors=True)
        resize(disk, str(4096 + int(share * used)))
        capfd.readouterr()
        assert run_app(subject.begin(out)) == 2, share
        *_, said = capfd.readouterr().err.splitlines()
        assert said.startswith(f"bench: error: {out}"), said
        assert "No space left on device" in said
        assert "ree some space" in said
        stages.add(stage := subject.stage(out))
        resize(disk, "64m")
        assert run_app(subject.begin(out) if stage == NOTHING else subject.go_on(out)) == 0
        assert subject.answers(out) == expected, share
    assert len(stages) >= 3, stages


Call = Callable[[list[str]], tuple[int, str]]
"""From the words of a command to its exit code and what it says on standard error."""


@contextmanager
def read_only(folder: Path, how: str, call: Call) -> Iterator[Call]:
    """A folder that nobody may write to; what calls commands for which that holds.

    - `call`: calls a command in this process.
    """
    folder.mkdir(exist_ok=True)
    if how == "mount":
        mount("--bind", folder, folder)
        try:
            mount("-o", "remount,bind,ro", folder)
            yield call
        finally:
            subprocess.run(["umount", folder], check=True)
        return
    mode = folder.stat().st_mode
    folder.chmod(0o555)
    try:
        yield call if os.geteuid() else without_privileges
    finally:
        folder.chmod(mode)


def without_privileges(words: list[str]) -> tuple[int, str]:
    """Call a command for which permissions hold, which root's do not heed otherwise."""
    if (setpriv := shutil.which("setpriv")) is None:
        pytest.skip("root may write everywhere, and there is no setpriv, by which it may not")
    command = [setpriv, "--bounding-set=-dac_override,-dac_read_search", sys.executable, "-m", "actionbench"]
    ended = subprocess.run([*command, *words], capture_output=True, text=True, timeout=600)
    return ended.returncode, ended.stderr


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
    mount("-o", "remount,rw,size=64m", disk)
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
    mount("-o", "remount,rw,size=64m", disk)
    assert run_app(runs.go_on(out)) == 0
    assert runs.answers(out) == runs.answers(tmp_path / "whole")

"""Fetches, kept and not, into a disk that becomes full, or that may only be read: real ones."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from actionbench.bench.cli.app import run_app
from actionbench.datasets.archives import writing
from actionbench.datasets.archives.sets.folder import MANIFEST
from actionbench.records.run_directory import RUN

from ...bench.cli.data.conftest import decoding_here
from ..fetches import Drawn, drawn, run_result, tree
from .file_system import PAGE, leave_none, mount, resize, used
from .messages import error_of

__all__ = ["decoding_here"]

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("decoding_here", "forked_workers")]

ASKED = 64 << 20
"""Bytes that a fetch wants to be free beside each video."""

ROOM = str(4 * ASKED)

SHARES = {True: (0.0, 0.3, 0.6), False: (0.0, 0.1, 0.35, 0.5, 0.7, 0.9)}
"""Whether the want of space is noticed before a video is written → shares of the space that all takes."""


@dataclass(frozen=True)
class Way:
    """Whether videos are kept.

    - `begin`: the words of a fetch into a folder. `result`: what must be the same.
    - `resume`: what goes on, in place of the same command, where the folder holds this file; "": none does.
    """

    begin: Callable[[Drawn, Path], list[str]]
    result: Callable[[Path], object]
    resume: str

    def go_on(self, archives: Drawn, out: Path) -> list[str]:
        """The words that go on."""
        begun = self.resume and (out / self.resume).exists()
        return ["run", "--resume", str(out)] if begun else self.begin(archives, out)


WAYS = {"videos": Way(Drawn.kept, tree, ""), "none": Way(Drawn.streamed, run_result, RUN)}
"""By the value of --keep."""


@pytest.fixture
def archives(tmp_path: Path) -> Iterator[Drawn]:
    """A set of three archives, without a limit of the rate."""
    with drawn(tmp_path / "set", "w:gz", rate="1GB") as made:
        yield made


@pytest.mark.parametrize("noticed", [True, False], ids=["noticed before", "while it is written"])
@pytest.mark.parametrize("keep", WAYS)
def test_a_folder_on_a_disk_that_becomes_full(
    keep: str,
    noticed: bool,
    archives: Drawn,
    disk: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """An error with the file and the remedy; with room it goes on, to the result of an undisturbed one."""
    monkeypatch.setenv("ACTIONBENCH_HOME", str(tmp_path / "home"))
    way, out = WAYS[keep], disk / "out"
    resize(disk, ROOM)
    assert run_app(way.begin(archives, out)) == 0
    whole, most = way.result(out), used(disk)
    videos = tree(out)
    if not noticed:
        # As where another program takes the space that a fetch has found free.
        monkeypatch.setattr(writing, "require_space", lambda *_: None)
    stages = set()
    for share in SHARES[noticed]:
        shutil.rmtree(out)
        shutil.rmtree(tmp_path / "home")
        resize(disk, str(noticed * ASKED + PAGE + int(share * most)))
        capfd.readouterr()
        assert run_app(way.begin(archives, out)) == 2, share
        error = error_of(capfd.readouterr().err)
        assert error.startswith(f"bench: error: {out}"), error
        assert "the disk is full" in error or "No space left on device" in error
        assert "ree some space" in error
        go_on = way.go_on(archives, out)
        assert (f"`bench {' '.join(go_on)}`" in error) == ("--resume" in go_on), error
        found = {path for path in out.rglob("[!.]*.mp4") if ".incoming" not in path.parts}
        if keep == "videos":
            assert not (out / MANIFEST).exists()
            assert all(path.read_bytes() == videos[str(path.relative_to(out))] for path in found)
        stages.add((len(found), (out / RUN).exists(), error.split(":")[2]))
        resize(disk, ROOM)
        assert run_app(go_on) == 0, share
        assert way.result(out) == whole, share
    assert len(stages) >= 3 - noticed, stages


@pytest.mark.parametrize("keep", WAYS)
def test_indexes_of_archives_on_a_full_disk(
    keep: str,
    archives: Drawn,
    disk: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """As where the folder is full: they are kept in ACTIONBENCH_HOME."""
    monkeypatch.setenv("ACTIONBENCH_HOME", str(disk / "home"))
    way, out = WAYS[keep], tmp_path / "out"
    assert run_app(way.begin(archives, out)) == 0
    whole = way.result(out)
    shutil.rmtree(out)
    shutil.rmtree(disk / "home")
    leave_none(disk)
    capfd.readouterr()
    assert run_app(way.begin(archives, out)) == 2
    error = error_of(capfd.readouterr().err)
    assert error.startswith(f"bench: error: {disk / 'home'}"), error
    assert "No space left on device" in error
    go_on = way.go_on(archives, out)
    assert (f"`bench {' '.join(go_on)}`" in error) == ("--resume" in go_on), error
    resize(disk, ROOM)
    assert run_app(go_on) == 0
    assert way.result(out) == whole


@pytest.mark.parametrize("keep", WAYS)
def test_temporary_files_on_a_full_disk(
    keep: str,
    archives: Drawn,
    disk: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """None of a video's bytes goes there; what goes there is small, and an error names it."""
    monkeypatch.setenv("ACTIONBENCH_HOME", str(tmp_path / "home"))
    way, out = WAYS[keep], tmp_path / "out"
    assert run_app(way.begin(archives, out)) == 0
    whole = way.result(out)
    shutil.rmtree(out)
    leave_none(disk)
    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(disk))
        patch.setenv("TMPDIR", str(disk))
        capfd.readouterr()
        code = run_app(way.begin(archives, out))
        error = capfd.readouterr().err
    assert code == 2, error
    assert error_of(error).startswith(f"bench: error: {disk}"), error
    assert "Free some space, then give the command again." in error
    assert [path.name for path in disk.iterdir()] == ["other"]
    assert run_app(way.go_on(archives, out)) == 0
    assert way.result(out) == whole


@pytest.mark.parametrize("where", ["out", "home"])
@pytest.mark.parametrize("keep", WAYS)
def test_a_disk_that_may_only_be_read(
    keep: str,
    where: str,
    archives: Drawn,
    disk: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """It is named."""
    folders = {"out": tmp_path / "out", "home": tmp_path / "home"} | {where: disk / where}
    monkeypatch.setenv("ACTIONBENCH_HOME", str(folders["home"]))
    way = WAYS[keep]
    mount("-o", "remount,ro", disk)
    assert run_app(way.begin(archives, folders["out"])) == 2
    error = error_of(capfd.readouterr().err)
    assert error.startswith(f"bench: error: {disk / where}"), error
    assert "Read-only file system" in error
    mount("-o", f"remount,rw,size={ROOM}", disk)
    assert run_app(way.go_on(archives, folders["out"])) == 0

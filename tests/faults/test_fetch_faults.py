"""What can happen to a fetch; the same command goes on, to the result of one that nothing happened to."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from actionbench.bench.cli.app import run_app
from actionbench.datasets.archives import writing
from actionbench.datasets.archives.sets.folder import VideoFolder
from actionbench.downloads.space import disk_full
from actionbench.errors import ArchiveError

from ..bench.cli.data.conftest import decoding_here
from .fetches import Drawn, Kept, Streamed, drawn, tree
from .processes import SIGNALS

__all__ = ["decoding_here"]

pytestmark = pytest.mark.usefixtures("decoding_here")


@pytest.fixture
def archives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Drawn]:
    """A set of three archives, without a limit of the rate; every test has a home of its own."""
    monkeypatch.setenv("ACTIONBENCH_HOME", str(tmp_path / "home"))
    with drawn(tmp_path / "set", "w:gz", rate="1GB") as made:
        yield made


def _at_video(monkeypatch: pytest.MonkeyPatch, number: int, happens: Callable[[], object]) -> None:
    """Let something happen when a video is kept, counted from 0."""
    left, keep = iter([None] * number + [happens]), VideoFolder.keep

    def wrapped(self: VideoFolder, video: object) -> None:
        keep(self, video)  # type: ignore[arg-type]
        if happens := next(left, None):
            happens()

    monkeypatch.setattr(VideoFolder, "keep", wrapped)


def test_a_second_fetch_into_the_same_folder_is_refused(
    archives: Drawn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    out, codes = tmp_path / "videos", []
    _at_video(monkeypatch, 2, lambda: codes.append(run_app(archives.kept(out))))
    assert run_app(archives.kept(out)) == 0
    assert codes == [2]
    said = capfd.readouterr().err
    assert f"{out}: another process fetches into this folder; found process {os.getpid()} on" in said
    whole = tmp_path / "whole"
    assert run_app(archives.kept(whole)) == 0
    assert tree(out) == tree(whole)


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["full disk", "interrupt"])
def test_what_ends_a_fetch_in_the_middle(
    archives: Drawn,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    fault: str,
) -> None:
    out = tmp_path / "videos"

    def happens() -> None:
        if fault == "interrupt":
            raise KeyboardInterrupt

        def full(folder: Path, *_: object) -> None:
            raise disk_full(folder, ArchiveError, "choose another folder")

        patch.setattr(writing, "require_space", full)

    with monkeypatch.context() as patch:
        _at_video(patch, 2, happens)
        assert run_app(archives.kept(out)) == (130 if fault == "interrupt" else 2)
    said = capsys.readouterr().err
    assert (fault == "full disk") == ("Free some space, then give the command again" in said)
    assert 0 < len(list(out.rglob("[!.]*.mp4"))) < 12
    assert run_app(archives.kept(out)) == 0
    whole = tmp_path / "whole"
    assert run_app(archives.kept(whole)) == 0
    assert tree(out) == tree(whole)


@pytest.mark.slow
@pytest.mark.parametrize("name", SIGNALS)
@pytest.mark.parametrize("way", [Kept, Streamed])
def test_a_signal_at_some_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, way: type[Kept | Streamed]
) -> None:
    """One of the campaign's, which are many: `make faults`."""
    monkeypatch.setenv("ACTIONBENCH_HOME", str(tmp_path / "home"))
    with drawn(tmp_path, "w:gz") as made:
        way(made, tmp_path)(tmp_path / "disturbed", Random(name), SIGNALS[name])

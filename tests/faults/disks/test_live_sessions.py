"""Live sessions whose outputs are on a disk that becomes full, or that may only be read: real ones."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

import pytest

from actionbench.bench.cli.app import run_app

from ..sessions import drawn_video, frames, told, videos, words_of
from .file_system import ROOM, leave_none, leave_room, mount, resize, used

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("forked_workers")]

OUTPUTS = {"EventFile": "events.jsonl", "VideoFile": "video.mp4", "ClipFolder": "clips"}
"""Output → its file or folder."""

SHARES = (0.0, 0.15, 0.3, 0.45, 0.6, 0.7)
"""Of the space that all outputs take."""


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drawn_video(tmp_path_factory.mktemp("live") / "colours.mp4")


def begin(video: Path, out: Path, *more: object) -> int:
    out.mkdir(exist_ok=True)
    return run_app(words_of(video, out, "--as-fast-as-possible", *more))


def refused(said: str, disk: Path) -> set[str]:
    """The outputs that a session has said to have failed, each once, with a file and the full disk."""
    found = re.findall(r"^the output (\w+) failed and gets nothing more: (.*)", said, re.MULTILINE)
    for output, why in found:
        assert why.startswith(f"{disk}/"), why
        assert OUTPUTS[output] in why
        assert "No space left on device" in why
    names = [output for output, _ in found]
    assert len(names) == len(set(names)), said
    return set(names)


def lengths(out: Path) -> list[int]:
    """Frames of each video, all of which can be played."""
    return sorted(len(frames(path)) for path in videos(out))


def test_a_disk_that_becomes_full(
    video: Path,
    disk: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """What is said to have failed is in part there, the rest is whole, and a second session is added."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    out = disk / "out"
    assert begin(video, out) == 0
    (whole,), films, most = told(out / "events.jsonl"), lengths(out), used(disk)
    failures = set()
    for share in SHARES:
        shutil.rmtree(out)
        leave_room(disk, share, most)
        capfd.readouterr()
        assert begin(video, out) == 0, share
        said = capfd.readouterr().err
        assert "Traceback" not in said, said
        failed = refused(said, disk)
        failures |= {frozenset(failed)}
        (found,) = told(out / "events.jsonl", whole="EventFile" not in failed)
        assert found == whole[: len(found)]
        assert len(found) == len(whole) or "EventFile" in failed, said
        assert all(length > 0 for length in lengths(out))
        if not failed & {"VideoFile", "ClipFolder"}:
            assert lengths(out) == films, said
        for path in videos(out):
            assert len(frames(path)) == films[0] or str(path) in said, said
        assert list(out.rglob("*.tmp")) == []
        assert list((tmp_path / "temporary").iterdir()) == []
        before = set((out / "clips").iterdir())
        resize(disk, ROOM)
        assert begin(video, out) == 0
        assert told(out / "events.jsonl", whole=False) == [found, whole]
        (again,) = set((out / "clips").iterdir()) - before
        assert frames(again) == frames(out / "video.mp4")
        assert len(frames(again)) == films[0]
    assert frozenset() not in failures
    assert set().union(*failures) == OUTPUTS.keys()
    assert any(failed != OUTPUTS.keys() for failed in failures)


@pytest.mark.parametrize("output", OUTPUTS)
def test_one_output_on_a_full_disk(
    output: str, video: Path, disk: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The others go on. Events, whose first line does not fit, are refused before there is anything else."""
    out = tmp_path / "out"
    assert begin(video, out) == 0
    whole, films = told(out / "events.jsonl"), lengths(out)
    shutil.rmtree(out)
    other = leave_none(disk)
    option = {"EventFile": "--events", "VideoFile": "--video", "ClipFolder": "--clips"}[output]
    capfd.readouterr()
    code = begin(video, out, option, disk / OUTPUTS[output])
    said = capfd.readouterr().err
    assert "Traceback" not in said
    assert list(disk.rglob("*.mp4")) == []
    if output == "EventFile":
        assert code == 2
        assert f"bench: error: {disk / 'events.jsonl'}: cannot be written: No space left on device" in said
        assert "free some space" in said
        assert lengths(out) == []
    else:
        assert code == 0
        assert refused(said, disk) == {output}
        assert "It is removed: nothing of it could be played." in said
        assert told(out / "events.jsonl") == whole
        assert lengths(out) == films[1:]
    other.unlink()
    resize(disk, ROOM)
    assert begin(video, out, option, disk / OUTPUTS[output]) == 0
    assert lengths(disk) == ([] if output == "EventFile" else films[1:])


@pytest.mark.parametrize("output", OUTPUTS)
def test_a_disk_that_may_only_be_read(
    output: str, video: Path, disk: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """It is refused before there is anything of a session."""
    out = tmp_path / "out"
    mount("-o", "remount,ro", disk)
    option = {"EventFile": "--events", "VideoFile": "--video", "ClipFolder": "--clips"}[output]
    assert begin(video, out, option, disk / OUTPUTS[output]) == 2
    (said,) = capfd.readouterr().err.splitlines()
    assert said.startswith(f"bench: error: {option} {disk / OUTPUTS[output]}: c"), said
    assert said.endswith(": Read-only file system"), said
    assert [path for path in out.rglob("*") if path.is_file()] == []

"""What can happen to a live session; the events up to then are whole, and videos can be played."""

from __future__ import annotations

import os
import resource
import subprocess
import threading
from pathlib import Path
from random import Random

import psutil
import pytest

from actionbench.bench.cli.app import run_app

from .processes import COMMAND, SIGNALS
from .sessions import CAUSE, WORKER, Sessions, drawn_video, frames, told, videos, words_of

pytestmark = pytest.mark.usefixtures("forked_workers")


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drawn_video(tmp_path_factory.mktemp("live") / "colours.mp4")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def at_once(video: Path, out: Path, *more: object) -> int:
    return run_app(words_of(video, out, "--as-fast-as-possible", *more))


def test_a_source_that_is_cut_off_in_the_middle(video: Path, out: Path) -> None:
    """As a file that is still being copied: what there is of it is recognised."""
    cut = out / "cut.mp4"
    cut.write_bytes(video.read_bytes())
    assert at_once(cut, out) == 0
    whole = told(out / "events.jsonl")[0]
    cut.unlink()
    cut.write_bytes(video.read_bytes()[: video.stat().st_size * 2 // 3])
    code = at_once(cut, out)
    sessions = told(out / "events.jsonl")
    assert sessions[0] == whole
    # MP4 has its table at the end: without it nothing can be read, and no session begins.
    assert (code, len(sessions)) == (2, 1) or sessions[1][:1] == whole[:1]


@pytest.mark.slow
def test_a_source_that_vanishes_and_a_second_session(video: Path, out: Path) -> None:
    """An open file is read to its end; what is filmed in the same second has files of its own."""
    gone = out / "gone.mp4"
    gone.write_bytes(video.read_bytes())
    threading.Timer(1.5, gone.unlink).start()
    assert run_app(words_of(gone, out)) == 0
    assert at_once(video, out) == at_once(video, out) == 0
    sessions = told(out / "events.jsonl")
    assert len(sessions) == 3
    assert sessions[1] == sessions[2]
    assert all(frames(path) for path in videos(out))


@pytest.mark.slow
def test_a_full_disk(video: Path, tmp_path: Path, out: Path) -> None:
    """The limit of a file's size refuses a write as a full disk does, in the middle of events and videos."""
    assert at_once(video, out) == 0
    whole = told(out / "events.jsonl")
    limit = (out / "events.jsonl").stat().st_size * 2 // 3
    full = tmp_path / "full"
    full.mkdir()
    ended = subprocess.run(
        [*COMMAND, *words_of(video, full, "--as-fast-as-possible")],
        capture_output=True,
        text=True,
        timeout=300,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert ended.returncode == 0, ended.stderr
    assert "the output EventFile failed and gets nothing more" in ended.stderr
    assert "cannot be written: File too large" in ended.stderr
    assert "Traceback" not in ended.stderr
    (found,) = told(full / "events.jsonl", whole=False)
    assert 0 < len(found) < len(whole[0])
    assert found == whole[0][: len(found)]
    assert at_once(video, full) == 0
    assert told(full / "events.jsonl", whole=False) == [found, *whole]


def test_a_network_that_the_kernel_kills(video: Path, out: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The command says so, and what was seen before is whole."""
    events = out / "events.jsonl"

    def kill() -> None:
        ours = {each.pid for each in psutil.process_iter()}
        while not (events.exists() and events.read_bytes().count(b"\n") > 2):
            if stop.wait(0.01):
                return
        for process in psutil.process_iter():
            if process.pid not in ours and str(events) in _open_files(process):
                process.kill()

    stop = threading.Event()
    killer = threading.Thread(target=kill)
    killer.start()
    try:
        assert run_app(words_of(video, out, "--after", 2)) == 2
    finally:
        stop.set()
        killer.join()
    assert CAUSE in capfd.readouterr().err
    (session,) = told(events, whole=False)
    assert session[0][0] == "start"
    assert at_once(video, out) == 0
    assert told(events, whole=False)[0] == session
    for path in videos(out):
        assert frames(path), path


def _open_files(process: psutil.Process) -> list[str]:
    try:
        return [each.path for each in process.open_files()]
    except psutil.Error:
        return []


@pytest.mark.slow
@pytest.mark.parametrize(("name", "victim"), [*((name, None) for name in SIGNALS), ("KILL", WORKER)])
def test_a_signal_at_some_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, victim: str | None
) -> None:
    """One of the campaign's, which are many: `make faults`."""
    monkeypatch.setenv("ACTIONBENCH_HOME", os.environ.get("ACTIONBENCH_HOME", ""))
    (tmp_path / "whole").mkdir()
    (tmp_path / "disturbed").mkdir()
    Sessions(tmp_path / "whole", victim)(tmp_path / "disturbed", Random(name), SIGNALS[name])

"""A short run, and what of its result must be the same whatever has happened to it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from actionbench.records.run_directory import RUN, SCORES, RunDirectory

NETWORKS = Path(__file__).parent / "networks.py"

Words = Callable[..., list[str]]

STAGES = ("nothing", "begun", "predicting", "timing", "ended")


def words_of(data: Path, out: Path, model: str = "steady", *more: object) -> list[str]:
    """The words of a run that predicts all clips and times one of them."""
    return [
        *("run", "--models", f"{NETWORKS}:{model}", "--weights", f"{model}={NETWORKS}"),
        *("--data", str(data), "--out", str(out), "--threads", "1", "--processes", "1", "--no-report"),
        *("--latency-clips", "1", "--latency-seconds", "0", *map(str, more)),
    ]


def go_on(out: Path) -> list[str]:
    """The words that go on with it."""
    return ["run", "--resume", str(out)]


def stage(out: Path) -> str:
    """How far it has come."""
    if not (out / RUN).is_file():
        return "nothing"
    if (out / "latency.jsonl").is_file():
        return "ended" if b'"done"' in (out / RUN).read_bytes() else "timing"
    clips = out / "clips.jsonl"
    return "predicting" if clips.is_file() and clips.stat().st_size else "begun"


def answers(run: Path) -> dict[str, tuple[object, ...]]:
    """Clip → the answer with the bytes of its scores; None in their place for a clip that failed."""
    directory = RunDirectory(run)
    return {
        each.clip: (each.label, each.top5, None if each.error else directory.scores(each).tobytes())
        for each in directory.clips()
    }


def assert_whole(run: Path) -> None:
    """Assert that a run has ended, has a timed process, and has left no part of a file."""
    directory = RunDirectory(run)
    assert directory.run.state == "done"
    processes = directory.processes()
    assert [each.error for each in processes if each.error is None] == [None], processes
    assert list(run.rglob("*.tmp")) == []
    rows = sum(directory.scores(each).nbytes for each in directory.clips() if each.error is None)
    assert (run / SCORES).stat().st_size == rows, "scores that belong to no record"

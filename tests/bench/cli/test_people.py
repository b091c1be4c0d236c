"""`--people` in commands: what is recorded, what is refused."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from actionbench.preprocessing.preparer import NOBODY
from actionbench.records.run_directory import RunDirectory
from actionbench.reports.analysis.load_runs import merge, read_run
from actionbench.reports.analysis.timing import timing

from ...detector_files import finding
from ..conftest import NETWORKS

pytestmark = pytest.mark.usefixtures("forked_workers")

Bench = Callable[..., subprocess.CompletedProcess[str]]
Videos = Callable[[list[int], int], Path]


@pytest.fixture(scope="module")
def videos(coloured_videos: Videos) -> Path:
    return coloured_videos([10, 20], 1)


@pytest.fixture
def words(videos: Path, weights_file: Path, tmp_path: Path) -> list[object]:
    """A short run of the tiny network."""
    return [
        *("run", "--models", f"{NETWORKS}:tiny", "--data", videos, "--weights", f"tiny={weights_file}"),
        *("--latency-clips", 1, "--latency-seconds", 0, "--threads", 1, "--processes", 1, "--no-report"),
        *("--no-peak", "--out", tmp_path / "run"),
    ]


def test_a_run_records_the_detector_and_the_time_of_finding_people(
    bench: Bench, words: list[object], tmp_path: Path
) -> None:
    detector = finding(tmp_path / "found.onnx", (0, 0, 1, 1))
    done = bench(*words, "--people", f"onnx:{detector}@onnx")
    assert done.returncode == 0, done.stderr
    run = RunDirectory(tmp_path / "run")
    (model,) = run.run.models
    assert model.people is not None
    assert {name: model.people[name] for name in ("detector", "file", "engine")} == {
        "detector": "onnx",
        "file": "found.onnx",
        "engine": "onnx",
    }
    assert model.input == "RGB only, main person by found.onnx"
    assert run.run.config["people"] == f"onnx:{detector}@onnx"
    clips = run.clips()
    assert len(clips) == 2
    for clip in clips:
        assert clip.stages_s["people"] > 0
        assert NOBODY not in clip.notes
        assert clip.top5[0][0] == clip.label
    (measured,) = merge([read_run(tmp_path / "run")]).models
    assert "people" in dict(timing(measured).stages)


def test_a_clip_without_a_person_says_so_in_its_record(
    bench: Bench, words: list[object], tmp_path: Path
) -> None:
    done = bench(*words, "--latency-clips", 0, "--people", "hog")
    assert done.returncode == 0, done.stderr
    run = RunDirectory(tmp_path / "run")
    assert run.run.models[0].people == {"detector": "hog"}
    assert all(NOBODY in clip.notes for clip in run.clips())


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--people", "hogg"), "unknown detector of persons"),
        (("--people", "onnx:nowhere.onnx"), "no such file"),
        (("--people", "hog", "--scenarios", "stream"), "shows whole frames"),
    ],
)
def test_what_cannot_be_done_is_refused_before_the_run(
    more: tuple[str, ...], message: str, bench: Bench, words: list[object], tmp_path: Path
) -> None:
    done = bench(*words, *more)
    assert done.returncode == 2
    assert message in done.stderr
    assert not (tmp_path / "run").exists()

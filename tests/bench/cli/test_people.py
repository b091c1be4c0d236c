"""`--people` in commands: what is recorded, what is refused."""

from __future__ import annotations

import json
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


def test_a_camera_has_a_window_of_each_person(bench: Bench, words: list[object], tmp_path: Path) -> None:
    """Two persons side by side. At 240 frames/s every 24th frame is looked at: they count from frame 48 on,
    and of the strides, which end with frames 3, 7, …, 99, the first 12 have nobody."""
    detector = finding(tmp_path / "two.onnx", (0, 0, 0.4, 1), (0.6, 0, 1, 1))
    words = [each for each in words if each != "--no-report"]
    camera = ("--scenarios", "stream", "--stream-seconds", 0.4, "--stride", 4, "--stream-fps", 240)
    done = bench(*words, *camera, "--find-peak", "--people", f"onnx:{detector}@onnx")
    assert done.returncode == 0, done.stderr
    run = RunDirectory(tmp_path / "run")
    (record,) = run.samples("stream")
    assert (record.persons, record.due) == (12 * (0,) + 13 * (2,), 26)
    assert record.stages_s["people"] > 0
    assert all(max(trial.measured.persons) == 2 for trial in run.stream_trials())
    (model,) = json.loads((tmp_path / "run" / "results.json").read_bytes())["models"]
    stream = model["stream"]
    assert (stream["labels_due"], stream["persons"]["value"], stream["persons_most"]) == (26, 2, 2)
    assert stream["people_s"]["value"] == record.stages_s["people"]
    report = (tmp_path / "run" / "report.md").read_text(encoding="utf-8")
    assert "2 persons in the picture in the median and 2 at most" in report


def test_a_camera_that_shows_nobody_has_no_due_label(
    bench: Bench, words: list[object], tmp_path: Path
) -> None:
    words = [each for each in words if each != "--no-report"]
    done = bench(*words, "--scenarios", "stream", "--stream-seconds", 0.4, "--people", "hog")
    assert done.returncode == 0, done.stderr
    (record,) = RunDirectory(tmp_path / "run").samples("stream")
    assert (record.due, record.age_s) == (0, ())
    report = (tmp_path / "run" / "report.md").read_text(encoding="utf-8")
    assert "nobody was found: no label was due" in report
    assert "keeps up with a camera at" not in report


def test_the_time_of_a_camera_with_persons_is_estimated(bench: Bench, words: list[object]) -> None:
    done = bench(*words, "--scenarios", "stream", "--people", "hog", "--estimate")
    assert done.returncode == 0, done.stderr
    assert "stream" in done.stdout


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--people", "hogg"), "unknown detector of persons"),
        (("--people", "onnx:nowhere.onnx"), "no such file"),
    ],
)
def test_what_cannot_be_done_is_refused_before_the_run(
    more: tuple[str, ...], message: str, bench: Bench, words: list[object], tmp_path: Path
) -> None:
    done = bench(*words, *more)
    assert done.returncode == 2
    assert message in done.stderr
    assert not (tmp_path / "run").exists()

"""`bench weights verify --published`: the accuracy that weights reach, and the published one."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from actionbench.bench.evaluation.published import PublishedCheck, in_words
from actionbench.models.spec import PublishedFigures
from actionbench.records.run_directory import RunDirectory
from actionbench.reports.statistics.intervals import proportion

from ...known import known

Bench = Callable[..., subprocess.CompletedProcess[str]]
Videos = Callable[[list[int], int], Path]

NETWORKS = Path(__file__).parents[1] / "networks" / "tiny.py"


def verify(bench: Bench, name: str, *options: object) -> subprocess.CompletedProcess[str]:
    return bench("weights", "verify", f"{NETWORKS}:{name}", "--published", "--threads", 1, *options)


def test_the_published_accuracy_is_reached_and_the_predictions_are_kept(
    bench: Bench,
    coloured_videos: Videos,
    weights_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ("--data", coloured_videos([3, 4], 10), "--weights", f"*={weights_file}")
    answer = verify(bench, "reached", *options)
    assert answer.returncode == 0, answer.stderr
    lines = answer.stdout.splitlines()
    assert (
        "reached: top-1 100.0 % [83.9–100.0] (Wilson, 95 %; ±8.1 percentage points), 20 videos of 2 of 400 "
        "classes" in lines
    )
    assert "published of tiny: 90.0 top-1 on the Kinetics-400 validation set (a page)" in lines
    assert "views, of both: windows of 4 frames without overlap, last one looped, softmax averaged" in lines
    assert any(line.startswith("only 2 of 400 classes") for line in lines)
    assert lines[-1] == "the interval holds the published accuracy"
    (run,) = (tmp_path / "runs").iterdir()
    assert run.name.startswith("verify-reached-")
    assert len(RunDirectory(run).clips()) == 20
    # The same command predicts nothing again: it only reads the records.
    before = (run / "clips.jsonl").read_bytes()
    assert verify(bench, "reached", *options).stdout == answer.stdout
    assert (run / "clips.jsonl").read_bytes() == before
    assert [each.name for each in (tmp_path / "runs").iterdir()] == [run.name]
    # Another selection of the videos is another run.
    fewer = verify(bench, "reached", *options, "--max-clips", 3)
    assert fewer.returncode == 4, fewer.stderr
    assert "3 videos of " in fewer.stdout
    assert fewer.stdout.splitlines()[-1].startswith("not enough videos to tell: the interval is wider")
    assert len(list((tmp_path / "runs").iterdir())) == 2


def test_a_published_accuracy_that_is_not_reached_has_an_exit_code_of_its_own(
    bench: Bench, coloured_videos: Videos, weights_file: Path, tmp_path: Path
) -> None:
    options = (
        "--data",
        coloured_videos([3, 4], 10),
        "--weights",
        f"*={weights_file}",
        "--out",
        tmp_path / "run",
    )
    answer = verify(bench, "missed", *options)
    assert answer.returncode == 3, answer.stderr
    assert answer.stdout.splitlines()[-1] == (
        "the interval does not hold the published accuracy: it lies above it"
    )
    other = verify(bench, "missed", *options, "--seed", 1)
    assert other.returncode == 2
    assert "was made with other settings: --seed" in other.stderr


@pytest.mark.parametrize(
    ("name", "weights", "says"),
    [
        ("reached", "random", "random weights have no published accuracy"),
        ("reached", "demo", "demo weights have no published accuracy"),
        ("in_words", None, "no top-1 accuracy is published of these weights; found 78.4 mean of top-1"),
        ("two_streams", None, "has several streams"),
    ],
)
def test_weights_that_nothing_is_published_of_are_refused(
    bench: Bench,
    coloured_videos: Videos,
    weights_file: Path,
    tmp_path: Path,
    name: str,
    weights: str | None,
    says: str,
) -> None:
    options = ("--data", coloured_videos([3], 1), "--out", tmp_path / "run")
    answer = verify(bench, name, "--weights", weights or f"*={weights_file}", *options)
    assert answer.returncode == 2
    assert says in answer.stderr
    assert not (tmp_path / "run").exists(), "nothing is begun"


def test_weights_with_other_classes_are_refused(
    bench: Bench, coloured_videos: Videos, tmp_path: Path
) -> None:
    mine = tmp_path / "mine.bin"
    mine.write_bytes(b"mine")
    (tmp_path / "mine.bin.yaml").write_text("labels: [falling, running]")
    answer = verify(bench, "reached", "--weights", f"*={mine}", "--data", coloured_videos([3], 1))
    assert answer.returncode == 2
    assert "other classes than those that an accuracy is published of" in answer.stderr


def test_pixels_that_are_prepared_in_another_way_are_refused(
    bench: Bench, coloured_videos: Videos, tmp_path: Path
) -> None:
    mine = tmp_path / "mine.bin"
    mine.write_bytes(b"mine")
    (tmp_path / "mine.bin.yaml").write_text("every: 2\nmean: [1, 0, 0]\nlabels: kinetics-400")
    options = ("--data", coloured_videos([3], 1), "--out", tmp_path / "run")
    answer = verify(bench, "reached", "--weights", f"*={mine}", *options)
    assert answer.returncode == 2
    assert "prepares pixels in another way than for the published accuracy" in answer.stderr
    assert "expected mean (0.0, 0.0, 0.0), every 1; found mean (1.0, 0.0, 0.0), every 2" in answer.stderr
    assert not (tmp_path / "run").exists(), "nothing is begun"


def test_videos_without_the_weights_labels_are_refused(
    bench: Bench, coloured_videos: Videos, weights_file: Path, tmp_path: Path
) -> None:
    folder = coloured_videos([3, 4], 1)
    video = next(folder.rglob("*.mp4"))
    answer = verify(bench, "reached", "--weights", f"*={weights_file}", "--data", video)
    assert answer.returncode == 2
    assert "has no labelled videos" in answer.stderr
    (tmp_path / "own" / "falling from a ladder").mkdir(parents=True)
    (tmp_path / "own" / "falling from a ladder" / "a.mp4").write_bytes(video.read_bytes())
    answer = verify(bench, "reached", "--weights", f"*={weights_file}", "--data", tmp_path / "own")
    assert answer.returncode == 2
    assert "has labels that are no classes of reached" in answer.stderr
    assert "falling from a ladder" in answer.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--published",), "--published: verifies one network"),
        (("tiny", "resnext", "--published"), "verifies one network; expected MODEL; found tiny, resnext"),
        (("@realtime", "--published"), "verifies one network"),
        (("resnext", "--published"), "--published: needs labelled videos"),
        (("--data", "videos"), "is for --published; found --data"),
    ],
)
def test_options_that_do_not_go_together(bench: Bench, words: tuple[str, ...], says: str) -> None:
    answer = bench("weights", "verify", *words)
    assert answer.returncode == 2
    assert says in answer.stderr


@pytest.mark.parametrize(
    ("hits", "videos", "outcome"),
    [
        (60, 100, "not reached"),
        (70, 100, "reached"),
        (75, 100, "reached"),
        (90, 100, "not reached"),
        (45, 60, "not enough videos to tell"),
        (5, 20, "not enough videos to tell"),
        (1, 1, "not enough videos to tell"),
        (0, 1, "not enough videos to tell"),
    ],
)
def test_the_verdict_is_whether_a_narrow_interval_holds_the_figure(
    hits: int, videos: int, outcome: str
) -> None:
    figures = PublishedFigures(75.0, 92.0, "Kinetics-400 validation set", "a page")
    check = PublishedCheck(
        *("net", "w", "published", figures, "w", "whole video in one pass", known(proportion(hits, videos))),
        *(400, 400, 2, Path("runs/x")),
    )
    assert check.outcome == outcome
    lines = in_words(check)
    assert "not counted: 2 videos that are missing, have no label, or failed" in lines
    assert not any(line.startswith("only") for line in lines)
    assert lines[-1].startswith(
        {
            "reached": "the interval holds",
            "not reached": "the interval does not hold",
            "not enough videos to tell": "not enough videos to tell",
        }[outcome]
    )

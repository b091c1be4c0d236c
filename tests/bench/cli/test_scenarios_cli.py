"""The scenarios, sweeps and the estimate from end to end, with a network that needs no framework."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from actionbench.records.run_directory import RunDirectory
from actionbench.records.scenarios.stream_trials import stream_peaks_of

pytestmark = pytest.mark.usefixtures("no_pictures", "forked_workers")

TINY = Path(__file__).parents[1] / "networks" / "tiny.py"

Bench = Callable[..., subprocess.CompletedProcess[str]]
Videos = Callable[[list[int], int], Path]

QUICK = (
    "--weights",
    "random",
    "--threads",
    2,
    "--processes",
    1,
    "--latency-clips",
    2,
    "--latency-seconds",
    0,
)
BRIEF = ("--throughput-seconds", 0.2, "--stream-seconds", 0.4)


def test_every_scenario_is_measured_reported_and_resumed(
    bench: Bench, coloured_videos: Videos, tmp_path: Path
) -> None:
    data, out = coloured_videos([30, 31], 1), tmp_path / "run"
    answer = bench(
        *("run", "--models", f"{TINY}:tiny", "--data", data, "--out", out, *QUICK, *BRIEF),
        *("--scenarios", "latency,pipelined,throughput,stream", "--stride", 2),
    )
    assert answer.returncode == 0, answer.stderr
    directory = RunDirectory(out)
    for scenario in ("latency", "pipelined", "throughput", "stream"):
        (process,) = directory.processes(scenario)
        assert process.error is None
    (pipelined,) = directory.samples("pipelined")
    assert (pipelined.in_flight, pipelined.videos % 2) == (1, 0), "each video of the sample equally often"
    (busy,) = directory.samples("throughput")
    assert (busy.in_flight, busy.lanes, busy.network_threads) == (3, 2, 1)
    assert busy.wall_s >= 0.2
    assert busy.videos == len(busy.answer_s) > 0
    assert busy.frames == 5 * busy.videos
    (camera,) = directory.samples("stream")
    assert (camera.fps, camera.window, camera.stride, camera.frames) == (25, 4, 2, 14)
    assert len(camera.age_s) <= camera.due == 6
    assert len(camera.waiting_frames) == 14 - camera.dropped
    assert camera.stages_s["resize"] > 0
    report = (out / "report.md").read_text()
    for title in ("## One video, stages overlapping", "## Throughput", "## Camera stream"):
        assert title in report
    (model,) = json.loads((out / "results.json").read_text())["models"]
    assert model["throughput"]["videos"] == busy.videos
    assert model["stream"]["labels_due"] == 6

    (out / "stream.jsonl").write_bytes(b'{"torn')
    resumed = bench("run", "--resume", out)
    assert resumed.returncode == 0, resumed.stderr
    assert len(directory.processes("stream")) == len(directory.processes("throughput")) == 1
    assert directory.samples("throughput") == [busy], "what is there is not measured again"


def test_peaks_are_found_by_trials_of_their_own(
    bench: Bench, coloured_videos: Videos, tmp_path: Path
) -> None:
    data, out = coloured_videos([38], 1), tmp_path / "run"
    answer = bench(
        *("run", "--models", f"{TINY}:tiny", "--data", data, "--out", out, *QUICK, "--find-peak"),
        *("--scenarios", "stream", "--stream-seconds", 0, "--stream-fps", 240, "--stride", 4, "--no-report"),
    )
    assert answer.returncode == 0, answer.stderr
    trials = RunDirectory(out).stream_trials()
    first = trials[0].measured
    assert (trials[0].search, first.fps, first.stride, first.window) == ("stride", 240, 1, 4)
    assert first.due >= 20, "whatever --stream-seconds"
    assert [t.measured.process for t in trials] == list(range(len(trials)))
    assert {t.search for t in trials} == {"stride", "rate"}
    (camera,) = RunDirectory(out).samples("stream")
    assert camera.due == 1, "trials are none of the scenario's measurements"
    assert all(peak.ended for peak in stream_peaks_of(trials))


@pytest.mark.slow
def test_cameras_that_are_served_at_once_are_found_and_told(
    bench: Bench, coloured_videos: Videos, tmp_path: Path
) -> None:
    """A label takes 0.1 s and is due every 0.15 s: two cameras are never served, one is unless the machine is
    too busy."""
    data, out = coloured_videos([43], 1), tmp_path / "run"
    answer = bench(
        *("run", "--models", f"{TINY}:slow", "--data", data, "--out", out, *QUICK, "--streams"),
        *("--scenarios", "stream", "--stream-seconds", 0, "--stream-fps", 40, "--stride", 6),
    )
    assert answer.returncode == 0, answer.stderr
    trials = RunDirectory(out).stream_trials()
    served = trials[0].passed is True
    assert [(t.search, t.measured.cameras, t.passed) for t in trials] == [
        ("cameras", 1, served),
        *[("cameras", 2, False)] * served,
    ]
    first, last = trials[0].measured, trials[-1].measured
    assert (first.fps, first.stride, first.due, last.due) == (40, 6, 21, 21 * last.cameras)
    assert first.stages_s.keys() == {"decode", "resize"}
    report = (out / "report.md").read_text(encoding="utf-8")
    how_many = "1 camera" if served else "no camera"
    assert f"serves {how_many} at 40 frames/s with a label every 6 frames" in report
    assert f"with {last.cameras}, the camera" in report
    (model,) = json.loads((out / "results.json").read_text())["models"]
    (peak,) = model["stream_peaks"]
    assert (peak["search"], peak["ended"], peak["not_kept_up"]["cameras"]) == ("cameras", True, last.cameras)


def test_a_sweep_measures_every_point_and_no_accuracy(
    bench: Bench, coloured_videos: Videos, weights_file: Path, tmp_path: Path
) -> None:
    data, out = coloured_videos([32], 2), tmp_path / "run"
    answer = bench(
        *("run", "--models", f"{TINY}:tiny", "--data", data, "--out", out, *QUICK),
        *("--weights", f"tiny={weights_file}", "--sweep", "batch=1,2", "--sweep", "threads=1,2"),
    )
    assert answer.returncode == 0, answer.stderr
    directory = RunDirectory(out)
    assert [model.sweep for model in directory.run.models] == [
        {"batch": b, "threads": t} for b in (1, 2) for t in (1, 2)
    ]
    assert {p.model for p in directory.processes()} == {m.key for m in directory.run.models}
    assert directory.clips() == []
    report = (out / "report.md").read_text()
    assert "## Sweep" in report
    assert "tiny batch=2 threads=1" in report
    assert "not measured" in report


def test_a_clip_that_cannot_be_used_is_left_out_of_throughput(
    bench: Bench, coloured_videos: Videos, tmp_path: Path
) -> None:
    """The seeded sample is checked beforehand; here the file goes bad between two scenarios' processes."""
    data, out = coloured_videos([33], 2), tmp_path / "run"
    options = (*QUICK, *BRIEF, "--scenarios", "throughput", "--no-report")
    assert bench("run", "--models", f"{TINY}:tiny", "--data", data, "--out", out, *options).returncode == 0
    good, bad = sorted(data.rglob("*.mp4"))
    bad.write_bytes(b"no video")
    (out / "throughput.jsonl").unlink()
    assert bench("run", "--resume", out).returncode == 0
    (record,) = RunDirectory(out).samples("throughput")
    assert record.videos > 0
    good.write_bytes(b"no video")
    (out / "throughput.jsonl").unlink()
    answer = bench("run", "--resume", out)
    assert answer.returncode == 2
    assert "no clip could be timed" in answer.stderr


@pytest.mark.slow
def test_the_estimate_is_near_and_leaves_nothing_behind(
    bench: Bench, coloured_videos: Videos, tmp_path: Path
) -> None:
    data = coloured_videos([34], 2)
    options = (
        *("--models", f"{TINY}:tiny", "--data", data, "--weights", "random", "--processes", 1),
        *("--scenarios", "latency,stream", "--stream-seconds", 2, "--latency-seconds", 1, "--no-report"),
    )
    table = ("--estimate-videos", "4000,240000", "--estimate-on", "cores=16@0.8", "--estimate-on", "gpus=8")
    answer = bench("run", *options, "--estimate", *table, "--out", tmp_path / "none")
    assert answer.returncode == 0, answer.stderr
    assert not (tmp_path / "none").exists()
    told = re.search(r"in all +(\d+):(\d+) min", answer.stdout)
    assert told is not None, answer.stdout
    assert re.search(r"\| tiny +\| +240,000 \| +.+, costs .+ \| not measured here \|", answer.stdout)
    estimated = 60 * int(told[1]) + int(told[2])
    begin = time.monotonic()
    assert bench("run", *options, "--out", tmp_path / "run").returncode == 0
    measured = time.monotonic() - begin
    assert estimated / 2 < measured < 2.5 * estimated + 5  # the command's own start, and a shared machine


@pytest.mark.parametrize(
    ("options", "messages"),
    [
        (["--scenarios", "latency,thruput"], ["unknown scenario 'thruput'"]),
        (["--scenarios", "stream,stream"], ["--scenarios", "named twice"]),
        (["--scenarios", ","], ["--scenarios", "no scenario is named"]),
        (["--scenarios", "stream", "--latency-clips", "0"], ["--latency-clips 0", "at least one clip"]),
        (["--find-peak"], ["--find-peak", "Add --scenarios stream"]),
        (["--streams"], ["--streams", "Add --scenarios stream"]),
        (["--stride", "0"], ["--stride", "at least 1"]),
        (["--stream-fps", "0"], ["--stream-fps", "too small"]),
        (["--throughput-seconds", "nan"], ["--throughput-seconds", "not a finite number"]),
        (["--sweep", "batches=1"], ["unknown axis of a sweep 'batches'", "batch"]),
        (["--sweep", "batch=1,x"], ["--sweep batch=1,x", "whole numbers"]),
        (["--sweep", "batch=0"], ["whole numbers from 1 on"]),
        (["--sweep", "batch=2,2"], ["names a value twice"]),
        (["--sweep", "batch"], ["--sweep", "is not NAME=VALUE"]),
        (["--models", "resnext", "--sweep", "window=16,32"], ["windows of 16 frames", "--sweep window"]),
        (["--models", "i3d-rgb", "--sweep", "window=1"], ["no window as short", "--sweep window"]),
        (["--models", "i3d-rgb", "--sweep", "batch=1,2"], ["one view", "--scenarios throughput"]),
        (["--sweep", "threads=1,10000"], ["--sweep threads=1,10000", "far more than this machine has cores"]),
        (["--data", ""], ["--data: is empty"]),
        (
            ["--videos", "v"],
            ["--videos", "is for a Kinetics CSV or a list of segments only", "source 'folder'"],
        ),
        (["--calibration", "nope"], ["--calibration nope", "no model is quantised to int8"]),
        (["--resume", "no/run", "--estimate"], ["takes no other option", "--estimate"]),
        (["--estimate-videos", "4000"], ["needs --estimate", "--estimate-videos"]),
        (["--estimate", "--estimate-videos", "many"], ["--estimate-videos many", "4000,240000"]),
        (["--estimate", "--estimate-on", "tpus=8"], ["--estimate-on tpus=8", "gpus=N"]),
        (["--estimate", "--estimate-from", "no/run"], ["no/run: not a run directory"]),
    ],
)
def test_mistakes_are_told_before_anything_starts(
    options: list[str],
    messages: list[str],
    coloured_videos: Videos,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    from actionbench.bench.cli.app import run_app

    if "--resume" not in options:
        data = coloured_videos([35], 1)
        base = ["--models", f"{TINY}:tiny", "--data", str(data), "--weights", "random", "--out"]
        options = [*base, str(tmp_path / "run"), *options]
    assert run_app(["run", *options]) == 2
    stderr = capfd.readouterr().err
    for message in messages:
        assert message in stderr
    assert not (tmp_path / "run").exists()


def test_accuracy_and_time_of_several_clips_and_what_the_report_says(
    bench: Bench, coloured_videos: Videos, tmp_path: Path
) -> None:
    weights, data, out = tmp_path / "colours.bin", coloured_videos([40, 41], 1), tmp_path / "run"
    weights.write_bytes(b"colours")
    (tmp_path / "colours.bin.yaml").write_text("window: 2\nclips: 3\nevery: 2\n")
    answer = bench(
        *("run", "--models", f"{TINY}:tiny", "--data", data, "--out", out, *QUICK[2:]),
        *("--weights", f"*={weights}", "--scenarios", "latency,stream", *BRIEF, "--no-peak"),
    )
    assert answer.returncode == 0, answer.stderr
    directory = RunDirectory(out)
    (camera,) = directory.samples("stream")
    assert (camera.fps, camera.window) == (12.5, 2)
    assert "only those frames of a video that the weights were trained on" in " ".join(camera.notes)
    assert [(record.views, record.frames) for record in directory.clips()] == [(3, 3), (3, 3)]
    assert {(record.views, record.frames) for record in directory.latencies()} == {(3, 3)}
    (model,) = directory.run.models
    assert model.views == "3 clips of 2 frames, evenly spaced, every 2nd frame, softmax averaged"
    comparison, *_ = (out / "report.md").read_text(encoding="utf-8").split("## Target class")
    assert f"Accuracy, times and GFLOPs of a video are of the same views: {model.views}." in comparison
    (tmp_path / "colours.bin.yaml").unlink()
    answer = bench(
        "predict", f"{TINY}:tiny", next(data.rglob("*.mp4")), "--weights", f"*={weights}", "--views", 7
    )
    assert answer.returncode == 0, answer.stderr
    assert "5 frames, 7 views" in answer.stdout
    refused = bench("predict", f"{TINY}:tiny", next(data.rglob("*.mp4")), "--views", "video")
    assert refused.returncode == 2
    assert "--views video: is now called `published`" in refused.stderr

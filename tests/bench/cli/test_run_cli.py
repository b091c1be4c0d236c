"""`bench run` from end to end, through the command line, with a network that needs no framework."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from actionbench.models.labels import labels
from actionbench.records.run_directory import RunDirectory

pytestmark = pytest.mark.usefixtures("no_pictures", "forked_workers")

COMMAND = [sys.executable, "-m", "actionbench"]
TINY = Path(__file__).parents[1] / "networks" / "tiny.py"
NAMES = labels("kinetics-400")
JOGGING = NAMES.index("jogging")

Bench = Callable[..., subprocess.CompletedProcess[str]]
Videos = Callable[[list[int], int], Path]


def arguments(model: str, data: Path, out: Path, weights: Path, *more: object) -> list[object]:
    """The words of a short run, which times a video and writes a report only if `more` asks for that."""
    name = model.partition("@")[0]
    return [
        *(
            "run",
            "--models",
            f"{TINY}:{name}",
            "--data",
            data,
            "--out",
            out,
            "--weights",
            f"{name}={weights}",
        ),
        *("--latency-clips", 0, "--latency-seconds", 0, "--threads", 1, "--processes", 1, "--no-report"),
        *more,
    ]


TIMED = ("--latency-clips", 1)
"""For `arguments`: each measured scenario costs a process."""


@pytest.mark.parametrize(
    ("classes", "per_class"), [(40, 2), pytest.param(400, 10, marks=pytest.mark.slow)], ids=["some", "all"]
)
def test_all_classes_of_the_thesis(
    bench: Bench, coloured_videos: Videos, weights_file: Path, tmp_path: Path, classes: int, per_class: int
) -> None:
    data = coloured_videos(list(range(400))[:: 400 // classes], per_class)
    videos = classes * per_class
    subset = tmp_path / "subset.csv"
    drawn = bench("data", "subset", data, subset, "--per-class", per_class, "--min-frames", 1)
    assert drawn.returncode == 0, drawn.stderr
    assert f"{videos} videos of {classes} classes" in drawn.stdout
    out = tmp_path / "run"
    answer = bench(*arguments("tiny", subset, out, weights_file, *TIMED, "--processes", 2, "--report"))
    assert answer.returncode == 0, answer.stderr
    directory = RunDirectory(out)
    records = directory.clips()
    assert len(records) == videos
    assert all(record.error is None and record.scored for record in records)
    assert all(record.top5[0][0] == record.label for record in records)
    scores = directory.scores(records[0])
    assert scores.shape == (400,)
    np.testing.assert_allclose(scores.sum(), 1, atol=1e-5)
    assert len(directory.processes()) == 2
    assert (out / "report.md").is_file()
    assert NAMES[390] in (out / "report.md").read_text()
    (model,) = json.loads((out / "results.json").read_text())["models"]
    assert model["accuracy"]["top1"]["n"] == videos


@pytest.mark.slow  # in short: tests/faults
def test_a_clip_that_kills_the_network_costs_that_clip(
    bench: Bench, coloured_videos: Videos, weights_file: Path, tmp_path: Path
) -> None:
    """Class 1 aborts the process, class 2 hangs it: all others are predicted, and each failure is named."""
    data = coloured_videos([0, 1, 2, JOGGING], 1)
    out = tmp_path / "run"
    answer = bench(*arguments("fragile", data, out, weights_file, *TIMED, "--clip-timeout", 3, "--report"))
    assert answer.returncode == 0, answer.stderr
    records = {record.clip: record for record in RunDirectory(out).clips()}
    assert len(records) == 4
    for record in records.values():
        if record.label in (NAMES[1], NAMES[2]):
            assert record.error is not None
            assert (
                "SIGABRT" if record.label == NAMES[1] else "no progress for 3 s (--clip-timeout)"
            ) in record.error
        else:
            assert record.error is None
            assert record.top5[0][0] == record.label
    report = (out / "report.md").read_text()
    assert "SIGABRT" in report


def test_a_network_without_the_default_target_is_measured_without_one(
    bench: Bench, coloured_videos: Videos, tmp_path: Path
) -> None:
    """No option was given that it could contradict; one that was given is an error."""
    names = ["trotting" if name == "jogging" else name for name in NAMES]
    (tmp_path / "labels.txt").write_text("\n".join(names))
    weights = tmp_path / "mine.bin"
    weights.write_bytes(b"mine")
    (tmp_path / "mine.bin.yaml").write_text("labels: labels.txt")
    options = (
        *("run", "--models", f"{TINY}:tiny", "--weights", f"*={weights}", "--data", coloured_videos([3], 2)),
        *("--latency-clips", 0),
    )
    answer = bench(*options, "--out", tmp_path / "run")
    assert answer.returncode == 0, answer.stderr
    assert "tiny: has no class jogging; --target names the one to report" in answer.stderr
    found = RunDirectory(tmp_path / "run")
    assert [clip.target_score for clip in found.clips()] == [None, None]
    assert "jogging is not a class of this network" in (tmp_path / "run" / "results.json").read_text()
    given = bench(*options, "--target", "jogging", "--out", tmp_path / "given")
    assert given.returncode == 2
    assert "--target (of tiny): unknown class 'jogging'" in given.stderr


def test_networks_that_fail_are_rows_and_the_others_go_on(
    bench: Bench, coloured_videos: Videos, weights_file: Path, tmp_path: Path
) -> None:
    data = coloured_videos([3, JOGGING], 2)
    out = tmp_path / "run"
    names = ("broken", "fragile", "tiny")
    answer = bench(
        *("run", "--models", ",".join(f"{TINY}:{name}" for name in names), "--data", data, "--out", out),
        *(word for name in names for word in ("--weights", f"{name}={weights_file}")),
        *("--latency-clips", 0, "--processes", 1),
    )
    assert answer.returncode == 2
    *failed, last = RunDirectory(out).run.models
    report = (out / "report.md").read_text()
    for model, reason in zip(failed, ("does not load", "out of memory"), strict=True):
        assert model.state == "failed"
        assert model.error is not None
        assert reason in model.error
        assert reason in answer.stderr
        assert reason in report
    assert last.state == "done"
    assert RunDirectory(out).run.state == "incomplete"


def wait_for_records(path: Path, n: int) -> None:
    for _ in range(400):
        if path.exists() and path.read_bytes().count(b"\n") >= n:
            return
        time.sleep(0.05)
    raise AssertionError(f"{path} never had {n} records")


def worker_processes(marker: Path) -> list[int]:
    """Workers whose standard error is written to a log under `marker`."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            if str(marker) in str((process / "fd" / "2").readlink()):
                found.append(int(process.name))
        except (OSError, ValueError):
            continue
    return found


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="looks for processes in /proc")
def test_kill_9_in_the_middle_then_resume_gives_the_same_predictions(
    bench: Bench, coloured_videos: Videos, weights_file: Path, tmp_path: Path
) -> None:
    data = coloured_videos(list(range(100, 116)), 1)
    out, whole = tmp_path / "killed", tmp_path / "whole"
    process = subprocess.Popen(
        [*COMMAND, *map(str, arguments("slow", data, out, weights_file, *TIMED))], stderr=subprocess.DEVNULL
    )
    try:
        wait_for_records(out / "clips.jsonl", 5)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    before = RunDirectory(out).clips()
    assert 5 <= len(before) < 16
    for _ in range(100):
        if not worker_processes(out):
            break
        time.sleep(0.05)
    assert not worker_processes(out), "the worker outlives its parent"
    with (out / "clips.jsonl").open("ab") as file:
        file.write(b'{"model": "torn')
    resumed = bench("run", "--resume", out)
    assert resumed.returncode == 0, resumed.stderr
    uninterrupted = bench(*arguments("tiny", data, whole, weights_file))
    assert uninterrupted.returncode == 0, uninterrupted.stderr
    a, b = RunDirectory(out), RunDirectory(whole)
    of_a = {r.clip: r for r in a.clips()}
    assert a.clips()[: len(before)] == before, "what was done is kept, not done again"
    assert len(of_a) == 16
    for record in b.clips():
        assert of_a[record.clip].top5 == record.top5
        np.testing.assert_array_equal(a.scores(of_a[record.clip]), b.scores(record))
    assert a.run.state == "done"
    again = bench("run", "--resume", out)
    assert again.returncode == 0
    assert len(RunDirectory(out).processes()) == 1, "a finished run measures nothing again"


ALIKE = [pytest.param(each, marks=pytest.mark.slow) for each in (signal.SIGTERM, signal.SIGHUP)]


@pytest.mark.parametrize("number", [signal.SIGINT, *ALIKE])
def test_an_interrupt_keeps_what_is_done_and_says_how_to_go_on(
    bench: Bench, coloured_videos: Videos, weights_file: Path, tmp_path: Path, number: signal.Signals
) -> None:
    data = coloured_videos(list(range(200, 216)), 1)
    out = tmp_path / "run"
    process = subprocess.Popen(
        [*COMMAND, *map(str, arguments("slow", data, out, weights_file))],
        stderr=subprocess.PIPE,
        text=True,
        # The tests themselves may run where Ctrl-C is ignored, as jobs in the background do.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    wait_for_records(out / "clips.jsonl", 3)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert f"bench run --resume {out}" in stderr
    assert "Traceback" not in stderr
    assert RunDirectory(out).run.state == "interrupted"
    assert bench("run", "--resume", out).returncode == 0


def test_resume_refuses_what_has_changed(bench: Bench, coloured_videos: Videos, tmp_path: Path) -> None:
    data = coloured_videos([5, 6], 1)
    weights = tmp_path / "mine.bin"
    weights.write_bytes(b"one")
    out = tmp_path / "run"
    assert bench(*arguments("tiny", data, out, weights)).returncode == 0
    assert "takes no other option" in bench("run", "--resume", out, "--seed", 1).stderr
    record = out / "run.json"
    before = record.read_text()
    run = json.loads(before)
    for name, value in (("cpu", None), ("packages", {})):
        record.write_text(json.dumps(run | {"environment": run["environment"] | {name: value}}))
        answer = bench("run", "--resume", out)
        assert answer.returncode == 2
        assert f"`{name}` has changed since the run began" in answer.stderr
    record.write_text(before)
    weights.write_bytes(b"two")
    answer = bench("run", "--resume", out)
    assert answer.returncode == 2
    assert "the weights of" in answer.stderr
    weights.write_bytes(b"one")
    next(data.rglob("*.mp4")).unlink()
    answer = bench("run", "--resume", out)
    assert answer.returncode == 2
    assert "the clips have changed" in answer.stderr


def test_a_yaml_file_says_the_same_as_options(
    bench: Bench, coloured_videos: Videos, weights_file: Path, tmp_path: Path
) -> None:
    data = coloured_videos([7, 8], 2)
    config = tmp_path / "run.yaml"
    config.write_text(
        f"models: ['{TINY}:tiny']\ndata: {data}\nweights: {{tiny: {weights_file}}}\n"
        "latency_clips: 0\nmax-clips: 3\nreport: false\ntarget: abseiling\n"
    )
    out = tmp_path / "run"
    answer = bench("run", "--config", config, "--out", out, "--target", "archery")
    assert answer.returncode == 0, answer.stderr
    run = RunDirectory(out).run
    assert run.target == "archery"
    assert run.data["clips"] == 3
    assert run.config["max_clips"] == 3
    assert RunDirectory(out).processes() == []


@pytest.mark.parametrize(
    ("options", "messages"),
    [
        (["--models", "i3dd"], ["unknown model 'i3dd'", "Did you mean: i3d"]),
        (["--models", "i3d@pytorch"], ["unknown backend of i3d 'pytorch'", "Did you mean: torch"]),
        (["--models", "resnext", "--target", "joging"], ["unknown class 'joging'", "jogging"]),
        (["--models", "resnext", "--flow", "tlv1"], ["unknown flow method", "opencv"]),
        (["--models", "resnext", "--device", "gpu"], ["--device", "auto, cpu or cuda:N"]),
        (
            ["--models", "resnext", "--weights", "random", "--data", "no/such/folder"],
            ["no/such/folder", "no such folder or file"],
        ),
        (["--models", "resnext", "--weights", "resnext=no.pth"], ["no.pth"]),
        (["--models", "resnext", "--weights", "i3dd=x"], ["--weights", "unknown name 'i3dd'"]),
        (["--models", "resnext", "--weights", "resnext"], ["--weights", "is not NAME=VALUE"]),
        (["--models", "resnext", "--python", "torch=/no/python"], ["/no/python", "cannot run ActionBench"]),
        (["--models", "resnext", "--config", "no.yaml"], ["--config no.yaml", "cannot be read"]),
        (["--models", "resnext", "--threads", "0"], ["--threads", "at least 1"]),
        (["--models", "resnext", "--threads", "two"], ["--threads"]),
        (["--models", "resnext", "--latency-seconds", "nan"], ["--latency-seconds", "not a finite number"]),
        (["--models", "resnext", "--clip-timeout", "inf"], ["--clip-timeout", "not a finite number"]),
        (["--models", ","], ["--models", "no model is named"]),
        (["--modles", "resnext"], ["--modles"]),
        (["--resume", "no/run"], ["no/run", "not a run directory"]),
        (["--models", "no.py:net"], ["no.py", "no such file"]),
    ],
)
def test_what_is_wrong_is_said_before_anything_starts(
    bench: Bench, tmp_path: Path, options: list[str], messages: list[str]
) -> None:
    out = tmp_path / "run"
    more = [] if "--resume" in options else ["--out", str(out)]
    answer = bench("run", *options, *more)
    assert answer.returncode == 2, answer.stderr
    assert "Traceback" not in answer.stderr
    for message in messages:
        assert message in answer.stderr
    assert not out.exists()


def test_other_data_without_weights_is_an_error_that_says_what_to_do(
    bench: Bench, coloured_videos: Videos, tmp_path: Path
) -> None:
    answer = bench("run", "--models", "resnext", "--data", coloured_videos([9], 1), "--out", tmp_path / "run")
    assert answer.returncode == 2
    assert "bench weights fetch hara-resnext-101-16f" in answer.stderr
    assert "--weights random" in answer.stderr


def test_random_weights_measure_time_only(bench: Bench, coloured_videos: Videos, tmp_path: Path) -> None:
    out = tmp_path / "run"
    data = coloured_videos([10, 11], 1)
    answer = bench(
        *("run", "--models", f"{TINY}:tiny", "--data", data, "--weights", "random", "--out", out),
        *("--latency-seconds", 0, "--processes", 1),
    )
    assert answer.returncode == 0, answer.stderr
    assert RunDirectory(out).clips() == []
    assert {record.clip for record in RunDirectory(out).latencies()} == {
        str(path.relative_to(data)) for path in data.rglob("*.mp4")
    }
    assert "random weights: accuracy not measured" in (out / "report.md").read_text().lower()


def test_stages_add_up_to_the_total(
    bench: Bench, coloured_videos: Videos, weights_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    answer = bench(*arguments("tiny", coloured_videos([12], 2), out, weights_file, *TIMED))
    assert answer.returncode == 0, answer.stderr
    samples = RunDirectory(out).latencies()
    assert samples
    for sample in samples:
        assert sum(sample.stages_s.values()) <= sample.total_s
        assert sample.views == 2
        assert sample.frames == 5
        assert sample.video_s == pytest.approx(0.2)


def test_a_run_without_a_report_draws_nothing_and_its_report_can_follow(
    bench: Bench, coloured_videos: Videos, weights_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    words = arguments("tiny", coloured_videos([JOGGING], 1), out, weights_file)
    code = (
        "import sys; from actionbench.bench.cli.app import run_app; code = run_app(sys.argv[1:]); "
        "print(sorted({'matplotlib', 'plotly'} & set(sys.modules))); sys.exit(code)"
    )
    answer = subprocess.run(
        [sys.executable, "-P", "-c", code, *map(str, words)], capture_output=True, text=True, timeout=120
    )
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.splitlines()[-1] == "[]"
    assert "Top-1 accuracy" in answer.stdout
    assert f"bench report {out}" in answer.stderr
    measured = {"run.json", "clips.jsonl", "scores.bin", "latency.jsonl", "lock", "logs", "thumbnails"}
    assert {path.name for path in out.iterdir()} <= measured
    assert RunDirectory(out).run.config["report"] is False
    assert bench("report", out).returncode == 0
    assert (out / "report.html").is_file()


def test_the_report_is_rebuilt_and_runs_are_joined(
    bench: Bench, coloured_videos: Videos, weights_file: Path, tmp_path: Path
) -> None:
    data = coloured_videos([13, JOGGING], 2)
    one, two = tmp_path / "one", tmp_path / "two"
    assert bench(*arguments("tiny", data, one, weights_file, "--report")).returncode == 0
    shutil.copytree(one, two)
    first = (one / "report.md").read_bytes()
    (one / "report.md").unlink()
    assert bench("report", one).returncode == 0
    assert (one / "report.md").read_bytes() == first
    assert "--out" in bench("report", one, two).stderr
    joined = tmp_path / "joined"
    assert bench("report", one, two, "--out", joined).returncode == 0
    text = (joined / "report.md").read_text()
    assert "one" in text
    assert "two" in text
    assert bench("report", tmp_path / "none").returncode == 2


@pytest.mark.parametrize(
    ("network", "reason"),
    [
        ("nan", "not all finite"),
        ("few", "wrong shape"),
        ("raises", "ZeroDivisionError: division by zero"),
        ("leaves_a_child", None),
    ],
)
def test_networks_that_misbehave_do_not_end_the_run(
    bench: Bench,
    coloured_videos: Videos,
    weights_file: Path,
    tmp_path: Path,
    network: str,
    reason: str | None,
) -> None:
    data = coloured_videos([14], 1)
    out = tmp_path / "run"
    begin = time.monotonic()
    answer = bench(*arguments(network, data, out, weights_file, "--clip-timeout", 20))
    assert "this is a bug" not in answer.stderr
    if reason is None:
        assert answer.returncode == 0, answer.stderr
        assert time.monotonic() - begin < 20, "a worker has ended when it says so, whatever it leaves behind"
    else:
        assert answer.returncode == 2
        assert reason in answer.stderr


def test_an_interpreter_that_greets_is_heard_and_ignored(
    bench: Bench, coloured_videos: Videos, weights_file: Path, tmp_path: Path
) -> None:
    noisy = tmp_path / "python"
    noisy.write_text(f"#!/bin/sh\necho welcome\nexec '{sys.executable}' \"$@\"\n")
    noisy.chmod(0o755)
    out = tmp_path / "run"
    data = coloured_videos([15], 1)
    answer = bench(*arguments("tiny", data, out, weights_file, "--python", f"numpy={noisy}"))
    assert answer.returncode == 0, answer.stderr
    silent = tmp_path / "silent"
    silent.write_text("#!/bin/sh\nexit 0\n")
    silent.chmod(0o755)
    answer = bench("run", "--models", "resnext", "--python", f"torch={silent}", "--out", out)
    assert answer.returncode == 2
    assert "cannot run ActionBench" in answer.stderr


def test_a_clip_that_is_not_what_its_manifest_says_is_skipped(
    bench: Bench, coloured_videos: Videos, weights_file: Path, tmp_path: Path
) -> None:
    folder = coloured_videos([16, 17], 1)
    manifest = tmp_path / "list.csv"
    assert bench("data", "subset", folder, manifest, "--per-class", 1, "--min-frames", 1).returncode == 0
    changed, other = sorted(folder.rglob("*.mp4"))
    changed.write_bytes(other.read_bytes())
    out = tmp_path / "run"
    assert bench(*arguments("tiny", manifest, out, weights_file)).returncode == 0
    errors = {record.clip: record.error for record in RunDirectory(out).clips()}
    (error,) = [error for error in errors.values() if error is not None]
    assert "sha256" in error.lower()


def test_one_broken_clip_among_good_ones_is_not_what_latency_is_measured_on(
    bench: Bench, coloured_videos: Videos, tmp_path: Path
) -> None:
    folder = coloured_videos(list(range(20, 26)), 1)
    for video in sorted(folder.rglob("*.mp4"))[:5]:
        video.write_bytes(b"no video")
    out = tmp_path / "run"
    answer = bench(
        *("run", "--models", f"{TINY}:tiny", "--data", folder, "--weights", "random", "--out", out),
        *("--latency-clips", 1, "--latency-seconds", 0, "--processes", 1, "--no-report"),
    )
    assert answer.returncode == 0, answer.stderr
    assert len([sample for sample in RunDirectory(out).latencies() if not sample.attempt]) == 1


def test_a_run_is_resumed_from_any_folder(
    bench: Bench,
    coloured_videos: Videos,
    weights_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = coloured_videos([18], 2)
    relative = [os.path.relpath(path, tmp_path) for path in (TINY, data, weights_file)]
    words = ["run", "--models", f"{relative[0]}:tiny", "--data", relative[1], "--out", "run", "--no-report"]
    words += ["--weights", f"tiny={relative[2]}", "--latency-clips", "0"]
    with monkeypatch.context() as patch:
        patch.chdir(tmp_path)
        answer = bench(*words)
    assert answer.returncode == 0, answer.stderr
    assert RunDirectory(tmp_path / "run").run.models[0].key == "tiny"
    assert bench("run", "--resume", tmp_path / "run").returncode == 0


def test_backends_are_compared_before_they_are_timed(
    bench: Bench, coloured_videos: Videos, weights_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    answer = bench(
        *(
            "run",
            "--models",
            f"{TINY}:two",
            "--backends",
            "all",
            "--data",
            coloured_videos([19], 1),
            "--out",
            out,
        ),
        *("--weights", f"two={weights_file}", "--latency-clips", 1, "--latency-seconds", 0, "--processes", 1),
    )
    assert answer.returncode == 0, answer.stderr
    first, second = RunDirectory(out).run.models
    assert first.agreement is None
    assert second.agreement is None
    assert (first.key, second.key) == ("two@right", "two@wrong")
    assert (second.precision, second.form) == ("fp32", "tuned")
    assert second.drift is not None
    assert second.drift.reference == "two@right"
    assert second.drift.max_abs > 0.009
    assert second.drift.target_score is not None
    assert "Drift of" in (out / "report.md").read_text()
    assert second.drift.verdict == "other"
    mismatch = "two@wrong DOES NOT MATCH two@right"
    assert f"{mismatch}, so its times do not count" in (out / "report.md").read_text()
    assert f"{mismatch}: on synthetic input the logits are 1" in answer.stderr


def test_a_half_precision_is_compared_on_the_clips_of_the_run(
    bench: Bench, coloured_videos: Videos, weights_file: Path, tmp_path: Path
) -> None:
    """A loader of a user's own rounds no weights for a yardstick, so no limit is known."""
    out = tmp_path / "run"
    keys = [f"{TINY}:precise", f"{TINY}:precise@numpy:fp16"]
    answer = bench(
        *("run", "--models", ",".join(keys), "--data", coloured_videos([18, 19], 1), "--out", out),
        *("--weights", f"precise={weights_file}", "--latency-clips", 0, "--no-report"),
    )
    assert answer.returncode == 0, answer.stderr
    _, half = RunDirectory(out).run.models
    assert half.drift is not None
    assert (half.drift.verdict, half.drift.limit) == ("drifts", None)
    assert half.drift.random_weights == "drifts"
    assert "precise@numpy:fp16 drifts from precise: on synthetic input" in answer.stderr
    assert "no limit known; on 2 clips the same top-1 in 2" in answer.stderr


def test_what_the_machine_does_not_compute_is_a_row_and_ends_no_run(
    bench: Bench, coloured_videos: Videos, tmp_path: Path
) -> None:
    """TF32 and float16 are computed by CUDA devices alone."""
    out = tmp_path / "run"
    common: tuple[object, ...] = (
        "--data",
        coloured_videos([19], 1),
        "--weights",
        "random",
        "--device",
        "cpu",
        "--processes",
        1,
    )
    common = (*common, "--latency-clips", 1, "--latency-seconds", 0)
    answer = bench("run", "--models", f"resnext@torch:fp16,{TINY}:tiny", *common, "--out", out)
    assert answer.returncode == 2
    reason = "resnext@torch:fp16: this machine cannot run it: float16 gains nothing on a CPU"
    assert reason in answer.stderr
    assert f"bench: error: {out}: no result for {reason}" in answer.stderr
    good, bad = RunDirectory(out).run.models
    assert (good.key, good.state) == ("tiny", "done")
    assert bad.state == "failed"
    assert bad.error is not None
    assert bad.error.startswith("this machine cannot run it: float16")
    assert "resnext@torch:fp16" in (out / "report.md").read_text()
    assert bench("run", "--resume", out).returncode == 2
    record = out / "run.json"
    run = json.loads(record.read_text(encoding="utf-8"))
    run["models"][0]["device"] = "cuda:0"
    record.write_text(json.dumps(run), encoding="utf-8")
    elsewhere = bench("run", "--resume", out)
    assert elsewhere.returncode == 2
    assert "the models or their devices have changed" in elsewhere.stderr
    alone = bench("run", "--models", "resnext@torch:fp16", *common, "--out", tmp_path / "none")
    assert alone.returncode == 2
    assert "bench models" in alone.stderr
    assert not (tmp_path / "none").exists()


def test_a_backend_that_cannot_be_compared_does_not_end_the_run(
    bench: Bench, coloured_videos: Videos, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    answer = bench(
        *("run", "--models", f"{TINY}:half", "--backends", "all", "--data", coloured_videos([19], 1)),
        *(
            "--weights",
            "random",
            "--latency-clips",
            1,
            "--latency-seconds",
            0,
            "--processes",
            1,
            "--no-report",
            "--out",
            out,
        ),
    )
    assert answer.returncode != 0
    good, bad = RunDirectory(out).run.models
    assert (good.state, bad.state) == ("done", "failed")
    assert bad.agreement is not None
    assert bad.agreement.startswith("was not compared with half@right")
    assert "this network does not load" in bad.agreement


def test_output_into_a_closed_pipe_is_no_bug() -> None:
    process = subprocess.Popen(
        [*COMMAND, "models"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.close()
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 2
    assert stderr == ""

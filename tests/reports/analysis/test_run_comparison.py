"""Two stored runs: the verdict, what takes it away, and what is said beside it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from actionbench.bench.cli.app import run_app
from actionbench.bench.cli.options import share
from actionbench.errors import MeasurementError, UsageError
from actionbench.reports.analysis.load_runs import RunData
from actionbench.reports.analysis.run_comparison import DRIFT, compare_runs
from actionbench.reports.tables.run_comparison import changes_table, document

Maker = Callable[..., RunData]


@pytest.fixture
def run(fake: SimpleNamespace) -> Maker:
    """Function that makes a run of one RGB network, its forward stage 1 s × `slower` with 2 % noise."""

    def make(
        slower: float = 1.0, processes: int = 8, hits: int = 7, name: str = "run", **changes: Any
    ) -> RunData:
        noise = np.random.default_rng(round(1000 * slower) + processes).normal(0, 0.02, processes)
        forward_s = [float(slower * math.exp(x)) for x in noise]
        of_model = {key: changes.pop(key) for key in ("cpu_ratio", "kind", "key") if key in changes}
        model = fake.model(
            of_model.pop("key", "resnext"),
            fake.answers(hits, 10),
            forward_s=forward_s,
            flow_s=None,
            **of_model,
        )
        run: RunData = fake.run([model], name, **changes)
        return run

    return make


@pytest.mark.parametrize(
    ("slower", "verdict"), [(1.0, "fine"), (1.5, "regression"), (0.5, "improvement"), (1.077, "inconclusive")]
)
def test_the_verdict_is_about_the_total_time_of_the_second_run(
    run: Maker, slower: float, verdict: str
) -> None:
    comparison = compare_runs(run(), run(slower))
    assert comparison.verdict == verdict
    assert "resnext" in comparison.reason
    forward = next(c for c in comparison.changes if c.metric == "forward")
    assert forward.ratio.value == pytest.approx(slower, rel=0.05)
    assert forward.ratio.interval is not None
    assert forward.ratio.interval.low < slower < forward.ratio.interval.high
    assert (forward.processes, forward.unit) == ((8, 8), "s")


def test_every_metric_that_was_measured_is_shown(run: Maker) -> None:
    metrics = [change.metric for change in compare_runs(run(), run()).changes]
    # The upload takes 0 s, of which there is no ratio; there is no device.
    assert metrics == ["total", "decode", "resize", "forward", "download", "load", "first", "peak_memory"]


@pytest.mark.parametrize("processes", [1, 3, 5])
def test_below_six_processes_there_is_no_verdict(run: Maker, processes: int) -> None:
    comparison = compare_runs(run(), run(2.0, processes))
    assert comparison.verdict == "inconclusive"
    assert f"{processes} processes" in comparison.reason
    total = comparison.changes[0]
    assert total.ratio.value > 1.3


def test_six_processes_are_enough(run: Maker) -> None:
    assert compare_runs(run(processes=6), run(1.5, processes=6)).verdict == "regression"
    assert compare_runs(run(processes=7), run(1.5, processes=6)).verdict == "regression"


def test_other_machines_are_refused_or_shown_without_a_verdict(run: Maker) -> None:
    there = {"cpu": "Another CPU", "cores": 64, "gpus": []}
    with pytest.raises(MeasurementError, match=r"cpu: Some CPU, Another CPU; cores: 2, 64.*--force"):
        compare_runs(run(), run(1.5, environment=there))
    comparison = compare_runs(run(), run(1.5, environment=there), force=True)
    assert comparison.verdict is None
    assert "cores: 2, 64" in comparison.reason
    assert comparison.changes


def test_what_differs_besides_the_machine_is_named(run: Maker) -> None:
    first, second = run(), run(config={"threads": 1, "flow": "tvl1", "out": "elsewhere"})
    first = replace(first, run=replace(first.run, config={"threads": 2, "flow": "tvl1", "out": "here"}))
    model = replace(
        second.run.models[0],
        flow="dis",
        weights={"rgb": {"kind": "user", "name": "others", "path": None, "sha256": "1"}},
    )
    environment = {**second.run.environment, "packages": {"torch": "2.1"}}
    data = {**second.run.data, "digest": "xyz"}
    second = replace(second, run=replace(second.run, models=(model,), environment=environment, data=data))
    settings = compare_runs(first, second).settings
    assert settings == (
        "threads: 2, 1",
        "videos: toy, toy (another list)",
        "resnext flow: None, dis",
        "resnext rgb weights: user weights None, user others 1",
        "torch: 2.0, 2.1",
    )
    notes = changes_table(compare_runs(first, second)).notes
    assert "Differs: threads: 2, 1" in notes
    assert DRIFT in notes


def test_runs_without_a_model_in_common_are_refused(run: Maker) -> None:
    with pytest.raises(UsageError, match=r"no model in common.*resnext and i3d"):
        compare_runs(run(), run(key="i3d"))


def test_a_model_that_failed_or_was_not_timed_is_an_error(run: Maker) -> None:
    good = run()
    failed = replace(good.run.models[0], state="failed", error="out of memory")
    with pytest.raises(MeasurementError, match="out of memory"):
        compare_runs(good, replace(good, run=replace(good.run, models=(failed,))))
    with pytest.raises(MeasurementError, match="was not timed"):
        compare_runs(replace(good, latencies=()), good)


def test_only_clips_that_both_timed_are_compared(run: Maker) -> None:
    """The second run timed a clip more, which is long."""
    first, second = run(), run()
    extra = tuple(replace(s, clip="long.mp4", total_s=100.0, repetition=9) for s in second.latencies[:]) * 3
    comparison = compare_runs(first, replace(second, latencies=second.latencies + extra))
    assert comparison.verdict == "fine"
    assert any("only one run timed are left out (1)" in note for note in comparison.notes)
    elsewhere = tuple(replace(s, clip="long.mp4") for s in second.latencies)
    with pytest.raises(MeasurementError, match="different clips"):
        compare_runs(first, replace(second, latencies=elsewhere))


def test_a_run_that_did_not_end_is_named(run: Maker) -> None:
    notes = compare_runs(run(name="before"), run(name="after", state="interrupted")).notes
    assert "after: the run is not complete." in notes
    assert not any(note.startswith("before") for note in notes)


def test_a_disturbed_run_gets_no_verdict(run: Maker) -> None:
    first, second = run(name="before"), run(1.5, name="after")
    waited = tuple(replace(s, waited_s=0.5 * s.total_s) for s in second.latencies)
    comparison = compare_runs(first, replace(second, latencies=waited))
    assert comparison.verdict == "inconclusive"
    assert "resnext in after" in comparison.reason


def test_several_models_share_the_level(fake: SimpleNamespace) -> None:
    """6 of 6 processes beyond the threshold decide for one model; with a level shared by 30 they do not."""

    def run(slower: float, models: int) -> RunData:
        times = [slower + i / 1000 for i in range(6)]
        made = [
            fake.model(str(i), {"a/b.mp4": ("yoga", "yoga")}, forward_s=times, flow_s=None)
            for i in range(models)
        ]
        run: RunData = fake.run(made)
        return run

    assert compare_runs(run(1, 1), run(1.5, 1)).verdict == "regression"
    assert compare_runs(run(1, 30), run(1.5, 30)).verdict == "inconclusive"


def test_accuracy_is_compared_on_the_same_videos(run: Maker) -> None:
    comparison = compare_runs(run(hits=9), run(hits=1))
    pair = comparison.accuracy["resnext"]
    assert (pair.n, pair.only_first, pair.only_second) == (20, 8, 0)
    assert pair.adjusted_p == pytest.approx(2 / 2**8)
    assert any("8 only in the first" in note for note in changes_table(comparison).notes)
    assert compare_runs(run(kind="random"), run(kind="random")).accuracy == {}


def test_the_document_is_strict_json_with_a_record_a_metric(run: Maker) -> None:
    comparison = compare_runs(run(), run(1.5, processes=1))
    told = json.loads(json.dumps(document(comparison), allow_nan=False))
    assert (told["schema"], told["verdict"]) == (1, "inconclusive")
    total = told["changes"][0]
    assert (total["model"], total["metric"], total["unit"]) == ("resnext", "total", "s")
    assert (total["first_processes"], total["second_processes"]) == (8, 1)
    assert total["ratio_low"] is None
    assert told["accuracy"][0]["videos"] == 20


@pytest.mark.parametrize(
    ("slower", "processes", "code"), [(1.0, 8, 0), (0.5, 8, 0), (1.5, 8, 3), (1.5, 3, 4)]
)
def test_command_ends_with_the_code_of_its_verdict(
    run: Maker,
    fake: SimpleNamespace,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    slower: float,
    processes: int,
    code: int,
) -> None:
    first = fake.write(tmp_path, run(name="first"))
    second = fake.write(tmp_path, run(slower, processes, name="second"))
    told = tmp_path / "told.json"
    assert run_app(["compare", str(first), str(second), "--json", str(told)]) == code
    printed = capsys.readouterr().out
    assert DRIFT in printed
    assert printed.splitlines()[-1].startswith(json.loads(told.read_text())["verdict"] + ": ")


def test_command_takes_a_threshold(run: Maker, fake: SimpleNamespace, tmp_path: Path) -> None:
    first = fake.write(tmp_path, run(name="first"))
    second = fake.write(tmp_path, run(1.5, name="second"))
    assert run_app(["compare", str(first), str(second), "--threshold", "80%"]) == 0
    assert run_app(["compare", str(first), str(second), "--threshold", "0.01"]) == 3


def test_command_on_other_machines(
    run: Maker, fake: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = fake.write(tmp_path, run(name="first"))
    second = fake.write(tmp_path, run(1.5, name="second", environment={"cpu": "Another\x1b[31m CPU"}))
    assert run_app(["compare", str(first), str(second)]) == 2
    assert "different machines" in capsys.readouterr().err
    assert run_app(["compare", str(first), str(second), "--force"]) == 4
    printed = capsys.readouterr().out
    assert "no verdict: made on different machines" in printed
    assert "\x1b" not in printed


@pytest.mark.parametrize("arguments", [["nowhere", "nowhere"], ["nowhere"], []])
def test_command_without_runs_is_an_error(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_app(["compare", *arguments]) == 2


@pytest.mark.parametrize(("text", "value"), [("5%", 0.05), (" 5 %", 0.05), ("0.05", 0.05), ("12.5%", 0.125)])
def test_a_share_is_read(text: str, value: float) -> None:
    assert share("--threshold", text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "%", "five", "5%%", "5% of it", "nan", "inf%"])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--threshold"):
        share("--threshold", text)

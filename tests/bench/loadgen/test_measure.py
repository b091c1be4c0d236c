"""`bench loadgen`: LoadGen's figures beside ours, on a network that needs no framework."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actionbench.bench.cli.app import run_app
from actionbench.bench.loadgen.measure import (
    PERCENTILES,
    SCENARIOS,
    compare,
    in_words,
    our_latencies,
    percentile,
    read_log,
)
from actionbench.bench.loadgen.worker import LoadGenSettings
from actionbench.bench.worker.events import Answered
from actionbench.errors import MeasurementError
from actionbench.records.run_directory import RunDirectory
from actionbench.reports.analysis.load_runs import merge, read_run
from actionbench.reports.analysis.summary import summarise

from ..conftest import NETWORKS

pytestmark = pytest.mark.usefixtures("forked_workers")

Videos = Callable[[list[int], int], Path]

needs_loadgen = pytest.mark.skipif(
    importlib.util.find_spec("mlperf_loadgen") is None,
    reason="MLPerf's LoadGen is not installed: pip install 'actionbench[loadgen]'",
)


def arguments(data: Path, out: Path, *more: str, network: str = "tiny") -> list[str]:
    common = ["--data", str(data), "--weights", "random", "--threads", "1", "--out", str(out)]
    return ["loadgen", f"{NETWORKS}:{network}", *common, *more]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, coloured_videos: Videos) -> Path:
    """A run directory with all of LoadGen's scenarios."""
    out = tmp_path_factory.mktemp("loadgen") / "run"
    options = ["--scenario", ",".join(SCENARIOS), "--seconds", "0.6"]
    assert run_app(arguments(coloured_videos([7, 8], 1), out, *options)) == 0
    return out


def comparison(run: Path, scenario: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "loadgen" / "tiny" / scenario / "comparison.json").read_text())
    return found


@needs_loadgen
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_loadgen_and_we_say_the_same(run: Path, scenario: str) -> None:
    percentiles = comparison(run, scenario)["percentiles"]
    assert [p["percentile"] for p in percentiles] == list(PERCENTILES)
    for p in percentiles:
        # Ours begins after LoadGen's and ends before it.
        assert 0 < p["ours_s"] <= p["loadgen_s"] + 1e-5
    # LoadGen's clock of a Server begins when a query was planned for, ours when it came: a thread that is
    # busy lets go of the interpreter every 5 ms only.
    slack_s = 6e-3 if scenario == "Server" else 1e-3
    for p in percentiles[:2]:
        assert p["ours_s"] == pytest.approx(p["loadgen_s"], rel=0.03, abs=slack_s)


@needs_loadgen
@pytest.mark.parametrize(
    ("scenario", "samples_per_query"),
    [("SingleStream", 1), ("MultiStream", 8), ("Server", 1), ("Offline", None)],
)
def test_every_query_is_answered_and_kept_with_the_logs(
    run: Path, scenario: str, samples_per_query: int | None
) -> None:
    folder = run / "loadgen" / "tiny" / scenario
    assert (folder / "mlperf_log_summary.txt").read_text().count(f"Scenario : {scenario}") == 1
    log = read_log(folder / "mlperf_log_detail.txt")
    samples = [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]
    said = comparison(run, scenario)
    assert said["samples"] == len(samples) > 0
    assert said["queries"] == log["result_query_count"] == len({sample["query"] for sample in samples})
    if samples_per_query is None:
        assert said["queries"] == 1
    else:
        assert len(samples) == samples_per_query * said["queries"]
    for sample in samples:
        assert sample["issued_s"] <= sample["begun_s"] <= sample["done_s"]
        assert set(sample["stages_s"]) == {"decode", "resize", "upload", "forward", "download"}
        assert sum(sample["stages_s"].values()) <= sample["done_s"] - sample["begun_s"]
    assert said["validity"] == log["result_validity"]


@needs_loadgen
def test_the_run_is_recorded_and_is_an_ordinary_run_directory(run: Path) -> None:
    record = RunDirectory(run).run
    assert (record.state, [model.state for model in record.models]) == ("done", ["done"])
    assert record.config["report"] is False
    assert [m.name for m in summarise(merge([read_run(run)])).models] == ["tiny"]


@needs_loadgen
def test_the_rate_of_a_server_is_what_was_asked_for(
    coloured_videos: Videos, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--scenario", "Server", "--seconds", "0.5", "--qps", "20"]
    assert run_app(arguments(coloured_videos([7], 1), tmp_path / "run", *options)) == 0
    said = comparison(tmp_path / "run", "Server")
    assert said["qps"] == 20
    assert "20 videos a second asked for" in (out := capsys.readouterr().out)
    assert f"calls this {said['validity']}" in out


@needs_loadgen
def test_a_network_that_dies_is_an_error_and_no_measurement(
    coloured_videos: Videos, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_app(arguments(coloured_videos([1], 1), tmp_path / "run", network="fragile")) == 2
    assert "SIGABRT" in capsys.readouterr().err
    record = RunDirectory(tmp_path / "run").run
    assert (record.state, record.models[0].state) == ("incomplete", "failed")
    assert not list((tmp_path / "run").rglob("comparison.json"))


@needs_loadgen
def test_a_clip_that_cannot_be_used_is_left_out_and_named(
    coloured_videos: Videos, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = coloured_videos([7], 1)
    next(data.rglob("*.mp4")).write_bytes(b"no video")
    assert run_app(arguments(data, tmp_path / "run", "--seconds", "0.2")) == 2
    assert "no clip can be answered" in (said := capsys.readouterr().err)
    assert "7_0.mp4" in said


def test_without_loadgen_the_extra_is_named(
    coloured_videos: Videos,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "mlperf_loadgen", None)
    assert run_app(arguments(coloured_videos([7], 1), tmp_path / "run")) == 2
    assert "actionbench[loadgen]" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--scenario", "Singlestream"], "Did you mean: SingleStream"),
        (["--scenario", "Server,Server"], "missing or repeated; found Server, Server"),
        (["--scenario", ","], "scenario missing or repeated"),
        (["--seconds", "0"], "--seconds"),
        (["--seconds", "nan"], "--seconds"),
        (["--scenario", "Server", "--qps", "-1"], "--qps"),
        (["--qps", "3"], "Server and Offline only"),
        (["--clips", "0"], "--clips 0: selects no clips"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], complaint: str
) -> None:
    assert run_app(arguments(tmp_path, tmp_path / "run", *options)) == 2
    assert complaint in capsys.readouterr().err


@given(st.lists(st.floats(0, 1e3), min_size=1), st.sampled_from(PERCENTILES))
def test_a_percentile_is_a_value_that_was_measured(values: list[float], share: float) -> None:
    found = percentile(values, share)
    assert found in values
    assert sum(value < found for value in values) <= share * len(values)
    assert sum(value <= found for value in values) > share * len(values) - 1e-9


def test_a_query_of_several_videos_is_answered_with_its_last() -> None:
    answered = [
        Answered(query, "a.mp4", query, query, query + done, {}, ())
        for query, done in [(0, 0.25), (0, 0.5), (1, 0.25), (1, 0.75)]
    ]
    assert our_latencies("MultiStream", answered) == [0.5, 0.75]
    assert our_latencies("Offline", answered) == [0.25, 0.5, 0.25, 0.75]


def log_of(folder: Path, **entries: object) -> LoadGenSettings:
    lines = ["no entry", *(f":::MLLOG {json.dumps({'key': k, 'value': v})}" for k, v in entries.items())]
    (folder / "mlperf_log_detail.txt").write_text("\n".join(lines) + "\n")
    return LoadGenSettings("SingleStream", 1.0, None, folder)


def test_logs_that_do_not_hold_together_are_no_measurement(tmp_path: Path) -> None:
    answered = [Answered(0, "a.mp4", 0.0, 0.0, 0.5, {}, ("flow by another method",))]
    settings = LoadGenSettings("SingleStream", 1.0, None, tmp_path)
    with pytest.raises(MeasurementError, match="cannot be read"):
        compare("tiny", settings, answered)
    with pytest.raises(MeasurementError, match="lacks a figure"):
        compare("tiny", log_of(tmp_path, result_query_count=1), answered)
    figures: dict[str, object] = {
        f"result_{100 * share:.2f}_percentile_latency_ns": 500_040_000 for share in PERCENTILES
    }
    whole = {"loadgen_version": "6 @ x", "result_validity": "INVALID", "result_min_duration_met": False}
    with pytest.raises(MeasurementError, match="other queries"):
        compare("tiny", log_of(tmp_path, **figures, **whole, result_query_count=2), answered)
    found = compare("tiny", log_of(tmp_path, **figures, **whole, result_query_count=1), answered)
    assert {p.loadgen_s for p in found.percentiles} == {0.50004}
    assert {p.ours_s for p in found.percentiles} == {0.5}
    assert found.rules == "Not met: min duration."
    assert "Note: flow by another method" in in_words(found)

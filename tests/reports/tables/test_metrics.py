"""A metric is one declaration: every output has it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from actionbench.records.run import ProcessRecord
from actionbench.records.run_directory import RunWriter
from actionbench.records.scenarios import latency, throughput
from actionbench.records.scenarios.declaration import Metric
from actionbench.records.scenarios.registry import SCENARIOS, scenario_type
from actionbench.reports import load
from actionbench.reports.analysis import timing
from actionbench.reports.analysis.load_runs import Timings
from actionbench.reports.analysis.scenarios import summarise_scenario
from actionbench.reports.formats.export import write_report
from actionbench.reports.tables import timing as tables_timing

from .test_scenarios import STRETCH, with_scenarios

pytestmark = pytest.mark.usefixtures("no_pictures")


def test_a_metric_is_in_every_output_of_its_scenario(
    fake: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metric = Metric(
        "videos_per_thread",
        lambda r: r.videos / r.lanes,
        unit="videos",
        better="more",
        title="Done by a thread",
    )
    declared = replace(throughput.THROUGHPUT, metrics=(*throughput.THROUGHPUT.metrics, metric))
    monkeypatch.setattr(throughput, "THROUGHPUT", declared)
    run = with_scenarios(fake, throughput=(STRETCH, replace(STRETCH, process=1, videos=30)))
    out = fake.write(tmp_path, run)
    with RunWriter(out) as writer:
        timings = run.scenarios["throughput"]
        for record in (*timings.samples, *timings.processes):
            writer.append_timing("throughput", record)
    write_report(out)
    (model,) = json.loads((out / "results.json").read_text(encoding="utf-8"))["models"]
    expected = {"value": 12.5, "low": 10.0, "high": 15.0, "interval": "range of 2 processes", "n": 2}
    assert model["throughput"]["videos_per_thread"] == expected
    raw = pd.read_csv(out / "tables" / "throughput.csv").iloc[0]
    assert (raw["videos_per_thread"], raw["videos_per_thread_low"]) == (12.5, 10.0)
    assert load(out).tables["throughput"]["videos_per_thread"][0] == 12.5
    for name in ("report.md", "report.html"):
        text = (out / name).read_text(encoding="utf-8")
        assert "Done by a thread" in text
        assert "12.5 [10.0–15.0]" in text


def test_a_metric_of_latency_is_in_every_output(
    fake: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metric = Metric("decode_s", lambda r: r.stages_s["decode"], unit="s", title="Decoding", shown="number")
    declared = replace(latency.LATENCY, metrics=(*latency.LATENCY.metrics, metric))
    # Its own table and figures read the declaration once, when they are imported.
    for module in (latency, timing, tables_timing):
        monkeypatch.setattr(module, "LATENCY", declared)
    out = fake.write(tmp_path, fake.run([fake.model("net", fake.answers(5, 10))]))
    write_report(out)
    (model,) = json.loads((out / "results.json").read_text(encoding="utf-8"))["models"]
    assert model["timing"]["decode_s"]["value"] == 0.3
    assert pd.read_csv(out / "tables" / "latency.csv")["decode_s"][0] == 0.3
    assert load(out).tables["latency"]["decode_s"][0] == 0.3
    assert "Decoding<br>s |" in (out / "report.md").read_text(encoding="utf-8")
    assert "<span>Decoding</span>" in (out / "report.html").read_text(encoding="utf-8")


def test_a_rate_is_sum_by_sum_in_a_process_and_unknown_where_a_part_is() -> None:
    metric = Metric("x", lambda r: r.videos, per=lambda r: None if r.cpu_s < 0 else r.wall_s)
    kind = replace(throughput.THROUGHPUT, metrics=(metric,))
    records = (replace(STRETCH, videos=30, wall_s=10.0), replace(STRETCH, videos=10, wall_s=30.0))
    figure = summarise_scenario(kind, Timings((), records)).estimate("x")
    assert figure is not None
    assert figure.value == 1.0
    unknown = (*records, replace(STRETCH, process=1, cpu_s=-1.0))
    assert summarise_scenario(kind, Timings((), unknown)).estimate("x") == figure
    assert summarise_scenario(kind, Timings((), unknown[2:])).estimate("x") is None


@pytest.mark.parametrize(
    ("over", "expected"),
    [("bare median", 3.5), ("first", 1), ("sum", 21), ("min", 1), ("max", 6), ("95 %", None)],
)
def test_values_of_all_processes_become_one_figure(over: str, expected: float | None) -> None:
    records = [
        replace(STRETCH, process=i, answer_s=a) for i, a in enumerate([(1.0, 2.0, 3.0), (4.0, 5.0, 6.0)])
    ]
    metric = Metric("x", lambda r: r.answer_s, over=over)  # type: ignore[arg-type]
    kind = replace(throughput.THROUGHPUT, metrics=(metric,))
    assert summarise_scenario(kind, Timings((), tuple(records))).figures == {"x": expected}
    nothing = replace(kind, metrics=(replace(metric, value=lambda _: None),))
    assert summarise_scenario(nothing, Timings((), tuple(records))).figures == {"x": None}


def test_a_processs_own_figures_count_where_it_failed() -> None:
    processes = (ProcessRecord("net", 0, 0, peak_rss_bytes=5), ProcessRecord("net", 1, 1, error="killed"))
    summary = summarise_scenario(throughput.THROUGHPUT, Timings(processes, ()))
    assert summary.figures["peak_host_bytes"] == 5
    assert summary.errors == ((1, "killed"),)


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_declaration_holds_together(name: str) -> None:
    kind = scenario_type(name)
    assert kind.name == name
    names = [metric.name for metric in kind.metrics]
    assert len(set(names)) == len(names)
    beside = {metric.name for metric in latency.LATENCY.metrics}
    assert set(kind.beside) <= beside

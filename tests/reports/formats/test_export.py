"""The files of a report: repeatable, valid, and harmless in a spreadsheet."""

from __future__ import annotations

import csv as csv_module
import io
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from actionbench.errors import UsageError
from actionbench.reports.analysis.load_runs import RunData, merge
from actionbench.reports.analysis.summary import summarise
from actionbench.reports.charts.all_charts import CHARTS
from actionbench.reports.formats.export import SCHEMA, csv, json_text, write_report
from actionbench.reports.tables.all_tables import all_tables
from actionbench.reports.tables.table import Column, table

TABLES = {
    "deployment",
    "comparison",
    "target_class",
    "at_operating_points",
    "confusions",
    "classes",
    "mistakes",
    "paired",
    "stages",
    "latency",
    "pipelined",
    "throughput",
    "stream",
    "stream_peaks",
    "sweep",
    "models",
    "runs",
    "environment",
    "skipped",
    "remarks",
}


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def document(run: RunData) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json_text(summarise(merge([run]))))
    return found


@pytest.mark.usefixtures("no_pictures")
def test_a_report_is_written_beside_its_run(two_models_dir: Path) -> None:
    assert write_report(two_models_dir) == two_models_dir / "report.html"
    written = files(two_models_dir)
    assert {f"tables/{name}.csv" for name in TABLES} <= set(written)
    assert not [name for name in written if name.endswith(".tmp")]


def test_rebuilding_gives_the_same_bytes_and_does_not_change_the_run(
    two_models_dir: Path, tmp_path: Path
) -> None:
    before = files(two_models_dir)
    write_report(two_models_dir, tmp_path / "first")
    first = files(tmp_path / "first")
    (tmp_path / "second").mkdir()
    for name in ("report.md", "report.html", "results.json"):
        (tmp_path / "second" / name).write_text("of another time")
    write_report([two_models_dir], tmp_path / "second")
    assert first == files(tmp_path / "second")
    assert files(two_models_dir) == before
    plots = {f"plots/{name}.{ending}" for name in CHARTS for ending in ("svg", "png")}
    tables = {f"tables/{name}.csv" for name in TABLES} | {"tables/comparison.tex"}
    assert set(first) == plots | tables | {"report.md", "report.html", "results.json"}


@pytest.mark.usefixtures("no_pictures")
def test_several_runs_are_joined_and_need_a_place(
    fake: SimpleNamespace, two_models: RunData, tmp_path: Path
) -> None:
    paths = [fake.write(tmp_path, two_models), fake.write(tmp_path, replace(two_models, name="run-2"))]
    with pytest.raises(UsageError, match="--out"):
        write_report(paths)
    page = write_report(paths, tmp_path / "out").read_text(encoding="utf-8")
    assert "i3d (run-2)" in page
    assert "i3d (run-2)" in (tmp_path / "out" / "report.md").read_text(encoding="utf-8")


@pytest.mark.usefixtures("no_pictures")
def test_another_target_is_derived_from_the_stored_scores(two_models_dir: Path, tmp_path: Path) -> None:
    write_report(two_models_dir, tmp_path, target="running on treadmill")
    target = json.loads((tmp_path / "results.json").read_text())["models"][0]["accuracy"]["target"]
    assert (target["videos"], target["predicted"], target["hits"]) == (2, 5, 2)
    assert target["mistaken"] == [{"label": "jogging", "videos": 3}]
    assert 0 < target["average_precision"]["value"] <= 1


def test_results_json_has_its_keys_and_figures(two_models: RunData) -> None:
    results = document(two_models)
    assert results["schema"] == SCHEMA == 1
    assert set(results) == {"schema", "target", "notes", "runs", "models", "paired"}
    i3d = results["models"][0]
    assert {"model", "run", "weights_kind", "flow", "device", "parameters", "accuracy", "timing"} <= set(i3d)
    assert i3d["accuracy"]["top1"] == {
        "value": 0.85,
        "low": pytest.approx(0.6396, abs=1e-4),
        "high": pytest.approx(0.9476, abs=1e-4),
        "interval": "Wilson, 95 %",
        "n": 20,
    }
    timing = i3d["timing"]
    assert timing["prediction_s_per_video"]["value"] == pytest.approx(1.11)
    assert timing["flop_per_video"] == 2e11
    assert timing["total_s_percentiles"] == {"90": None, "95": None, "99": None}
    assert [s["stage"] for s in timing["stages"]][:3] == ["decode", "resize", "flow"]
    assert results["paired"][0]["p_mcnemar_exact"] == 0.5


def test_unknown_is_null_never_nan(fake: SimpleNamespace) -> None:
    dead = fake.model("dead", {}, state="failed", error="killed", forward_s=[])
    run = fake.run([dead], environment={"mhz": float("nan"), "load": [float("inf")]})
    text = json_text(summarise(merge([run])))
    results = json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} in results.json"))
    assert results["models"][0]["accuracy"]["top1"] is None
    assert results["models"][0]["timing"]["realtime_factor"] is None
    assert results["runs"][0]["environment"] == {"mhz": None, "load": [None]}


@pytest.mark.usefixtures("no_pictures")
def test_csv_holds_raw_values_and_leaves_unknown_empty(fake: SimpleNamespace, tmp_path: Path) -> None:
    dead = fake.model("dead", {}, state="failed", error="killed", forward_s=[])
    run = fake.run([fake.model("net", fake.answers(7, 10)), dead])
    write_report(fake.write(tmp_path, run))
    frame = pd.read_csv(tmp_path / "run-1" / "tables" / "comparison.csv")
    assert frame["target_recall"][0] == 0.7
    assert frame["prediction_s_per_video"][0] == pytest.approx(0.22)
    assert pd.isna(frame["prediction_s_per_video"][1])
    text = (tmp_path / "run-1" / "tables" / "comparison.csv").read_text()
    assert ",12689984," in text


@pytest.mark.parametrize(
    "formula",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\n=1", "a\r=1", "\t=1", " =1", '=HYPERLINK("http://evil","x")', "＝1"],
)
def test_no_text_in_a_csv_is_a_formula(formula: str) -> None:
    made = table("t", "T", [Column("a")], [((formula,), {"a": formula, "b": -1.5, formula: 2})])
    header, row = csv_module.reader(io.StringIO(csv(made), newline=""))
    for cell in (row[0], header[2]):
        assert not cell.lstrip().startswith(("=", "+", "-", "@", "＝"))
        assert not {"\r", "\t"} & set(cell)
    assert row[1] == "-1.5"


def test_every_table_has_texts_and_records_alike(two_models: RunData) -> None:
    for made in all_tables(summarise(merge([two_models]))):
        assert len(made.rows) == len(made.records) == len(made.frame())
        assert all(len(row) == len(made.columns) for row in made.rows)
    assert {made.name for made in all_tables(summarise(merge([two_models])))} == TABLES


def test_every_key_of_results_json_is_documented(two_models: RunData) -> None:
    text = (Path(__file__).parents[3] / "docs" / "run-directory.md").read_text(encoding="utf-8")

    def keys(value: object) -> set[str]:
        if isinstance(value, list):
            return set().union(*map(keys, value))
        return set(value) | set().union(*map(keys, value.values())) if isinstance(value, dict) else set()

    results = document(two_models)
    for model in results["models"]:
        del model["details"], model["weights"], model["timing"]["total_s_percentiles"]
    for run in results["runs"]:
        del run["data"], run["environment"], run["config"]
    assert not [
        key
        for key in sorted(keys(results))
        if f"`{key}`" not in text and f'"{key}"' not in text and f"`{key}[]`" not in text
    ]


@pytest.mark.usefixtures("no_pictures")
def test_a_report_that_cannot_be_written_is_an_error_that_names_the_place(
    two_models_dir: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UsageError, match=r"file.*the report cannot be written.*--out"):
        write_report(two_models_dir, tmp_path / "file")


@pytest.mark.parametrize("link", ["report.md", "tables", "plots", "results.json", "tables/comparison.csv"])
@pytest.mark.usefixtures("no_pictures")
def test_a_link_in_a_run_of_somebody_else_has_no_other_file_replaced(
    two_models_dir: Path, tmp_path: Path, link: str
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    for name in ("report.md", "results.json", "comparison.csv", "pareto.svg", "sweep.svg"):
        (mine / name).write_text("mine")
    path = two_models_dir / link
    path.parent.mkdir(exist_ok=True)
    path.symlink_to(mine / path.name if path.suffix else mine)
    with pytest.raises(
        UsageError, match=rf"{link}.*cannot be written: a link leads out of the folder.*--out"
    ):
        write_report(two_models_dir)
    assert {file.read_text() for file in mine.iterdir()} == {"mine"}
    write_report(two_models_dir, tmp_path / "report")
    assert {file.read_text() for file in mine.iterdir()} == {"mine"}


@pytest.mark.usefixtures("no_pictures")
def test_a_folder_for_reports_may_be_a_link(two_models_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "reports").symlink_to(tmp_path / "disk")
    write_report(two_models_dir, tmp_path / "reports")
    assert (tmp_path / "disk" / "report.md").is_file()

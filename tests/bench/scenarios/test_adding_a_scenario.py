"""The example of docs/adding-a-scenario.md: two files and a line make a scenario that every output has."""

from __future__ import annotations

import io
import json
import re
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue

import pandas as pd
import pytest

import actionbench.bench.scenarios
import actionbench.records.scenarios
from actionbench.bench.cli.app import run_app
from actionbench.bench.plan.config import RunConfig
from actionbench.bench.plan.estimate import EstimatedStep, estimate
from actionbench.bench.plan.plan import make_plan
from actionbench.bench.scenarios.scenario import Cost
from actionbench.bench.worker import process
from actionbench.bench.worker.events import Event, read_event
from actionbench.bench.worker.supervisor import Worker
from actionbench.child_process import event_writer
from actionbench.records.run_directory import RunDirectory
from actionbench.records.scenarios.registry import SCENARIOS
from actionbench.reports import load

from ..conftest import NETWORKS

pytestmark = pytest.mark.usefixtures("no_pictures")

DOCUMENT = Path(__file__).parents[3] / "docs" / "adding-a-scenario.md"


@pytest.fixture
def decoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The document's scenario, its two files beside ours, its worker in this process."""
    text = DOCUMENT.read_text(encoding="utf-8")
    ((name, reference),) = re.findall(r'^"(\w+)": "([\w:]+)",$', text, re.MULTILINE)
    files = re.findall(r"`(\w+)/scenarios/decoding\.py`: .*?```python\n(.*?)```", text, re.DOTALL)
    assert [folder for folder, _ in files] == ["records", "bench"]
    packages = (actionbench.records.scenarios, actionbench.bench.scenarios)
    for package, (folder, source) in zip(packages, files, strict=True):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "decoding.py").write_text(source, encoding="utf-8")
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path / folder)])
    monkeypatch.setitem(SCENARIOS, name, reference)

    def events(self: Worker, _: object) -> Iterator[Event | None]:
        sent = io.BytesIO()
        process._run(self.job, event_writer(sent), SimpleQueue(), threading.Event())
        yield from map(read_event, sent.getvalue().splitlines())

    monkeypatch.setattr(Worker, "events", events)
    yield
    for package in packages:
        sys.modules.pop(f"{package.__name__}.decoding", None)


@pytest.mark.usefixtures("decoding")
def test_a_scenario_of_two_files_and_a_line_is_in_every_output(
    coloured_videos: Callable[..., Path], tmp_path: Path
) -> None:
    data, out = coloured_videos([60, 61], 1), tmp_path / "run"
    options = ["--weights", "random", "--scenarios", "decoding", "--processes", "2", "--threads", "1"]
    command = ["run", "--models", f"{NETWORKS}:tiny", "--data", str(data), "--out", str(out), *options]
    assert run_app(command) == 0
    directory = RunDirectory(out)
    assert [p.error for p in directory.processes("decoding")] == [None, None]
    assert [(r.process, r.frames) for r in directory.samples("decoding")] == [(0, 5), (0, 5), (1, 5), (1, 5)]

    (model,) = json.loads((out / "results.json").read_text(encoding="utf-8"))["models"]
    speed = model["decoding"]["frames_per_s"]
    assert speed["value"] > 0
    assert speed["n"] == 2
    assert model["decoding"]["frames"] == 20
    columns = {"model", "processes", "frames_per_s", "frames_per_s_low", "frames"}
    assert columns <= set(pd.read_csv(out / "tables" / "decoding.csv").columns)
    assert load(out).tables["decoding"]["frames_per_s"][0] == pytest.approx(speed["value"])
    report = (out / "report.md").read_text(encoding="utf-8")
    assert "## Decoding alone" in report
    assert "Decoded<br>frames / s |" in report
    assert "Decoding without resizing, on one thread." in report
    assert "Decoding alone" in (out / "report.html").read_text(encoding="utf-8")

    before = directory.file("decoding.jsonl").read_bytes()
    assert run_app(["run", "--resume", str(out)]) == 0
    assert directory.file("decoding.jsonl").read_bytes() == before, "what is there is not measured again"


@pytest.mark.usefixtures("decoding")
def test_its_time_is_part_of_an_estimate(coloured_videos: Callable[..., Path]) -> None:
    config = RunConfig(
        models=(f"{NETWORKS}:tiny",),
        data=str(coloured_videos([62, 63], 1)),
        weights={"*": "random"},
        scenarios=("decoding",),
        processes=2,
        device="cpu",
    )
    plan = make_plan(config)
    cost = Cost(start=3.0, first=2.0, clip=4.0, prediction=1.5, cpu=6.0, frames=32)
    parts = estimate(plan, {"tiny": cost}, {"tiny": cost})
    assert parts == [EstimatedStep("decoding", "tiny", 2 * (3 + 2 * 2.5))]

"""Targets that are about settings and records: YAML of commands, directories of runs and gates, histories."""

from __future__ import annotations

import contextlib
import json
import warnings
from functools import cache
from pathlib import Path

from actionbench.bench.plan import config
from actionbench.bench.worker.events import read_event
from actionbench.errors import UsageError
from actionbench.live.config import LiveConfig
from actionbench.live.people.zones import read_zones
from actionbench.parsing import to_yaml
from actionbench.records.gate_directory import GateDirectory
from actionbench.records.live_directory import LiveDirectory
from actionbench.records.training import chosen_on_validation, read_predictions
from actionbench.reports.analysis.gate_result import load_gate
from actionbench.reports.analysis.history import (
    add_to_history,
    entries_of_gate,
    entries_of_run,
    read_history,
    series_of,
)
from actionbench.reports.analysis.load_runs import read_run
from actionbench.reports.analysis.run_comparison import compare_runs
from actionbench.reports.formats.gate_text import markdown, terminal
from actionbench.settings import from_mapping, read_config, to_plain
from actionbench.training.experiments import read_experiments

from ..conftest import without_pictures
from ..records.test_live_directory import SESSION_RECORD, video
from .target import Files, Target, written

RECORDS = Path(__file__).parents[1] / "records" / "data"


def _settings() -> list[Files]:
    run = to_plain(config.RunConfig(models=("resnext", "i3d"), sweep={"threads": "1,2"}, threads=2))
    live = to_plain(LiveConfig(source="rtsp://user:secret@camera/stream", web="8765"))
    return [{"run.yaml": to_yaml(run).encode()}, {"live.yaml": to_yaml(live).encode()}]


def _configured(path: Path) -> None:
    raw = read_config(path)
    if path.name == "live.yaml":
        from_mapping(LiveConfig, raw, str(path))
    else:
        config.from_mapping(raw, str(path)).resolved()


EXPERIMENTS = {
    "target": "falling",
    "folds": 2,
    "seeds": [0, 1],
    "shared": {"model": "resnet18", "data": "set.csv", "epochs": 1, "max_share": {"falling": 0.9}},
    "runs": {"CE": {"loss": "ce"}, "WCE": None},
    "contrasts": [["CE", "WCE"]],
}


def _experiments(path: Path) -> None:
    found = read_experiments(path)
    list(found.trainings(path.parent / "out"))
    found.own_settings()


@cache
def _run() -> Files:
    """A run with scores, so that a report has something of everything."""
    from ..reports.conftest import FakeModel, answers, make_run, write_run

    models = [
        FakeModel("i3d", answers(3, 4, 5)),
        FakeModel("resnext", answers(2, 4, 5), flow_s=None, views=16),
    ]
    (found,) = written(lambda folder: write_run(folder, make_run(models)))
    return {"run.json": found["run-1/run.json"]} | {Path(name).name: each for name, each in found.items()}


def runs() -> list[Files]:
    older = {each.name: each.read_bytes() for each in sorted((RECORDS / "run").iterdir())}
    return [_run(), {"run.json": older["run.json"]} | older | {"scores.bin": bytes(12)}]


def _reported(path: Path) -> None:
    """`bench report`, `bench compare` and `bench history add`."""
    from actionbench.reports.formats.export import write_report

    run = path.parent
    with without_pictures(), warnings.catch_warnings(action="error"):
        write_report([run], run)
    data = read_run(run)
    for work in (lambda: compare_runs(data, data, 0.05, False), lambda: entries_of_run(data)):
        with contextlib.suppress(
            UsageError
        ):  # about what a run lacks, which says where only with its command
            work()


def gates() -> list[Files]:
    older = {each.name: each.read_bytes() for each in sorted((RECORDS / "gate").iterdir())}
    gate = json.loads(older["gate.json"])
    gate["config"] |= {"threshold": 0.05, "max_pairs": 12}
    turns = [
        {"arm": arm, "values": {"total": 1.0 + n / 90}, "control_s": 0.05}
        for n, arm in enumerate(("base", "candidate", "candidate", "base"))
    ]
    once = {arm: {"load": 1.5, "memory": 2.0e8} for arm in ("base", "candidate")}
    pairs = [
        {"pair": n, "models": {"net": {"turns": turns, "once": once}}, "wall_s": 9.0, "kind": "pair"}
        for n in range(10)
    ]
    slots = b"".join(json.dumps(each).encode() + b"\n" for each in pairs)
    described = json.dumps(gate).encode()
    return [older, {"gate.json": described, "slots.jsonl": slots}, older | {"gate.json": described}]


def _gate(path: Path) -> None:
    """The result of a gate as it is shown, and added to a history."""
    directory = GateDirectory(path.parent)
    directory.complete_pairs  # noqa: B018
    result = load_gate(directory)
    terminal(result)
    markdown(result)
    entries_of_gate(directory.gate, directory.slots(), "abc", None, directory.pairs_in_turns())


def histories() -> list[Files]:
    entry = {
        "model": "i3d",
        "setting": "demo weights",
        "metric": "total",
        "machine": "abc",
        "cpu": "Some CPU",
        "unit": "s",
        "schema": 1,
    }
    lines = [
        json.dumps(
            entry | {"commit": f"c{n}", "date": f"2026-01-{n:02}T00:00:00Z", "values": [1.0 + n / 9, 2, 3]}
        )
        for n in range(1, 12)
    ]
    return [{"times.jsonl": "".join(f"{line}\n" for line in lines).encode()}]


def _history(path: Path) -> None:
    from actionbench.bench.cli.history import show

    show(path, metric="all")
    entries = read_history(path)
    series_of(entries)
    add_to_history(path, entries)


def _watch(folder: Path) -> None:
    with LiveDirectory(folder, SESSION_RECORD) as directory:
        directory.add(video("a"))
        directory.add(video("b"))
    (folder / "lock").unlink(missing_ok=True)


def _watched(path: Path) -> None:
    with LiveDirectory(path.parent, SESSION_RECORD) as directory:
        assert all(isinstance(each, str) for each in directory.watched)


def predictions() -> list[Files]:
    line = {"group": "g", "source": "s", "log_probabilities": {"falling": -0.1, "walking": -2.5}}
    lines = [
        json.dumps(line | {"side": side, "example": str(n), "label": ("falling", "walking")[n % 2]})
        for n, side in enumerate(("validation", "validation", "test", "held-out"))
    ]
    return [{"predictions.jsonl": "".join(f"{line}\n" for line in lines).encode()}]


def _predicted(path: Path) -> None:
    found = read_predictions(path.parent)
    chosen_on_validation(found, "falling", "f1", path)


def _events() -> list[Files]:
    lines = [
        {"event": "Ready", "load_s": 0.5, "details": {"threads": 1}},
        {
            "event": "Predicted",
            "clip": "a",
            "scores": [0.5, 0.5],
            "views": 1,
            "frames": 9,
            "video_s": 1.0,
            "stages_s": {"decode": 0.1},
            "flow_cached": False,
            "notes": [],
        },
        {"event": "StageProgress", "stage": "flow", "done": 3, "total": 9},
        {"event": "Failed", "error": "no"},
    ]
    return [{"event.jsonl": "".join(json.dumps(line) + "\n" for line in lines).encode()}]


def _event(path: Path) -> None:
    for line in path.read_bytes().splitlines(keepends=True):
        try:
            read_event(line)
        except ValueError as error:
            raise UsageError(str(error), where=path) from error  # as the parent of a worker does


TARGETS = (
    Target("settings of a run, of a session", _settings, _configured),
    Target(
        "table of experiments",
        lambda: [{"table.yaml": to_yaml(EXPERIMENTS).encode(), "set.csv": b"x"}],
        _experiments,
    ),
    Target(
        "zones",
        lambda: [
            {"zones.yaml": b"bed: [[0.0, 0.5], [0.5, 0.5], [0.5, 1.0]]\ndoor: [[0.4, 0], [1, 0], [1, 1]]\n"}
        ],
        read_zones,
    ),
    Target("run directory", runs, _reported, share=0.7),
    Target("gate directory", gates, _gate),
    Target("history", histories, _history),
    Target("directory of watched videos", lambda: written(_watch), _watched),
    Target("predictions of a training", predictions, _predicted),
    Target("events of a worker", _events, _event),
)

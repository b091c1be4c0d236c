"""Targets that are what ActionBench has written itself, and reads where it goes on or begins again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from actionbench.bench.agreement import certificate
from actionbench.bench.plan import config
from actionbench.bench.plan.other_machines import Machine, table, work_of_run
from actionbench.datasets.archives.sets.archive_set import Layout
from actionbench.datasets.archives.sets.index import load_index
from actionbench.datasets.archives.sets.layouts import labels_in
from actionbench.datasets.archives.sets.ledger import Ledger
from actionbench.datasets.clip import Clip
from actionbench.datasets.composed.example import Example
from actionbench.datasets.composed.splits import Split
from actionbench.datasets.synthetic import clips as demo
from actionbench.errors import UsageError
from actionbench.models.weights.hugging_face.hub import problems, stored_snapshot, stored_snapshots
from actionbench.parsing import to_yaml
from actionbench.records.run_directory import RunWriter

from .record_targets import predictions, runs
from .target import Files, Target


def _go_on(path: Path) -> None:
    """`bench run --resume`, up to the plan."""
    with RunWriter(path.parent) as writer:
        run = writer.run
        for model in run.models:
            writer.tried(model.key)
            writer.failed(model.key)
    config.from_mapping(run.config, str(path))


def _estimate(path: Path) -> None:
    works = work_of_run(path.parent)
    table(works, [Machine("cores", 4, 0.5), Machine("gpus", 8)], (100, 10**6))


def _ledgers() -> list[Files]:
    line = {"key": "a", "part": "p.tar", "suffix": ".mp4", "size": 3, "sha256": "0" * 64}
    lines = [line, line | {"key": "b", "reason": "too short"}, line | {"size": 4}]
    return [{"fetched.jsonl": b"".join(json.dumps(each).encode() + b"\n" for each in lines)}]


def _ledger(path: Path) -> None:
    found = Ledger(path)
    assert not found.usable.keys() & found.refused.keys()


LAYOUTS = (
    Layout("kinetics"),
    Layout("folders"),
    Layout("webdataset", "json:action"),
    Layout("webdataset", "cls", ("falling", "walking")),
)


def _indexes() -> list[Files]:
    entries = [
        {"name": "walking/a_000001_000011.mp4", "size": 3, "offset": 512},
        {"name": "walking/a_000001_000011.json", "size": 3, "offset": 0, "text": '{"action": "walking"}'},
        {"name": "walking/b.mp4", "size": 3, "offset": None},
        {"name": "walking/b.cls", "size": 3, "offset": None, "text": "1\n"},
    ]
    index = {"entries": entries, "refused": ["c: is a link"], "damage": None}
    return [{"index.json": json.dumps(index).encode()}]


def _index(path: Path) -> None:
    found = load_index(path)
    if found is not None:
        for layout in LAYOUTS:
            labels_in(layout, found.entries)


def _certificates() -> list[Files]:
    content = {
        "model": "i3d",
        "backend": "torch",
        "weights": {"rgb": "0" * 64},
        "largest_difference": 1e-5,
        "date": "2026-11-29",
    }
    return [{"certificate.json": json.dumps(content).encode()}]


def _certificate(path: Path) -> None:
    nothing: Any = None  # of what gives the file its name
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(certificate, "_path", lambda *_: path)
        certificate.certificate(nothing, nothing, nothing, nothing)


def _snapshots() -> list[Files]:
    content = {
        "repository": "owner/net",
        "revision": "main",
        "commit": "0" * 40,
        "endpoint": "https://huggingface.co",
        "licence": "mit",
        "folder": "/nowhere",
        "fetched": "2026-11-29T00:00:00+00:00",
        "files": {"config.json": {"size": 3, "sha256": "0" * 64, "checked": "sha256"}},
    }
    return [{"weights/hugging-face/owner--net/main.json": json.dumps(content).encode()}]


def _snapshot(path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ACTIONBENCH_HOME", str(path.parents[3]))
        for each in (*stored_snapshots(), stored_snapshot("owner/net")):
            if each is not None:
                problems(each)


def _demo_clips() -> list[Files]:
    name = "test/yoga/demo_000006.mp4"
    file = {"path": name, "bytes": 1, "sha256": hashlib.sha256(b"x").hexdigest()}
    manifest = {"identity": demo._identity(), "files": [file]}
    folder = f"demo/{demo._identity()[:16]}"
    return [{f"{folder}/manifest.json": json.dumps(manifest).encode(), f"{folder}/{name}": b"x"}]


def _demo(path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ACTIONBENCH_HOME", str(path.parents[2]))
        patch.setattr(demo, "_redraw", lambda _: ())
        for part in demo.PARTS:
            demo.load_demo(part)


def _side(name: str) -> tuple[Example, ...]:
    return (
        Example(Clip(name, Path(f"{name}.mp4"), "falling", sha256="0" * 64), "s", "s/falling", "g", None),
    )


SPLIT = Split("fold 1 of 2", _side("a"), _side("b"), _side("c"), ())
TRAINING = {"model": "resnet18", "data": "set.csv", "epochs": 1, "max_share": {"falling": "0.9"}}


def _trainings() -> list[Files]:
    sides = {
        side: [[each.clip.id, each.clip.sha256] for each in getattr(SPLIT, side)]
        for side in ("train", "validation", "test")
    }
    split = {"name": SPLIT.name, "notes": [], **sides}
    return [{"split.json": json.dumps(split).encode(), "config.yaml": to_yaml(TRAINING).encode()}]


def _training(path: Path) -> None:
    from actionbench.training.result import is_finished, read_settings, settle_split

    is_finished(path.parent)
    read_settings(path.parent)
    settle_split(path.parent, SPLIT)


def _tables() -> list[Files]:
    shared = {"model": "resnet18", "epochs": 1, "data": "set.csv", "held_out": "other.csv"}
    runs_of = {"CE": {**shared, "loss": "ce"}, "WCE": {**shared, "loss": "wce"}}
    asked = {"target": "falling", "folds": 2, "seeds": [0], "contrasts": [["CE", "WCE"]]}
    (found,) = predictions()
    lines = found["predictions.jsonl"]
    trained = {
        f"out/runs/{run}-seed0-fold{fold}/{name}": content
        for run in runs_of
        for fold in (1, 2)
        for name, content in (
            ("predictions.jsonl", lines.replace(b'"example": "', b'"example": "%d-' % fold)),
            ("baseline.json", b"{}"),
        )
    }
    described = {
        "table.yaml": to_yaml({**asked, "runs": runs_of}).encode(),
        "out/experiments.yaml": to_yaml({**asked, "runs": runs_of}).encode(),
    }
    return [{**described, **trained}]


def _table(path: Path) -> None:
    """`bench experiments` where all is trained."""
    from actionbench.bench.console.progress import Messages
    from actionbench.bench.experiments import compare_experiments
    from actionbench.training import experiments

    from ..conftest import without_pictures

    def not_trained(*_: object) -> None:
        raise UsageError("is not trained", where=path)

    with pytest.MonkeyPatch.context() as patch, without_pictures():
        for name in ("finetune", "resume"):
            patch.setattr(experiments, name, not_trained)
        compare_experiments(path, path.parent / "out", "f1", Messages())


TARGETS = (
    Target("run directory that goes on", runs, _go_on),
    Target("run that others are estimated from", runs, _estimate, share=0.5),
    Target("ledger of a fetch", _ledgers, _ledger),
    Target("index of an archive", _indexes, _index),
    Target("certificate", _certificates, _certificate),
    Target("record of a Hugging Face repository", _snapshots, _snapshot),
    Target("list of demo clips", _demo_clips, _demo),
    Target("training that goes on", _trainings, _training, heavy=True),
    Target("experiments that go on", _tables, _table, share=0.5, heavy=True),
)

"""Short trainings and experiments, and what must be the same of their results whatever has happened."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from actionbench.home import home
from actionbench.models.finetuning.trainable import saved_state, trainable_network
from actionbench.models.registry import find_model
from actionbench.models.weights.formats.safetensors_files import write_safetensors
from actionbench.training.result import is_finished

from ..training.conftest import LABELS, LEARNER, composed_set

Settings = Mapping[str, Any]

STAGES = ("nothing", "begun", "features", "training", "evaluating", "writing the result", "ended")
STAGES_OF_EXPERIMENTS = ("nothing", *(f"{count} of 4 trained" for count in range(5)), "ended")


def settings(folder: Path, epochs: int) -> Settings:
    """Settings of a training of the last block on features; its set and weights are written into `folder`."""
    weights = folder / "learner.safetensors"
    model = f"{LEARNER}:learner"
    write_safetensors(saved_state(trainable_network(find_model(model).model, None, LABELS, 0)), weights)
    return {
        "model": model,
        "weights": str(weights),
        "data": str(composed_set(folder / "set")),
        "split": "fold:1/3",
        "train": "last:1",
        "draws": 4,
        "epochs": epochs,
        "early_stop": 0,
        "batch": 4,
        "target": "falling",
        "threads": 1,
    }


def words_of(given: Settings, out: Path) -> list[str]:
    """The words of a training with these settings."""
    options = [f"--{name.replace('_', '-')}={value}" for name, value in given.items()]
    return ["finetune", *options, "--out", str(out)]


def go_on(out: Path) -> list[str]:
    """The words that go on with it."""
    return ["finetune", "--resume", str(out)]


def table(folder: Path, given: Settings) -> Path:
    """A file of experiments: a training and a baseline, on two folds each."""
    shared = {name: value for name, value in given.items() if name not in ("split", "target")}
    path = folder / "table.yaml"
    asked = {
        "target": "falling",
        "folds": 2,
        "shared": shared,
        "runs": {"length": {"baseline": "length"}, "last": {}},
        "contrasts": [["length", "last"]],
    }
    path.write_text(yaml.safe_dump(asked))
    return path


def files(out: Path) -> dict[str, bytes]:
    """Path → bytes of every file that is left, that of the lock, which is empty, among them."""
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def stage(out: Path) -> str:
    """How far a training has come."""
    for name, seen in (
        ("model.json", "ended"),
        ("predictions.jsonl", "writing the result"),
        ("checkpoints/ended", "evaluating"),
        ("training.csv", "training"),
    ):
        if (out / name).is_file():
            return seen
    if not (out / "config.yaml").is_file():
        return "nothing"
    return "features" if any((home() / "features").glob("*.npz")) else "begun"


def stage_of_experiments(out: Path) -> str:
    """How far experiments have come."""
    if (out / "evaluation.md").is_file():
        return "ended"
    ended = sum(map(is_finished, (out / "runs").glob("*")))
    return f"{ended} of 4 trained" if (out / "experiments.yaml").is_file() else "nothing"

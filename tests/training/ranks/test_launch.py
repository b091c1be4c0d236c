"""A training in two processes: what one trains; what is left where a process dies or is interrupted."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from actionbench.datasets.composed.manifest import read_composed, write_composed
from actionbench.errors import MeasurementError
from actionbench.models.weights.formats.safetensors_files import read_safetensors
from actionbench.parsing import parse_json
from actionbench.records.training import ExamplePrediction, read_predictions
from actionbench.training import finetune as training
from actionbench.training.config import FinetuneConfig

from ..conftest import LEARNER, Quiet, composed_set

DEATH = """
            import os, pathlib
            self.steps = getattr(self, "steps", 0) + self.training
            if self.steps == 6 and pathlib.Path("kill").exists() and os.environ["RANK"] == "1":
                os.kill(os.getpid(), 9)
"""
"""In a network's forward pass: the second process dies in the third epoch, where there is a file `kill`."""


@pytest.fixture(autouse=True)
def _in_its_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ACTIONBENCH_HOME", str(tmp_path / "home"))


@pytest.fixture
def config(tmp_path: Path, quiet: Any) -> FinetuneConfig:
    """Of three epochs, in which the statistics of batch norms are those of the weights that it begins with.

    Classes are of unequal frequency, and neither the training clips nor the validation clips can be divided
    evenly: in the last batch of each, one process has no clip.
    """
    manifest = composed_set(tmp_path / "set", groups=8)
    composed = read_composed(manifest)
    gone = ("falling-0.npy", "falling-1.npy", "falling-2.npy")
    few = tuple(each for each in composed.examples if each.clip.id not in gone)
    write_composed(manifest, replace(composed, examples=few))
    network = tmp_path / "network.py"
    text = LEARNER.read_text(encoding="utf-8")
    forward = "            return self.head(self.features(x))\n"
    assert text.count(forward) == 1
    network.write_text(text.replace(forward, DEATH + forward), encoding="utf-8")
    scratch = FinetuneConfig(
        model=f"{network}:learner",
        data=str(manifest),
        weights="scratch",
        train="all",
        split="fold:1/3",
        epochs=1,
        early_stop=0,
        batch=4,
        views=2,
        learning_rate=0.1,
        lr_steps=(),
        threads=2,
        out=str(tmp_path / "first"),
    )
    first = training.finetune(scratch, quiet())
    return replace(scratch, weights=str(first), batch_norm="fixed", epochs=3)


def confusion_counts(found: list[ExamplePrediction]) -> Counter[tuple[str, str, str]]:
    """(side, class, most probable class) → examples."""
    most = [max(each.log_probabilities.items(), key=itemgetter(1))[0] for each in found]
    return Counter((each.side, each.label, answer) for each, answer in zip(found, most, strict=True))


def check_same(one: Path, other: Path) -> None:
    """The same to rounding: weights, the figures of each epoch, and what is predicted; the same answers."""
    mine, theirs = (read_safetensors(folder / "weights.safetensors") for folder in (one, other))
    assert mine.keys() == theirs.keys()
    for name in mine:
        np.testing.assert_allclose(mine[name], theirs[name], rtol=1e-5, atol=1e-6)
    tables = [
        list(csv.DictReader((folder / "training.csv").read_text().splitlines())) for folder in (one, other)
    ]
    for row, its in zip(*tables, strict=True):
        assert {name: float(value) for name, value in row.items()} == pytest.approx(
            {name: float(value) for name, value in its.items()}, rel=1e-5
        )
    answers = [read_predictions(folder) for folder in (one, other)]
    for each, its_own in zip(*answers, strict=True):
        assert (each.side, each.example, each.label) == (its_own.side, its_own.example, its_own.label)
        assert each.log_probabilities == pytest.approx(its_own.log_probabilities, abs=1e-5)
    confusion, same = map(confusion_counts, answers)
    assert confusion == same


def test_two_processes_train_what_one_trains(config: FinetuneConfig, quiet: Any, tmp_path: Path) -> None:
    one = training.finetune(replace(config, out=str(tmp_path / "one")), quiet())
    sides = parse_json((one / "split.json").read_bytes())
    assert len(sides["train"]) % config.batch == 1
    assert len(sides["validation"]) % (config.batch // config.views) == 1
    reporter = quiet()
    two = training.finetune(replace(config, devices=2, out=str(tmp_path / "two")), reporter)
    check_same(one, two)
    assert reporter.done.count("training") == config.epochs
    assert {path.name for path in two.iterdir()} == {path.name for path in one.iterdir()}


class Interrupting(Quiet):
    """A reporter in whose second epoch the user presses Ctrl-C."""

    def advance(self, note: str = "") -> None:
        super().advance(note)
        if self.done.count("training") == 2:
            raise KeyboardInterrupt


@pytest.mark.slow
def test_a_process_that_is_killed_ends_the_training_and_one_goes_on(
    config: FinetuneConfig, quiet: Any, tmp_path: Path
) -> None:
    one = training.finetune(replace(config, out=str(tmp_path / "one")), quiet())
    two, reporter = tmp_path / "two", quiet()
    (tmp_path / "kill").touch()
    killed = r"process 1 of 2 killed \(SIGKILL\)(.|\n)*Continue with: bench finetune --resume"
    with pytest.raises(MeasurementError, match=killed):
        training.finetune(replace(config, devices=2, out=str(two)), reporter)
    assert reporter.done.count("training") == 2
    assert not psutil.Process().children(recursive=True)
    reporter = quiet()
    training.resume(two, reporter, devices=1)
    assert reporter.done.count("training") == 1
    check_same(one, two)


@pytest.mark.slow
def test_an_interrupt_ends_all_processes(config: FinetuneConfig, tmp_path: Path) -> None:
    two, reporter = tmp_path / "two", Interrupting()
    with pytest.raises(KeyboardInterrupt):
        training.finetune(replace(config, devices=2, epochs=1000, out=str(two)), reporter)
    assert not psutil.Process().children(recursive=True)
    assert reporter.said == [f"interrupted; continue with: bench finetune --resume {two}"]
    assert (two / "checkpoints" / "last.ckpt").is_file()


@pytest.mark.slow
def test_an_error_of_a_process_is_that_of_the_training(config: FinetuneConfig, quiet: Any) -> None:
    wild = replace(config, learning_rate=100.0, weight_decay=10.0, epochs=40, devices=2, out="wild")
    with pytest.raises(MeasurementError, match=r"the loss is no number any more.*--learning-rate"):
        training.finetune(wild, quiet())


@pytest.mark.slow
def test_features_are_computed_once_by_all_processes(
    config: FinetuneConfig, quiet: Any, tmp_path: Path
) -> None:
    head = replace(config, train="head", batch_norm="frozen", draws=2)
    two = training.finetune(replace(head, devices=2, out=str(tmp_path / "two")), quiet())
    kept = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "home" / "features").glob("*.npz")}
    reporter = quiet()
    one = training.finetune(replace(head, out=str(tmp_path / "one")), reporter)
    assert reporter.done.count("features") == 0, "the two have made all"
    check_same(one, two)
    assert kept.keys() == {path.name for path in (tmp_path / "home" / "features").glob("*.npz")}


@pytest.mark.slow
def test_torchrun_starts_the_processes_as_well(config: FinetuneConfig, quiet: Any, tmp_path: Path) -> None:
    one = training.finetune(replace(config, out=str(tmp_path / "one")), quiet())
    two = tmp_path / "two"
    options = [
        f"--{name.replace('_', '-')}={getattr(config, name)}"
        for name in ("model", "data", "weights", "train", "split", "epochs", "batch_norm", "learning_rate")
    ]
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"),
        *(
            "-m",
            "actionbench",
            "finetune",
            *options,
            "--early-stop=0",
            "--batch=4",
            "--views=2",
            "--lr-steps=",
        ),
        *("--devices=2", f"--out={two}"),
    ]
    ended = subprocess.run(
        command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count(f"network: {two}") == 1, "the first process alone shows the result"
    check_same(one, two)

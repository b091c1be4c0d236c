"""bench finetune: from clips to a network that bench run takes, through the command line."""

from __future__ import annotations

import csv
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from actionbench.datasets.synthetic.clips import load_demo
from actionbench.models.finetuning.finetuned import read_description
from actionbench.records.run_directory import RunDirectory
from actionbench.records.training import read_predictions

pytestmark = pytest.mark.usefixtures("no_pictures", "forked_workers")

Bench = Callable[..., subprocess.CompletedProcess[str]]
LEARNER = Path(__file__).parents[2] / "networks" / "learner.py"
MOTIONS = ("jogging", "squat")


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """A recipe over the drawn set's training clips of two classes, each clip a group of its own."""
    folder = next(iter(load_demo("train"))).path.parents[1]
    path = tmp_path / "recipe.yaml"
    drawn = {
        "path": str(folder),
        "licence": "CC0",
        "groups": "video",
        "classes": {name: name for name in MOTIONS},
    }
    path.write_text(yaml.safe_dump({"labels": list(MOTIONS), "sources": {"drawn": drawn}}))
    return path


def test_compose_finetune_run(bench: Bench, recipe: Path, tmp_path: Path) -> None:
    manifest, result, run = tmp_path / "set.csv", tmp_path / "result", tmp_path / "run"
    answer = bench("data", "compose", recipe, manifest)
    assert answer.returncode == 0, answer.stderr
    config = tmp_path / "finetune.yaml"
    config.write_text(
        f"data: {manifest}\nmodel: {LEARNER}:learner\nweights: scratch\ntrain: all\nepochs: 9\n"
    )
    answer = bench(
        "finetune",
        "--config",
        config,
        "--split",
        "fold:1/3",
        "--epochs",
        2,
        "--out",
        result,
        "--target",
        MOTIONS[0],
        "--favour",
        "recall",
    )
    assert answer.returncode == 0, answer.stderr
    assert f"network: {result}" in answer.stdout
    assert "test" in answer.stdout
    point = read_description(result).operating_point
    assert point is not None
    assert str(point) in answer.stdout
    assert yaml.safe_load((result / "config.yaml").read_text())["epochs"] == 2
    answer = bench(
        *("run", "--models", f"{LEARNER}:learner", "--weights", f"*={result}", "--views", "single"),
        *("--data", manifest, "--target", MOTIONS[0], "--latency-clips", 0, "--no-report", "--threads", 1),
        *("--no-peak", "--out", run),
    )
    assert answer.returncode == 0, answer.stderr
    directory = RunDirectory(run)
    assert directory.run.models[0].operating_point == point
    scores = {each.clip: directory.scores(each) for each in directory.clips()}
    predictions = read_predictions(result)
    assert len(predictions) > 2
    for each in predictions:
        expected = np.exp([each.log_probabilities[label] for label in MOTIONS])
        np.testing.assert_allclose(scores[each.example], expected, atol=1e-5)
    answer = bench("finetune", "--resume", result)
    assert answer.returncode == 0
    assert "has ended already" in answer.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "--data: no data is named"),
        (("--data", "none.csv"), "none."),
        (("--data", "x.csv", "--epochs", 0), "--epochs: is out of range"),
        (("--resume", "x", "--epochs", 3), "--resume: takes no other option"),
        (("--resume", "x"), "holds no fine-tuning"),
    ],
)
def test_what_is_wrong_is_one_clear_error(
    bench: Bench, arguments: tuple[Any, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = bench("finetune", *arguments)
    assert answer.returncode == 2
    assert message in answer.stderr
    assert answer.stderr.count("bench: error:") == 1
    assert not list(tmp_path.rglob("*.csv"))


@pytest.mark.slow
def test_the_head_of_a_trained_network_on_real_clips(
    bench: Bench, trained_weights: Path, shared_data: Path, tmp_path: Path
) -> None:
    """Two of three classes' films are trained on; `bench run` repeats what training says of the others."""
    from actionbench.datasets.clip import Clip
    from actionbench.datasets.composed.example import ComposedSet, Example
    from actionbench.datasets.composed.manifest import write_composed

    labels = ("falling", "running", "walking")
    with (shared_data / "MANIFEST.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["dataset"].startswith("HMDB51")]
    examples = []
    for label in labels:
        of_label = {row["group"]: row for row in rows if row["label"] == label}
        for group, row in sorted(of_label.items())[:4]:
            clip = Clip(row["path"], shared_data / row["path"], label, sha256=row["sha256"])
            examples.append(Example(clip, "hmdb51", f"hmdb51/{group}", label, None))
    manifest, result, run = tmp_path / "set.csv", tmp_path / "result", tmp_path / "run"
    write_composed(manifest, ComposedSet("set", labels, tuple(examples), {"hmdb51": "CC BY 4.0"}))
    answer = bench(
        *("finetune", "--data", manifest, "--weights", trained_weights, "--split", "fold:1/2"),
        *("--crop", "centre", "--no-jitter", "--no-mirror", "--epochs", 40, "--out", result),
    )
    assert answer.returncode == 0, answer.stderr
    with (result / "training.csv").open(newline="") as file:
        losses = [float(row["training_loss"]) for row in csv.DictReader(file)]
    assert losses[-1] < 0.5 * losses[0]
    answer = bench(
        *("run", "--models", f"{result}@torch,{result}@onnx", "--data", manifest, "--views", "single"),
        *("--target", "falling", "--latency-clips", 0, "--no-report", "--no-peak", "--out", run),
    )
    assert answer.returncode == 0, answer.stderr
    directory = RunDirectory(run)
    predictions = {each.example: each for each in read_predictions(result)}
    records = [each for each in directory.clips() if each.clip in predictions]
    assert {each.model for each in records} == {"result@torch", "result@onnx"}
    for each in records:
        expected = np.exp([predictions[each.clip].log_probabilities[label] for label in labels])
        np.testing.assert_allclose(directory.scores(each), expected, atol=2e-3)

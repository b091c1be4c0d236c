"""Baselines through the command line: alone, and in a table beside a training."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from ....training.conftest import composed_set
from ...conftest import NETWORKS, Bench

pytestmark = pytest.mark.usefixtures("no_pictures")


@pytest.fixture
def squares(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ACTIONBENCH_HOME", str(tmp_path / "home"))
    return composed_set(tmp_path / "squares", groups=9)


@pytest.mark.slow
def test_a_table_of_baselines_and_a_training(bench: Bench, squares: Path, tmp_path: Path) -> None:
    network = {"model": f"{NETWORKS.parent / 'learner.py'}:learner", "weights": "scratch", "train": "all"}
    asked = {
        "target": "falling",
        "folds": 3,
        "seeds": [0],
        "shared": {**network, "data": str(squares), "epochs": 1, "threads": 1},
        "runs": {"majority": {"baseline": "majority"}, "motion": {"baseline": "motion"}, "all": None},
        "contrasts": [["majority", "motion"], ["motion", "all"]],
    }
    file, out = tmp_path / "experiments.yaml", tmp_path / "out"
    file.write_text(yaml.safe_dump(asked))
    answer = bench("experiments", file, "--out", out)
    assert answer.returncode == 0, answer.stderr
    document = json.loads((out / "evaluation.json").read_text(encoding="utf-8"))
    accuracy = {row["model"]: row["accuracy"] for row in document["evaluation"]}
    assert accuracy.keys() == {"majority", "motion", "all"}
    assert (accuracy["majority"], accuracy["motion"]) == (0.5, 1)
    endings = {path: path.stat().st_mtime_ns for path in out.rglob("predictions.jsonl")}
    assert len(endings) == 9
    again = bench("experiments", file, "--out", out)
    assert again.returncode == 0, again.stderr
    assert {path: path.stat().st_mtime_ns for path in out.rglob("predictions.jsonl")} == endings


def test_a_baseline_alone_is_no_network(bench: Bench, squares: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    answer = bench(
        "finetune", "--baseline", "brightness", "--data", squares, "--split", "fold:1/2", "--out", out
    )
    assert answer.returncode == 0, answer.stderr
    assert f"baseline: {out}" in answer.stdout
    assert "test" in answer.stdout
    assert "has ended already" in bench("finetune", "--resume", out).stderr
    for refused in (
        ("run", "--models", out, "--data", squares),
        ("finetune", "--model", out, "--data", squares, "--split", "fold:1/2"),
    ):
        answer = bench(*refused, "--out", tmp_path / "refused")
        assert answer.returncode == 2
        assert "holds the predictions of a baseline, which is no network" in answer.stderr
        assert not (tmp_path / "refused").exists()

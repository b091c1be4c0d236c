"""A table of trainings: what a file means, what is kept, what is compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from actionbench.errors import UsageError
from actionbench.records.training import read_predictions
from actionbench.training import experiments as module
from actionbench.training.experiments import predictions_of, read_experiments, run_experiments


@pytest.fixture(autouse=True)
def _in_its_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ACTIONBENCH_HOME", str(tmp_path / "home"))


@pytest.fixture
def asked(squares: Path, learner: str) -> dict[str, Any]:
    """Two runs that differ in their loss, on two folds with two seeds."""
    shared = {"model": learner, "data": str(squares), "weights": "scratch", "train": "all", "threads": 1}
    return {
        "target": "falling",
        "folds": 2,
        "seeds": [0, 1],
        "shared": {**shared, "epochs": 1, "batch": 8, "early_stop": 0},
        "runs": {"CE": {"loss": "ce"}, "WCE": None},
        "contrasts": [["CE", "WCE"]],
    }


def written(folder: Path, asked: dict[str, Any]) -> Path:
    path = folder / "experiments.yaml"
    path.write_text(yaml.safe_dump(asked))
    return path


def test_every_clip_is_tested_once_with_each_seed_and_nothing_is_trained_twice(
    asked: dict[str, Any], tmp_path: Path, quiet: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, out = written(tmp_path, asked), tmp_path / "out"
    experiments = run_experiments(path, out, quiet())
    assert len(list((out / "runs").iterdir())) == 8
    predictions = predictions_of(experiments, out)
    clips = sorted(each.example for each in predictions["CE"])
    assert clips == sorted(each.example for each in predictions["WCE"])
    assert len(set(clips)) == len(clips)
    once = {name.rpartition("#")[0] for name in clips}
    assert sorted(clips) == sorted(f"{name}#{seed}" for name in once for seed in (0, 1))
    # Both runs are trained and tested on the same folds.
    for fold in (1, 2):
        sides = [
            {each.example for each in read_predictions(out / "runs" / f"{run}-seed0-fold{fold}")}
            for run in ("CE", "WCE")
        ]
        assert sides[0] == sides[1]

    def refuse(*_: Any) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(module, "finetune", refuse)
    monkeypatch.setattr(module, "resume", refuse)
    run_experiments(path, out, quiet())
    asked["runs"]["LA"] = {"loss": "logit-adjustment"}
    with pytest.raises(AssertionError, match="trained again"):
        run_experiments(written(tmp_path, asked), out, quiet())
    asked["runs"]["CE"] = {"loss": "effective"}
    with pytest.raises(UsageError, match="settings of run `CE` have changed"):
        run_experiments(written(tmp_path, asked), out, quiet())


def test_an_interrupted_training_goes_on(
    asked: dict[str, Any], tmp_path: Path, quiet: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked |= {"folds": 2, "seeds": [0], "runs": {"CE": {"loss": "ce"}}, "contrasts": []}
    path, out = written(tmp_path, asked), tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr("actionbench.training.finetune.write_network", _interrupted)
        with pytest.raises(KeyboardInterrupt):
            run_experiments(path, out, quiet())
    begun = out / "runs" / "CE-seed0-fold1"
    assert (begun / "config.yaml").is_file()
    assert not (begun / "model.json").is_file()
    experiments = run_experiments(path, out, quiet())
    assert len(predictions_of(experiments, out)["CE"]) > 0


def _interrupted(*_: Any) -> None:
    raise KeyboardInterrupt


def test_only_settings_that_differ_are_shown(asked: dict[str, Any], tmp_path: Path) -> None:
    experiments = read_experiments(written(tmp_path, asked))
    assert experiments.own_settings() == {"CE": {"loss": "ce"}, "WCE": {"loss": "wce"}}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"runs": {}}, "must hold `runs`"),
        ({"runs": {"a b": None}}, "no name of a run"),
        ({"runs": {"A": ["loss"]}}, "run `A`"),
        ({"target": None}, "`target`"),
        ({"seeds": "0"}, "`seeds`"),
        ({"seeds": [True]}, "`seeds`"),
        ({"folds": 1}, "`folds`"),
        ({"contrasts": [["CE", "XE"]]}, "XE"),
        ({"contrasts": ["CE"]}, "two names"),
        ({"sahred": {}}, "sahred"),
    ],
)
def test_files_that_are_refused(
    asked: dict[str, Any], tmp_path: Path, change: dict[str, Any], named: str
) -> None:
    with pytest.raises(UsageError, match=named):
        read_experiments(written(tmp_path, asked | change))


def test_a_setting_that_makes_no_sense_is_named_before_anything_is_trained(
    asked: dict[str, Any], tmp_path: Path, quiet: Any
) -> None:
    asked["runs"]["WCE"] = {"loss": "wec"}
    with pytest.raises(UsageError, match="wec"):
        run_experiments(written(tmp_path, asked), tmp_path / "out", quiet())
    assert not (tmp_path / "out").exists()

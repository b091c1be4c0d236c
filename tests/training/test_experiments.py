"""A table of trainings: what a file means, what is kept, what is compared."""

from __future__ import annotations

import gc
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from actionbench.bench import experiments as comparison
from actionbench.bench.experiments import compare_experiments
from actionbench.errors import UsageError
from actionbench.operating_point import Costs
from actionbench.records.training import ExamplePrediction, read_predictions
from actionbench.training import experiments as module
from actionbench.training.experiments import Experiments, predictions_of, read_experiments, run_experiments
from actionbench.training.finetune import finetune

from .conftest import composed_set

pytestmark = pytest.mark.usefixtures("no_pictures")


@pytest.fixture(autouse=True)
def _in_its_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ACTIONBENCH_HOME", str(tmp_path / "home"))


@pytest.fixture
def asked(squares: Path, learner: str) -> dict[str, Any]:
    """Two runs that differ in their loss, on two folds with two seeds."""
    shared: dict[str, Any] = {
        "model": learner,
        "data": str(squares),
        "weights": "scratch",
        "train": "all",
        "threads": 1,
    }
    # A mapping that all runs share is one object in each of them.
    shared["max_share"] = {"falling": 0.9}
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


def test_clips_are_tested_once_with_each_seed_or_held_out_from_all_and_nothing_is_trained_twice(
    asked: dict[str, Any], tmp_path: Path, quiet: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    composed_set(tmp_path / "second", groups=1, first=50)
    # From the folder of the file.
    asked["shared"]["held_out"] = "second/set.csv"
    path, out = written(tmp_path, asked), tmp_path / "out"
    evaluation = compare_experiments(path, out, "f1", quiet())
    assert len(list((out / "runs").iterdir())) == 8
    _check_tested(read_experiments(path), out)
    _check_held_out(read_experiments(path), evaluation)

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


def test_a_folder_that_was_changed_meanwhile_is_named(
    asked: dict[str, Any], tmp_path: Path, quiet: Any
) -> None:
    asked |= {"folds": 2, "seeds": [0], "runs": {"majority": {"baseline": "majority"}}, "contrasts": []}
    path, out = written(tmp_path, asked), tmp_path / "out"
    run_experiments(path, out, quiet())
    predictions = out / "runs" / "majority-seed0-fold1" / "predictions.jsonl"
    held_out = [json.loads(line) | {"side": "held-out"} for line in predictions.read_text().splitlines()]
    with predictions.open("a") as file:
        file.writelines(json.dumps(each) + "\n" for each in held_out)
    with pytest.raises(UsageError, match=r"experiments\.yaml: majority: has predictions of a held-out set"):
        compare_experiments(path, out, "f1", quiet())
    (out / "experiments.yaml").write_text("runs: 5\n")
    with pytest.raises(UsageError, match=r"out/experiments\.yaml: is damaged: it names no `runs`; found 5"):
        run_experiments(path, out, quiet())


def test_a_run_of_which_no_clip_was_tested_is_not_compared(
    asked: dict[str, Any], tmp_path: Path, quiet: Any
) -> None:
    both = {"majority": {"baseline": "majority"}, "length": {"baseline": "length"}}
    asked |= {"seeds": [0], "runs": both, "contrasts": [["length", "majority"]]}
    path, out = written(tmp_path, asked), tmp_path / "out"
    run_experiments(path, out, quiet())
    for predictions in out.glob("runs/length-*/predictions.jsonl"):
        lines = predictions.read_text().splitlines(keepends=True)
        predictions.write_text("".join(line for line in lines if '"test"' not in line))
    with pytest.raises(
        UsageError, match=r"`contrasts` names a run of which no clip was tested.*found length"
    ):
        compare_experiments(path, out, "f1", quiet())


@pytest.mark.slow
def test_a_clip_that_several_folds_validate_counts_once_for_each(
    asked: dict[str, Any], tmp_path: Path, quiet: Any
) -> None:
    asked |= {"folds": 5, "seeds": [0], "runs": {"majority": {"baseline": "majority"}}, "contrasts": []}
    experiments = run_experiments(written(tmp_path, asked), tmp_path / "out", quiet())
    names = [each.example for each in predictions_of(experiments, tmp_path / "out", "validation")["majority"]]
    assert len({name.partition("#")[0] for name in names}) < len(names), "some clip is validated twice"
    assert len(set(names)) == len(names)


@pytest.mark.slow
def test_no_network_of_a_finished_training_is_held(
    asked: dict[str, Any], tmp_path: Path, quiet: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[int] = []

    def counted(config: Any, reporter: Any) -> Any:
        held.append(sum(type(each).__name__ == "Learner" for each in gc.get_objects()))
        return finetune(config, reporter)

    monkeypatch.setattr(module, "finetune", counted)
    asked |= {"seeds": [0], "contrasts": []}
    gc.collect()
    gc.disable()  # as it may be for long by its own rules
    try:
        run_experiments(written(tmp_path, asked), tmp_path / "out", quiet())
    finally:
        gc.enable()
    assert held == [held[0]] * 4


def _check_tested(experiments: Experiments, out: Path) -> None:
    predictions = predictions_of(experiments, out)
    clips = sorted(each.example for each in predictions["CE"])
    assert clips == sorted(each.example for each in predictions["WCE"])
    assert len(set(clips)) == len(clips)
    once = {name.rpartition("#")[0] for name in clips}
    assert clips == sorted(f"{name}#{seed}" for name in once for seed in (0, 1))
    # Both runs are trained and tested on the same folds.
    for fold in (1, 2):
        sides = [
            {each.example for each in read_predictions(out / "runs" / f"{run}-seed0-fold{fold}")}
            for run in ("CE", "WCE")
        ]
        assert sides[0] == sides[1]


def _check_held_out(experiments: Experiments, evaluation: Path) -> None:
    out = evaluation.parent
    found = predictions_of(experiments, out, "held-out")
    assert sorted(each.example for each in found["CE"]) == sorted(
        f"{label}-50.npy#seed{seed}-fold{fold}"
        for label in ("falling", "walking")
        for seed in (0, 1)
        for fold in (1, 2)
    )
    text = evaluation.read_text(encoding="utf-8").partition("## Held-out set")[2]
    assert "the best by macro F1 on the test clips" in text
    assert "predicted by the 4 networks of all folds and seeds of a run, and counts once for each" in text
    rows = json.loads((out / "evaluation.json").read_text(encoding="utf-8"))["held_out_classes"]
    assert {(row["model"], row["class"], row["examples"]) for row in rows} == {
        (run, label, 4) for run in ("CE", "WCE") for label in ("falling", "walking")
    }


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
        ({"folds": 2**32}, "`folds`"),
        ({"contrasts": [["CE", "XE"]]}, "XE"),
        ({"contrasts": ["CE"]}, "two names"),
        ({"contrasts": [[0, "CE"]]}, "two names"),
        ({"contrasts": 3}, "two names"),
        ({"sahred": {}}, "sahred"),
    ],
)
def test_files_that_are_refused(
    asked: dict[str, Any], tmp_path: Path, change: dict[str, Any], named: str
) -> None:
    with pytest.raises(UsageError, match=named):
        read_experiments(written(tmp_path, asked | change))


def test_a_file_that_is_not_there_is_named_as_it_was_given(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere\.yaml: cannot be read") as error:
        read_experiments(tmp_path / "nowhere.yaml")
    assert "--config" not in str(error.value)


def test_a_setting_that_makes_no_sense_is_named_before_anything_is_trained(
    asked: dict[str, Any], tmp_path: Path, quiet: Any
) -> None:
    asked["runs"]["WCE"] = {"loss": "wec"}
    with pytest.raises(UsageError, match="wec"):
        run_experiments(written(tmp_path, asked), tmp_path / "out", quiet())
    assert not (tmp_path / "out").exists()


def test_only_the_three_best_runs_are_evaluated_on_the_held_out_set(
    asked: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quiet: Any
) -> None:
    """Each run gets so many of eight test clips right."""
    names = {"A": 5, "B": 8, "C": 6, "D": 7}
    asked |= {"runs": {name: {"beta": 0.1 * n} for name, n in names.items()}, "contrasts": []}
    asked["shared"]["held_out"] = "other.csv"
    asked |= {"seeds": [0], "folds": 2}
    labels = ["falling", "walking"] * 4

    def predictions(_: Any, __: Path, side: str) -> dict[str, list[ExamplePrediction]]:
        found = {}
        for name, right in names.items():
            chances = [-0.1 if n < right else -3.0 for n in range(8)]
            found[name] = [
                ExamplePrediction(
                    side,  # type: ignore[arg-type]
                    f"clip{n}",
                    f"group{n}",
                    "drawn",
                    label,
                    {each: chance if each == label else -1.0 for each in ("falling", "walking")},
                )
                for n, (label, chance) in enumerate(zip(labels, chances, strict=True))
            ]
        return found

    path = written(tmp_path, asked)
    monkeypatch.setattr(comparison, "run_experiments", lambda *_: read_experiments(path))
    monkeypatch.setattr(comparison, "predictions_of", predictions)
    text = compare_experiments(path, tmp_path / "out", Costs(10, 1), quiet()).read_text(encoding="utf-8")
    assert "On other: B, D and C, the best by macro F1 on the test clips." in text
    assert "the lowest cost (a miss 10, a false alarm 1)" in text

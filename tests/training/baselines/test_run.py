"""Baselines from a set to their predictions: against scikit-learn called directly, and by hand."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler, normalize

from actionbench.array_cache import ArrayCache
from actionbench.datasets.composed.example import ComposedSet, Example
from actionbench.datasets.composed.manifest import read_composed, write_composed
from actionbench.datasets.composed.splits import folds
from actionbench.errors import ClipError, UsageError
from actionbench.models.finetuning.trainable import saved_state, trainable_network
from actionbench.models.registry import find_model
from actionbench.models.weights.formats.safetensors_files import write_safetensors
from actionbench.records.training import ExamplePrediction, read_predictions
from actionbench.training import finetune as training
from actionbench.training.baselines import run as module
from actionbench.training.baselines.classifiers import log_probabilities
from actionbench.training.baselines.run import COLUMNS
from actionbench.training.baselines.statistics import NAMES, statistics
from actionbench.training.config import FinetuneConfig
from actionbench.training.task import plan

LABELS = ("falling", "walking")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is measured of the clips is kept here for all tests: it is the same for all."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def _in_its_own_folder(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ACTIONBENCH_HOME", str(home))


@pytest.fixture
def uneven(squares: Path) -> Path:
    """The squares without half of the falls, so that classes are not of one size."""
    composed = read_composed(squares)
    kept = tuple(e for e in composed.examples if e.clip.label == "walking" or int(e.group[-1]) % 2)
    write_composed(squares, replace(composed, examples=kept))
    return squares


@pytest.fixture
def config(uneven: Path, learner: str, tmp_path: Path) -> FinetuneConfig:
    weights = tmp_path / "learner.safetensors"
    net = trainable_network(find_model(learner).model, None, LABELS, 0)
    write_safetensors(saved_state(net), weights)
    return FinetuneConfig(
        model=learner,
        data=str(uneven),
        weights=str(weights),
        split="fold:1/3",
        threads=1,
        out=str(tmp_path / "out"),
        baseline="majority",
    )


def composed_of(config: FinetuneConfig) -> ComposedSet:
    return read_composed(Path(str(config.data)))


def probabilities(predictions: list[ExamplePrediction]) -> np.ndarray:
    return np.exp([[each.log_probabilities[label] for label in LABELS] for each in predictions])


def rows_of(config: FinetuneConfig, examples: tuple[Example, ...], quiet: Any, home: Path) -> np.ndarray:
    clips = [example.clip for example in examples]
    if config.baseline != "probe":
        cache = ArrayCache(home / "features", 10**6)
        columns = [NAMES.index(name) for name in COLUMNS[str(config.baseline)]]
        values = statistics(clips, cache, quiet())[:, columns].astype(float)
        return np.asarray(values)
    task = plan(config)
    net: Any = task.network().eval()
    with torch.inference_mode():
        features = [net.features(task.windows.even(clip, 1))[0].numpy() for clip in clips]
    return np.asarray(normalize(np.stack(features).astype(float)))


def test_the_majority_is_the_classes_shares(config: FinetuneConfig, quiet: Callable[[], Any]) -> None:
    split = folds(composed_of(config), 3)[0]
    counts = Counter(str(example.clip.label) for example in split.train)
    assert counts["walking"] > counts["falling"] > 0
    folder = training.finetune(config, quiet())
    found = read_predictions(folder)
    assert [each.example for each in found] == [e.clip.id for e in (*split.validation, *split.test)]
    shares = [counts[label] / len(split.train) for label in LABELS]
    np.testing.assert_allclose(probabilities(found), [shares] * len(found))
    described = json.loads((folder / "baseline.json").read_text())
    assert (described["baseline"], described["training"]["examples"]) == ("majority", dict(counts))


@pytest.mark.parametrize(
    ("baseline", "loss"),
    [("length", "ce"), ("brightness", "wce"), ("motion", "ce"), ("probe", "ce"), ("probe", "wce")],
)
def test_what_is_fitted_is_scikit_learns(
    config: FinetuneConfig, quiet: Callable[[], Any], home: Path, baseline: str, loss: str
) -> None:
    config = replace(config, baseline=baseline, loss=loss)
    found = read_predictions(training.finetune(config, quiet()))
    split = folds(composed_of(config), 3)[0]
    evaluated = (*split.validation, *split.test)
    fitted = rows_of(config, split.train, quiet, home)
    asked = rows_of(config, evaluated, quiet, home)
    if baseline != "probe":
        scaler = StandardScaler().fit(fitted)
        fitted, asked = scaler.transform(fitted), scaler.transform(asked)
    regression = LogisticRegression(
        C=10 if baseline == "probe" else 1,
        class_weight="balanced" if loss == "wce" else None,
        max_iter=1000,
    )
    regression.fit(fitted, [str(example.clip.label) for example in split.train])
    assert tuple(regression.classes_) == LABELS
    np.testing.assert_allclose(probabilities(found), regression.predict_proba(asked), atol=1e-4)
    assert [each.label for each in found] == [example.clip.label for example in evaluated]


def test_motion_tells_sinking_from_walking(config: FinetuneConfig, quiet: Callable[[], Any]) -> None:
    found = read_predictions(training.finetune(replace(config, baseline="motion"), quiet()))
    answers = [max(each.log_probabilities, key=each.log_probabilities.__getitem__) for each in found]
    assert answers == [each.label for each in found]


@pytest.mark.parametrize("baseline", ["majority", "motion", "probe"])
def test_labels_of_clips_that_are_not_trained_on_have_no_influence(
    config: FinetuneConfig, quiet: Callable[[], Any], tmp_path: Path, baseline: str, monkeypatch: Any
) -> None:
    config = replace(config, baseline=baseline)
    first = read_predictions(training.finetune(config, quiet()))

    def other_labels(config: FinetuneConfig, *others: Any) -> Any:
        task = plan(config, *others)

        def turned(examples: tuple[Example, ...]) -> tuple[Example, ...]:
            other = {"falling": "walking", "walking": "falling"}
            return tuple(replace(e, clip=replace(e.clip, label=other[str(e.clip.label)])) for e in examples)

        split = task.split
        return replace(
            task, split=replace(split, validation=turned(split.validation), test=turned(split.test))
        )

    monkeypatch.setattr(training, "plan", other_labels)
    turned = read_predictions(training.finetune(replace(config, out=str(tmp_path / "turned")), quiet()))
    assert [each.label for each in first] != [each.label for each in turned]
    assert [each.log_probabilities for each in first] == [each.log_probabilities for each in turned]


def test_seeds_make_no_difference_and_folds_share_what_is_computed(
    config: FinetuneConfig, quiet: Callable[[], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACTIONBENCH_HOME", str(tmp_path / "home"))
    for baseline in ("motion", "probe"):
        one = replace(config, baseline=baseline, out=str(tmp_path / baseline))
        first, again = quiet(), quiet()
        folder = training.finetune(one, first)
        other = training.finetune(replace(one, seed=7, out=str(tmp_path / f"{baseline}-7")), again)
        assert (folder / "predictions.jsonl").read_bytes() == (other / "predictions.jsonl").read_bytes()
        if baseline == "probe":
            assert first.done.count("features") == len(composed_of(config).examples)
            assert "features" not in again.done
    monkeypatch.setattr(
        "actionbench.training.baselines.statistics.measure", lambda *_: pytest.fail("measured again")
    )
    fold = replace(config, baseline="length", split="fold:2/3", out=str(tmp_path / "fold"))
    training.finetune(fold, quiet())


def test_a_share_of_the_training_clips_holds_for_baselines_too(
    config: FinetuneConfig, quiet: Callable[[], Any]
) -> None:
    folder = training.finetune(replace(config, max_share={"walking": "0.5"}), quiet())
    np.testing.assert_allclose(probabilities(read_predictions(folder)), 0.5)


def test_probabilities_of_0_have_a_logarithm() -> None:
    regression = LogisticRegression().fit([[0.0], [1.0], [2.0]], [0, 1, 2])
    for classifier in (regression, LogisticRegression().fit([[0.0], [1.0]], [0, 1])):
        found = log_probabilities(classifier, np.array([[1e6], [-1e6], [0.3]]))
        assert np.isfinite(found).all()
        assert found.min() < -1000
        np.testing.assert_allclose(np.exp(found[-1]), classifier.predict_proba([[0.3]])[0])


def test_what_was_interrupted_is_gone_on_with(
    config: FinetuneConfig, quiet: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(config, baseline="length")

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "write_predictions", interrupted)
        with pytest.raises(KeyboardInterrupt):
            training.finetune(config, quiet())
    folder = Path(str(config.out))
    assert not (folder / "baseline.json").exists()
    training.resume(folder, quiet())
    assert len(read_predictions(folder)) > 0
    reporter = quiet()
    training.resume(folder, reporter)
    assert "has ended already" in reporter.said[0]


def test_a_clip_that_cannot_be_read_is_the_error_of_a_training(
    config: FinetuneConfig, quiet: Callable[[], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACTIONBENCH_HOME", str(tmp_path / "home"))
    damaged = composed_of(config).examples[0].clip.path
    damaged.write_bytes(b"no clip")
    errors = []
    for baseline in ("brightness", "probe"):  # the features of a probe are those of a training
        each = replace(config, baseline=baseline, out=baseline)
        with pytest.raises(ClipError, match=damaged.name) as raised:
            training.finetune(each, quiet())
        errors.append(str(raised.value))
    assert len(set(errors)) == 1


def test_a_baseline_without_a_network_needs_no_weights(
    config: FinetuneConfig, quiet: Callable[[], Any]
) -> None:
    for baseline in ("majority", "length"):
        folder = training.finetune(replace(config, weights=None, baseline=baseline, out=baseline), quiet())
        assert read_predictions(folder)


def test_one_class_is_refused_before_anything_is_written(
    config: FinetuneConfig, quiet: Callable[[], Any]
) -> None:
    composed = composed_of(config)
    walks = tuple(each for each in composed.examples if each.clip.label == "walking")
    write_composed(Path(str(config.data)), replace(composed, labels=("walking",), examples=walks))
    with pytest.raises(UsageError, match="nothing to tell apart"):
        training.finetune(config, quiet())
    assert not Path(str(config.out)).exists()


def test_its_folder_is_no_network(config: FinetuneConfig, quiet: Callable[[], Any]) -> None:
    folder = training.finetune(config, quiet())
    with pytest.raises(UsageError, match="holds the predictions of a baseline"):
        find_model(str(folder))

"""From a configuration to a result: the loop, what it leaves on disk, what a kill costs."""

from __future__ import annotations

import csv
import gc
import signal
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from actionbench.datasets.composed.manifest import read_composed, write_composed
from actionbench.datasets.composed.splits import folds
from actionbench.errors import MeasurementError, UsageError
from actionbench.models.finetuning.finetuned import read_description
from actionbench.models.finetuning.trainable import saved_state, trainable_network
from actionbench.models.registry import find_model
from actionbench.models.weights.formats.safetensors_files import read_safetensors, write_safetensors
from actionbench.operating_point import Costs
from actionbench.records.training import read_predictions
from actionbench.training import finetune as training
from actionbench.training.config import FinetuneConfig
from actionbench.training.result import write_network

from .conftest import composed_set

# By name, as Lightning takes seconds to import: only a process that trains imports it.
TRAINING_STEP = "actionbench.training.network.TrainedNetwork.training_step"


@pytest.fixture(autouse=True)
def _in_its_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ACTIONBENCH_HOME", str(tmp_path / "home"))


@pytest.fixture
def config(squares: Path, learner: str, tmp_path: Path) -> FinetuneConfig:
    return FinetuneConfig(
        model=learner,
        data=str(squares),
        weights="scratch",
        train="all",
        split="fold:1/3",
        epochs=4,
        early_stop=0,
        batch=4,
        lr_steps=(2,),
        threads=1,
        out=str(tmp_path / "out"),
    )


def tensors(folder: Path) -> dict[str, Any]:
    return read_safetensors(folder / "weights.safetensors")


def same(one: Path, other: Path) -> bool:
    mine, theirs = tensors(one), tensors(other)
    return mine.keys() == theirs.keys() and all(np.array_equal(mine[name], theirs[name]) for name in mine)


def test_a_training_leaves_all_that_its_result_needs(config: FinetuneConfig, quiet: Any) -> None:
    reporter = quiet()
    folder = training.finetune(config, reporter)
    assert reporter.done.count("training") == config.epochs
    network = read_description(folder)
    assert network.labels == ("falling", "walking")
    assert (network.window, network.views, network.began_with) == (4, 1, {})
    assert network.licences == {"drawn": "CC0"}
    assert (folder / "labels.txt").read_text() == "falling\nwalking\n"
    assert yaml.safe_load((folder / "config.yaml").read_text())["epochs"] == 4
    with (folder / "training.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["0", "1", "2", "3"]
    assert [float(row["learning_rate"]) for row in rows] == pytest.approx([0.01, 0.01, 0.001, 0.001])
    composed = {example.clip.id: example for example in read_composed(Path(str(config.data))).examples}
    predictions = read_predictions(folder)
    assert {each.side for each in predictions} == {"validation", "test"}
    for each in predictions:
        assert each.label == composed[each.example].clip.label
        assert each.group == composed[each.example].group
        assert sum(np.exp(list(each.log_probabilities.values()))) == pytest.approx(1, abs=1e-5)
    written = {path.parent for path in folder.parent.rglob("*") if path.is_file()}
    assert written == {folder, folder.parent / "squares"}, "nothing elsewhere, and no checkpoints at the end"


def test_the_operating_point_is_chosen_on_the_validation_examples(config: FinetuneConfig, quiet: Any) -> None:
    asked = replace(config, target="falling", cost_miss=5.0, cost_false_alarm=1.0, epochs=1)
    folder = training.finetune(asked, quiet())
    point = read_description(folder).operating_point
    assert point is not None
    assert (point.label, point.favour) == ("falling", Costs(5, 1))
    validation = [each for each in read_predictions(folder) if each.side == "validation"]
    assert point.examples == len(validation)
    assert point.positives == sum(each.label == "falling" for each in validation)
    scores = np.exp([each.log_probabilities["falling"] for each in validation])
    falls = np.array([each.label == "falling" for each in validation])

    def cost(threshold: float) -> float:
        return float(5 * (falls & (scores < threshold)).sum() + (~falls & (scores >= threshold)).sum())

    assert cost(point.threshold) == min(map(cost, [0.0, *scores, 2.0]))


def test_an_operating_point_that_cannot_be_chosen_is_refused_before_anything_is_trained(
    config: FinetuneConfig, quiet: Any, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="--target: unknown class 'flying'"):
        training.finetune(replace(config, target="flying"), quiet())
    composed = read_composed(Path(str(config.data)))
    # One group: whatever side it is on, the others lack the class.
    examples = tuple(
        each for each in composed.examples if each.clip.label == "walking" or each.group == "drawn/0"
    )
    few = replace(composed, examples=examples)
    write_composed(tmp_path / "few.csv", few)
    lacking = next(
        number
        for number, split in enumerate(folds(few, 3), 1)
        if all(each.clip.label != "falling" for each in split.validation)
    )
    asked = replace(config, data=str(tmp_path / "few.csv"), target="falling", split=f"fold:{lacking}/3")
    with pytest.raises(UsageError, match="no operating point of falling can be chosen") as raised:
        training.finetune(asked, quiet())
    assert "with it" in str(raised.value)
    assert not (tmp_path / "out").exists()


def test_what_was_killed_ends_as_if_it_had_not_been(
    config: FinetuneConfig, quiet: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from actionbench.training.network import TrainedNetwork

    whole = training.finetune(config, quiet())
    again = training.finetune(replace(config, out=str(tmp_path / "again")), quiet())
    assert same(whole, again), "the same seed, the same result"
    steps = 0

    def killed(self: Any, batch: Any, index: int) -> Any:
        nonlocal steps
        steps += 1
        if steps == 4:  # in the second epoch
            raise RuntimeError("killed")
        return step(self, batch, index)

    step = TrainedNetwork.training_step
    monkeypatch.setattr(TRAINING_STEP, killed)
    part = tmp_path / "part"
    with pytest.raises(RuntimeError, match="killed"):
        training.finetune(replace(config, out=str(part)), quiet())
    assert not (part / "model.json").exists()
    monkeypatch.undo()
    torch.rand(7)
    reporter = quiet()
    training.resume(part, reporter)
    assert same(whole, part)
    assert (whole / "training.csv").read_text() == (part / "training.csv").read_text()
    assert read_predictions(whole) == read_predictions(part)
    assert 0 < reporter.done.count("training") < config.epochs
    assert "has ended already" in _said(part, quiet())


def test_each_epoch_is_kept_also_where_it_is_no_better(
    config: FinetuneConfig, quiet: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from actionbench.training.network import TrainedNetwork

    step = TrainedNetwork.training_step

    def killed(self: Any, batch: Any, index: int) -> Any:
        if self.current_epoch == 3:
            raise RuntimeError("killed")
        return step(self, batch, index)

    monkeypatch.setattr(TRAINING_STEP, killed)
    with pytest.raises(RuntimeError, match="killed"):
        # Nothing is learnt, so that the first epoch stays the best.
        training.finetune(replace(config, epochs=4, learning_rate=1e-30, early_stop=0), quiet())
    folder = Path(str(config.out)) / "checkpoints"
    epochs = {
        name: torch.load(folder / f"{name}.ckpt", weights_only=True)["epoch"] for name in ("best", "last")
    }
    assert epochs == {"best": 0, "last": 2}


def test_an_interrupt_stays_one(config: FinetuneConfig, quiet: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt

    handler = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(TRAINING_STEP, interrupted)
    reporter = quiet()
    with pytest.raises(KeyboardInterrupt):
        training.finetune(config, reporter)
    assert reporter.said[-1] == f"interrupted; continue with: bench finetune --resume {config.out}"
    assert signal.getsignal(signal.SIGINT) is handler


@pytest.mark.slow
def test_tensorboard_has_its_log_in_the_folder(config: FinetuneConfig, quiet: Any) -> None:
    folder = training.finetune(replace(config, epochs=2, tensorboard=True), quiet())
    (log,) = (folder / "tensorboard").glob("events*")
    assert log.stat().st_size > 100


def _said(folder: Path, reporter: Any) -> str:
    training.resume(folder, reporter)
    return "\n".join(reporter.said)


def test_the_head_is_trained_on_features_and_the_rest_stays(
    config: FinetuneConfig, quiet: Any, tmp_path: Path
) -> None:
    first = training.finetune(replace(config, epochs=1), quiet())
    head = replace(config, weights=str(first), train="head", batch_norm="frozen", draws=2)
    reporter = quiet()
    folder = training.finetune(replace(head, out=str(tmp_path / "head"), seed=1), reporter)
    before, after = tensors(first), tensors(folder)
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    assert changed == {"head.weight", "head.bias"}
    examples = read_composed(Path(str(config.data))).examples
    trained = sum(read_description(folder).training["examples"].values())
    assert reporter.done.count("features") == 2 * trained + len(examples) - trained
    other = quiet()
    training.finetune(replace(head, out=str(tmp_path / "other"), seed=2, loss="ce"), other)
    assert other.done.count("features") == 0, "another experiment finds them"
    fold = quiet()
    training.finetune(replace(head, out=str(tmp_path / "fold"), split="fold:2/3"), fold)
    assert 0 < fold.done.count("features") < reporter.done.count("features"), "another fold finds most"


def test_frozen_blocks_are_computed_once_and_training_is_the_same(
    config: FinetuneConfig, quiet: Any, tmp_path: Path
) -> None:
    first = training.finetune(replace(config, epochs=1), quiet())
    last = replace(config, weights=str(first), train="last:1", crop="centre", jitter=False, mirror=False)
    kept, anew = quiet(), quiet()
    one = training.finetune(replace(last, out=str(tmp_path / "kept")), kept)
    other = training.finetune(replace(last, out=str(tmp_path / "anew"), draws=0), anew)
    assert "features" in kept.done
    assert "features" not in anew.done
    before, mine, theirs = tensors(first), tensors(one), tensors(other)
    for name in before:
        np.testing.assert_allclose(mine[name], theirs[name], rtol=1e-4, atol=1e-6)
    unchanged = {name for name in before if np.array_equal(before[name], mine[name])}
    assert {name.partition(".")[0] for name in unchanged} == {"first"}
    assert {name.partition(".")[0] for name in before.keys() - unchanged} == {"second", "head"}


def test_the_loss_falls_on_a_fixed_batch(config: FinetuneConfig, quiet: Any) -> None:
    from actionbench.training import loop
    from actionbench.training.network import TrainedNetwork

    x = torch.randn((4, 3, 4, 24, 24), generator=torch.Generator().manual_seed(0))
    items: Any = [(each, k % 2, True) for k, each in enumerate(x)]
    batches: Any = torch.utils.data.DataLoader(items, batch_size=4)
    net = trainable_network(find_model(config.model).model, None, ("a", "b"), 0)
    long = replace(config, epochs=20, lr_steps=(), learning_rate=0.05)
    folder = Path(str(config.out))
    module = TrainedNetwork(net, torch.nn.CrossEntropyLoss(), long, 2, (), validated=False)
    loop.fit(module, batches, None, long, folder, quiet())
    with (folder / "training.csv").open() as file:
        losses = [float(row["training_loss"]) for row in csv.DictReader(file)]
    assert len(losses) == 20
    assert losses[-1] < 0.5 * losses[0]


def test_a_loss_that_is_no_number_ends_it(config: FinetuneConfig, quiet: Any) -> None:
    wild = replace(config, learning_rate=100.0, weight_decay=10.0, epochs=40, batch=2)
    with pytest.raises(MeasurementError, match=r"epoch \d+: the loss is no number any more.*--learning-rate"):
        training.finetune(wild, quiet())


def numpy_bytes() -> int:
    """Bytes of all NumPy arrays that this process holds: what tracemalloc, which NumPy tells, has counted."""
    snapshot = tracemalloc.take_snapshot()
    arrays = snapshot.filter_traces([tracemalloc.DomainFilter(True, np.lib.tracemalloc_domain)])
    return sum(trace.size for trace in arrays.traces)


@pytest.mark.slow
def test_what_a_training_holds_stays_within_its_bound_and_is_released_at_its_end(
    config: FinetuneConfig, quiet: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from actionbench.training.network import TrainedNetwork

    first = training.finetune(replace(config, epochs=1), quiet())
    # The clips' frames are 369 kB, their features 387 kB.
    bound, rest = 200_000, 50_000
    last = replace(config, weights=str(first), train="last:1", memory_gb=bound / 1e9, epochs=2)
    everything = replace(config, memory_gb=bound / 1e9, epochs=2)
    held: list[int] = []

    def measured(self: Any, batch: Any, index: int) -> Any:
        held.append(numpy_bytes() - before)
        return step(self, batch, index)

    step = TrainedNetwork.training_step
    monkeypatch.setattr(TRAINING_STEP, measured)
    tracemalloc.start()
    gc.collect()
    gc.disable()  # it may find what a training has left at any time, or late
    try:
        before = numpy_bytes()
        for number, each in enumerate((last, everything, everything)):
            training.finetune(replace(each, out=str(tmp_path / str(number))), quiet())
            assert bound / 2 < max(held) < bound + rest
            assert numpy_bytes() - before < rest
            held.clear()
    finally:
        gc.enable()
        tracemalloc.stop()


def test_it_ends_when_validation_gets_no_better(config: FinetuneConfig, quiet: Any) -> None:
    still = replace(config, learning_rate=0.0, epochs=9, early_stop=2)
    folder = training.finetune(still, quiet())
    assert len((folder / "training.csv").read_text().splitlines()) == 1 + 3
    assert read_description(folder).training["best_epoch"] == 0


def killed(*_: Any) -> Any:
    raise RuntimeError("killed")


def test_a_training_that_has_stopped_early_does_not_go_on(
    config: FinetuneConfig, quiet: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    still = replace(config, learning_rate=0.0, epochs=9, early_stop=1)
    monkeypatch.setattr(training, "write_network", killed)
    with pytest.raises(RuntimeError, match="killed"):
        training.finetune(still, quiet())
    monkeypatch.setattr(training, "write_network", write_network)
    folder = Path(str(config.out))
    before = (folder / "training.csv").read_text()
    reporter = quiet()
    training.resume(folder, reporter)
    assert (folder / "training.csv").read_text() == before
    assert "training" not in reporter.done


def test_a_folder_that_was_moved_before_its_end_is_refused(
    config: FinetuneConfig, quiet: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(TRAINING_STEP, killed)
    with pytest.raises(RuntimeError, match="killed"):
        training.finetune(config, quiet())
    Path(str(config.out)).rename(tmp_path / "moved")
    with pytest.raises(UsageError, match="was moved before its training ended"):
        training.resume(tmp_path / "moved", quiet())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train": "last:7"}, "trains more blocks than there are"),
        ({"max_share": {"nothing": "0.1"}}, "--max-share nothing"),
        ({"model": "i3d"}, "--model i3d: cannot be trained"),
    ],
)
def test_what_is_wrong_leaves_no_folder(
    config: FinetuneConfig, quiet: Any, changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    weights = tmp_path / "learner.safetensors"
    net = trainable_network(find_model(config.model).model, None, ("falling", "walking"), 0)
    write_safetensors(saved_state(net), weights)
    with pytest.raises(UsageError, match=message):
        training.finetune(replace(config, weights=str(weights), **changes), quiet())
    assert not Path(str(config.out)).exists()


def test_the_plateau_rule_lowers_the_rate(config: FinetuneConfig, quiet: Any) -> None:
    folder = training.finetune(
        replace(config, learning_rate=1e-9, lr_rule="plateau", lr_patience=1, epochs=4), quiet()
    )
    with (folder / "training.csv").open() as file:
        rates = [float(row["learning_rate"]) for row in csv.DictReader(file)]
    assert rates[0] == 1e-9
    assert rates == sorted(rates, reverse=True)


def test_data_that_changed_meanwhile_is_noticed(config: FinetuneConfig, quiet: Any) -> None:
    folder = training.finetune(replace(config, epochs=1), quiet())
    (folder / "model.json").unlink()
    manifest = Path(str(config.data))
    composed = read_composed(manifest)
    write_composed(manifest, replace(composed, examples=composed.examples[:-2]))
    with pytest.raises(UsageError, match="the data is not what it was when this training began"):
        training.resume(folder, quiet())


def test_a_folder_that_is_in_use_is_not_written_over(config: FinetuneConfig, quiet: Any) -> None:
    folder = training.finetune(replace(config, epochs=1), quiet())
    before = tensors(folder)
    with pytest.raises(UsageError, match="exists and is not empty"):
        training.finetune(config, quiet())
    assert tensors(folder).keys() == before.keys()
    with pytest.raises(UsageError, match="holds no fine-tuning"):
        training.resume(folder.parent / "nothing", quiet())


def test_a_window_shorter_than_the_network_takes_is_refused(config: FinetuneConfig, quiet: Any) -> None:
    long = config.model.replace(":learner", ":patient")
    with pytest.raises(UsageError, match="--window 2: is too short for the network; expected at least 3"):
        training.finetune(replace(config, model=long, window=2), quiet())


def test_a_held_out_set_is_predicted_by_the_finished_network(
    config: FinetuneConfig, quiet: Any, tmp_path: Path
) -> None:
    config = replace(config, epochs=1)
    second = composed_set(tmp_path / "second", groups=2, first=50)
    plain = training.finetune(config, quiet())
    folder = training.finetune(replace(config, held_out=str(second), out=str(tmp_path / "with")), quiet())
    found = read_predictions(folder)
    held_out = [each for each in found if each.side == "held-out"]
    assert {(each.example, each.group, each.label) for each in held_out} == {
        (example.clip.id, example.group, example.clip.label) for example in read_composed(second).examples
    }
    # It changes neither the network nor what is predicted beside it.
    assert same(plain, folder)
    assert [each for each in found if each.side != "held-out"] == read_predictions(plain)


def test_features_of_a_held_out_set_are_kept_as_others_are(
    config: FinetuneConfig, quiet: Any, tmp_path: Path
) -> None:
    second = composed_set(tmp_path / "second", groups=2, first=50)
    config = replace(config, epochs=1)
    first = training.finetune(config, quiet())
    base = replace(config, weights=str(first / "weights.safetensors"), train="head")

    def kept() -> int:
        return sum(path.is_file() for path in (tmp_path / "home" / "features").rglob("*"))

    training.finetune(replace(base, out=str(tmp_path / "without")), quiet())
    without = kept()
    assert without > 0
    training.finetune(replace(base, held_out=str(second), out=str(tmp_path / "one")), quiet())
    assert kept() == without + 4
    training.finetune(replace(base, held_out=str(second), out=str(tmp_path / "two"), seed=1), quiet())
    assert kept() == without + 4


def test_a_held_out_set_that_does_not_fit_is_refused_before_anything_is_trained(
    config: FinetuneConfig, quiet: Any, tmp_path: Path
) -> None:
    other = composed_set(tmp_path / "other", groups=1, first=50, labels=("falling", "flying"))
    with pytest.raises(UsageError, match="label that the training set does not have: flying"):
        training.finetune(replace(config, held_out=str(other)), quiet())
    with pytest.raises(UsageError, match="shares a video with the training set"):
        training.finetune(replace(config, held_out=config.data), quiet())
    assert not Path(str(config.out)).exists()

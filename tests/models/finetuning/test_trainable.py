"""Networks that can be trained: their blocks are all of them, weights come and go unchanged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from actionbench.errors import UsageError
from actionbench.models.finetuning.trainable import Back, front, saved_state, trainable_network
from actionbench.models.registry import find_model, model_names
from actionbench.models.spec import Model, Weights
from actionbench.models.weights.formats.safetensors_files import write_safetensors

TRAINABLE = [name for name in model_names() if find_model(name).model.trainable is not None]
LABELS = ("falling", "walking")
LEARNER = f"{Path(__file__).parents[2] / 'bench' / 'networks' / 'learner.py'}:learner"
EACH = [LEARNER, *(pytest.param(name, marks=pytest.mark.slow) for name in ("i3d-rgb", "resnext", "resnet18"))]


def model_of(make: Any) -> Model:
    base = find_model("resnet18").model
    return Model("mine", "mine", base.streams, base.backends, trainable=make)


def random_weights(model: Model) -> Weights:
    return Weights("random", next(iter(model.streams.values())), seed=5)


def test_those_are_ours() -> None:
    assert TRAINABLE == ["i3d-rgb", "resnext", "resnext-64f", "resnet18"]


@pytest.mark.parametrize("name", EACH)
def test_blocks_and_head_are_the_whole_network(name: str) -> None:
    net: Any = trainable_network(find_model(name).model, None, LABELS, 0)
    parts = [*(block for _, block in net.blocks()), net.head]
    found = [id(each) for part in parts for each in (*part.parameters(), *part.buffers())]
    assert len(found) == len(set(found))
    assert set(found) == {id(each) for each in (*net.parameters(), *net.buffers())}
    assert not net.training


@pytest.mark.parametrize("name", EACH)
def test_the_end_of_a_network_computes_what_is_left(name: str) -> None:
    net: Any = trainable_network(find_model(name).model, None, LABELS, 0)
    side = 193 if name == "i3d-rgb" else 33
    x = torch.randn((1, 3, 9, side, side), generator=torch.Generator().manual_seed(0))
    every = len(net.blocks())
    with torch.inference_mode():
        expected = net(x)
        for trained in sorted({0, 1, 2, every}):
            end = Back(net, trained).eval()
            assert torch.allclose(end(front(net, x, trained)), expected, rtol=1e-5, atol=1e-6)
            assert len(end.parts) == trained + 1
            own = {id(each) for each in end.parameters()}
            frozen = {id(each) for _, block in net.blocks()[: every - trained] for each in block.parameters()}
            assert own == {id(each) for each in net.parameters()} - frozen


@pytest.mark.slow
@pytest.mark.parametrize("name", ["i3d-rgb", "resnext", "resnet18"])
def test_a_new_head_leaves_all_else_as_it_was(name: str) -> None:
    model = find_model(name).model
    weights = random_weights(model)
    mine = saved_state(trainable_network(model, weights, LABELS, 0))
    whole = saved_state(trainable_network(model, weights, tuple(map(str, range(400))), 0))
    changed = {key for key in whole if not np.array_equal(mine[key], whole[key])}
    assert len(changed) == 2
    assert all(2 in mine[key].shape and 400 in whole[key].shape for key in changed)


def test_a_head_for_other_classes_of_the_same_number_is_new(tmp_path: Path) -> None:
    model = find_model(LEARNER).model
    file = tmp_path / "learner.safetensors"
    write_safetensors(saved_state(trainable_network(model, None, LABELS, 1)), file)
    weights = Weights("user", replace(next(iter(model.streams.values())), labels=("a", "b")), file)
    kept: Any = trainable_network(model, weights, ("a", "b"), 0)
    renewed: Any = trainable_network(model, weights, LABELS, 0)
    assert torch.equal(kept.first.conv.weight, renewed.first.conv.weight)
    assert not torch.equal(kept.head.weight, renewed.head.weight)
    assert (renewed.head.bias == 0).all()


def test_chance_elsewhere_is_left_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    trainable_network(find_model(LEARNER).model, None, LABELS, 0)
    assert torch.equal(torch.rand(2), expected)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda *_: torch.nn.Linear(2, 2), "expected a torch module with head, features and blocks"),
        (lambda *_: "net", "found str"),
    ],
)
def test_what_cannot_be_trained_is_an_error(make: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        trainable_network(model_of(make), None, LABELS, 0)


def test_a_head_of_another_size_is_an_error() -> None:
    make: Any = find_model(LEARNER).model.trainable
    with pytest.raises(UsageError, match="its trainable network has another head"):
        trainable_network(model_of(lambda *_: make(None, 7, 0)), None, LABELS, 0)


def test_trained_weights_stay_what_they_are(trained_weights: Path) -> None:
    from actionbench.models.labels import labels
    from actionbench.models.weights import read_state, resolve_weights

    model = find_model("i3d-rgb").model
    weights = resolve_weights("rgb", model.streams["rgb"], trained_weights)
    net = trainable_network(model, weights, labels("kinetics-400"), 0)
    state = read_state(trained_weights, "safetensors", "rgb")
    again = saved_state(net)
    assert again.keys() == state.keys()
    assert all(np.array_equal(again[name], state[name]) for name in state)

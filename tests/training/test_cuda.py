"""What differs on a GPU, without one: torch's device `meta`, whose tensors have no values, stands for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from actionbench.errors import BackendUnavailable, UsageError
from actionbench.models.finetuning.trainable import Back, front, trainable_network
from actionbench.models.registry import find_model
from actionbench.training import finetune as training
from actionbench.training.config import FinetuneConfig
from actionbench.training.freezing import freeze
from actionbench.training.losses import LOSSES, make_loss
from actionbench.training.ranks.group import Ranks, placement

DEVICE = torch.device("meta")
LABELS = ("falling", "walking", "other")
CONFIG = FinetuneConfig(data="x")


class Devices(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Collects the devices of all tensors that are made, and of all but single values that go in."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.seen: set[torch.device] = set()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = [each for each in tree_leaves((args, kwargs)) if isinstance(each, torch.Tensor)]
        result = function(*args, **(kwargs or {}))
        made = [each for each in tree_leaves(result) if isinstance(each, torch.Tensor)]
        self.seen |= {each.device for each in (*made, *(each for each in given if each.ndim))}
        return result


@pytest.mark.parametrize(
    ("model", "side", "loss"),
    [*(("learner", 24, loss) for loss in LOSSES), ("resnet18", 112, "wce"), ("i3d-rgb", 224, "wce")],
)
def test_a_step_makes_tensors_on_the_gpu_alone(
    model: str, side: int, loss: Any, learner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from actionbench.training import network

    # There is no value that could be looked at.
    monkeypatch.setattr(network.TrainedNetwork, "_require_number", lambda *_: None)
    monkeypatch.setattr(network, "int", lambda _: 2, raising=False)
    config = replace(CONFIG, train="last:1")
    net: Any = trainable_network(find_model(learner if model == "learner" else model).model, None, LABELS, 0)
    still = freeze(net, 1, "frozen")
    criterion = make_loss(loss, dict.fromkeys(LABELS, 3))
    module = network.TrainedNetwork(Back(net, 1), criterion, config, len(LABELS), still)
    alone = SimpleNamespace(reduce=lambda tensor, **_: tensor)
    module.trainer = SimpleNamespace(world_size=1, strategy=alone)  # type: ignore[assignment]
    monkeypatch.setattr(module, "log", lambda *_, **__: None)
    module.to(DEVICE)
    net.to(DEVICE)
    optimizer = module.configure_optimizers()["optimizer"]
    pixels = torch.empty((2, 3, 16, side, side), device=DEVICE)
    targets = torch.zeros(2, dtype=torch.int64, device=DEVICE)
    counted = torch.ones(2, dtype=torch.bool, device=DEVICE)
    with Devices() as devices:
        features = front(net, pixels, 1)
        module.training_step((features, targets, counted), 0).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        network.log_probabilities(module.net, features[None])
    assert devices.seen == {DEVICE}
    assert all(each.grad is not None for each in module.parameters() if each.requires_grad)


def test_a_tensor_on_the_cpu_would_be_found() -> None:
    cpu = torch.ones(1)
    with Devices() as devices:
        torch.empty(3, device=DEVICE)
    assert devices.seen == {DEVICE}
    with Devices() as devices:
        cpu.add_(1)
    assert devices.seen == {cpu.device}


def test_gpus_count_from_the_one_that_is_named() -> None:
    config = replace(CONFIG, device="cuda:2", devices=2, nodes=4)
    assert placement(config) == {"accelerator": "gpu", "devices": [2, 3], "num_nodes": 4}
    assert placement(CONFIG) == {"accelerator": "cpu", "devices": 1, "num_nodes": 1}
    assert Ranks(rank=5, local=1, count=8).device("cuda:2") == torch.device("cuda", 3)
    assert Ranks(rank=5, local=1, count=8).device("cpu") == torch.device("cpu")


@pytest.mark.parametrize(("devices", "there"), [(1, 0), (2, 2)])
def test_gpus_that_are_not_there_are_an_error_before_anything_is_written(
    squares: Path,
    learner: str,
    quiet: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    devices: int,
    there: int,
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: there)
    config = replace(CONFIG, model=learner, data=str(squares), weights="scratch", train="all")
    asked = replace(config, device="cuda:1", devices=devices, out=str(tmp_path / "out"))
    with pytest.raises(BackendUnavailable, match=f"--device cuda:1.*found {there} CUDA devices"):
        training.finetune(asked, quiet())
    assert not (tmp_path / "out").exists()
    with pytest.raises(UsageError, match="cpu or cuda:N"):
        replace(CONFIG, device="gpu")

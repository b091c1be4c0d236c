"""3D ResNet-18: the authors' names, and against their definition written out again."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from torch.nn import functional

from actionbench.models import parity
from actionbench.models.backends.torch_network import trainable_parameters
from actionbench.models.finetuning.trainable import saved_state
from actionbench.models.random_state import random_state
from actionbench.models.resnet import architecture as resnet
from actionbench.models.resnet.onnx_graph import network_graph
from actionbench.models.resnet.torch_modules import ResNet, from_state


@pytest.fixture(scope="module")
def state() -> dict[str, Any]:
    return random_state(resnet.tensor_shapes(7), 2, resnet.random_gains())


def by_the_authors(state: dict[str, Any], x: Any) -> Any:
    """(N, C, T, H, W) to logits in float64, as models/resnet.py of the authors has it, with shortcuts A."""
    tensors = {name: torch.from_numpy(array).double() for name, array in state.items()}

    def unit(x: Any, conv: str, norm: str, stride: Any, padding: int) -> Any:
        x = functional.conv3d(x, tensors[f"{conv}.weight"], stride=stride, padding=padding)
        mean, variance, weight, bias = (
            tensors[f"{norm}.{name}"] for name in ("running_mean", "running_var", "weight", "bias")
        )
        return functional.batch_norm(x, mean, variance, weight, bias)

    x = functional.relu(unit(x, "conv1", "bn1", (1, 2, 2), 3))
    x = functional.max_pool3d(x, 3, 2, 1)
    for layer, planes in enumerate((64, 128, 256, 512), 1):
        for block in range(2):
            scope, stride = f"layer{layer}.{block}", 2 if layer > 1 and block == 0 else 1
            y = functional.relu(unit(x, f"{scope}.conv1", f"{scope}.bn1", stride, 1))
            y = unit(y, f"{scope}.conv2", f"{scope}.bn2", 1, 1)
            if stride == 2:
                x = functional.avg_pool3d(x, 1, stride)
                x = torch.cat([x, x.new_zeros(len(x), planes - x.shape[1], *x.shape[2:])], 1)
            x = functional.relu(x + y)
    return functional.linear(x.mean((2, 3, 4)), tensors["fc.weight"], tensors["fc.bias"]).numpy()


@pytest.mark.parametrize("shape", [(2, 8, 48, 48, 3), (1, 5, 41, 47, 3)])
def test_all_say_the_same(state: dict[str, Any], shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).normal(0, 40, shape).astype(np.float32)
    first = torch.from_numpy(x).permute(0, 4, 1, 2, 3)
    expected = by_the_authors(state, first.double())
    assert np.ptp(expected) > 0.1
    with torch.inference_mode():
        found = from_state(state)(first).numpy()
    (graph,) = onnxruntime.InferenceSession(network_graph(state)).run(None, {"input": x})
    assert np.abs(found - expected).max() <= parity.TOLERANCE
    assert np.abs(graph - expected).max() <= parity.TOLERANCE


def test_names_and_parameters_are_the_authors(state: dict[str, Any]) -> None:
    net = from_state(state)
    again = saved_state(net)
    assert all(np.array_equal(again[name], state[name]) for name in state)
    assert trainable_parameters(ResNet(400)) == resnet.parameters(400)

"""3D-ResNeXt-101: published size and names, and against a computation of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from actionbench.models import parity
from actionbench.models.backends.torch_network import trainable_parameters
from actionbench.models.finetuning.trainable import saved_state
from actionbench.models.registry import find_model, load_network
from actionbench.models.resnext import architecture as resnext
from actionbench.models.resnext import torch_modules as resnext_torch
from actionbench.models.spec import LoadOptions, Weights

from ..conftest import Draw


@pytest.fixture(scope="module")
def state(draw: Draw) -> dict[str, Any]:
    return draw(resnext.tensor_shapes(7), 5, resnext.random_gains())


def logits(state: dict[str, Any], x: Any) -> Any:
    with torch.inference_mode():
        return resnext_torch.from_state(state)(torch.from_numpy(x).permute(0, 4, 1, 2, 3)).numpy()


def test_parameters_are_the_published_number() -> None:
    assert resnext.parameters(400) == 48_340_816
    assert resnext.parameters(3) == 47_527_363


def test_built_network_has_the_published_number_of_parameters() -> None:
    assert trainable_parameters(resnext_torch.ResNeXt(400)) == 48_340_816


@pytest.mark.parametrize(("frames", "giga"), [(16, 9.568), (64, 38.27)])
def test_macs_are_the_published_number(frames: int, giga: float) -> None:
    assert resnext.macs({"rgb": (frames, 112, 112)}, 400) / 1e9 == pytest.approx(giga, rel=5e-4)


def test_names_are_the_authors() -> None:
    shapes = resnext.tensor_shapes(400)
    assert shapes["layer1.0.downsample.1.running_var"] == (256,)
    assert shapes["layer3.22.conv2.weight"] == (512, 16, 3, 3, 3)
    assert "layer3.22.downsample.0.weight" not in shapes
    assert shapes["fc.weight"] == (400, 2048)
    assert len(shapes) == 5 + 33 * 15 + 4 * 5 + 2


def test_names_and_shapes_are_the_torch_modules(state: dict[str, Any]) -> None:
    again = saved_state(resnext_torch.from_state(state))
    assert {name: t.shape for name, t in again.items()} == resnext.tensor_shapes(7)
    for name in state:
        np.testing.assert_array_equal(again[name], state[name])


@pytest.mark.parametrize("shape", [(16, 48, 48, 1), (5, 45, 40, 2), (1, 33, 32, 1)])
def test_equals_an_independent_computation(
    state: dict[str, Any], numpy_resnext: Any, shape: tuple[int, int, int, int]
) -> None:
    x = parity.parity_inputs(resnext.resnext(), *shape)["rgb"]
    right = numpy_resnext(state, x)
    assert right.std() > 0.3
    np.testing.assert_allclose(logits(state, x), right, atol=2e-4)


def test_wrong_epsilon_shows(
    state: dict[str, Any], numpy_resnext: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = parity.parity_inputs(resnext.resnext(), 5, 45, 40, 1)["rgb"]
    right = numpy_resnext(state, x)
    net = resnext_torch.from_state(state)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm3d):
            assert module.eps == 1e-5
            monkeypatch.setattr(module, "eps", 1e-3)
    with torch.inference_mode():
        wrong = net(torch.from_numpy(x).permute(0, 4, 1, 2, 3)).numpy()
    assert np.abs(wrong - right).max() > 2 * parity.TOLERANCE


@pytest.mark.parametrize(("name", "frames"), [("resnext", 16), ("resnext-64f", 64)])
def test_protocol_is_the_authors(name: str, frames: int) -> None:
    model = find_model(name).model
    views = model.views
    assert (views.window, views.stride, views.tail, views.average) == (frames, frames, "loop", "softmax")
    how = model.streams["rgb"].preprocessing
    assert (how.scale, how.std, how.rate) == (1.0, (1.0, 1.0, 1.0), None)
    assert how.mean == (114.7748, 107.7354, 99.4750)
    assert (how.resize, how.long_side, how.crop_offset) == ("pillow-bilinear", "floor", "half-even")


def test_network_computes_what_the_module_does(draw: Draw) -> None:
    request = find_model("resnext@torch")
    weights = {"rgb": Weights("random", request.model.streams["rgb"], seed=5)}
    network = load_network(request, weights, LoadOptions(threads=1))
    x = parity.parity_inputs(request.model, 4, 40, 45, 2)
    state = draw(resnext.tensor_shapes(400), 5, resnext.random_gains())
    answer = network.download(network.forward(network.upload(x)))
    assert answer.dtype == np.float32
    np.testing.assert_allclose(answer, logits(state, x["rgb"]), atol=1e-4)
    assert network.describe()["parameters"] == 48_340_816

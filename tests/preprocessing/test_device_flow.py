"""Flow that stays on the network's device, with the CPU as the device."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from actionbench.datasets.clip import Clip
from actionbench.datasets.sources.registry import load_clips
from actionbench.flow.registry import get_method
from actionbench.flow.tvl1_torch.method import TorchFlow
from actionbench.models.backends.torch_network import TorchNetwork
from actionbench.models.spec import LoadOptions, Model, Preprocessing, Views, WeightsDescription
from actionbench.preprocessing.device_flow import shares_device, stack_on_device
from actionbench.preprocessing.preparer import Preparer

FLOW = Preprocessing(
    modality="flow",
    rate=Fraction(5),
    short_side=48,
    resize="opencv-bilinear",
    long_side="round",
    crop=40,
    crop_offset="floor",
    flow_bound=20.0,
)
VIEWS = Views(window=2, stride=2, tail="loop", average="softmax", min_frames=1)


def drawn_clip() -> Clip:
    return load_clips("demo", vocabulary=()).clips[0]


@pytest.fixture
def method() -> TorchFlow:
    found = get_method("tvl1-fast-torch", 1, "cpu")
    assert isinstance(found, TorchFlow)
    return found


def network() -> TorchNetwork:
    description = WeightsDescription("any", "flow", "none", FLOW, VIEWS, ("a",), "ours", "here")
    model = Model("any", "any", {"flow": description}, {})
    return TorchNetwork(model, {"flow": torch.nn.Identity()}, LoadOptions())


def test_the_input_is_that_of_the_way_through_the_host(
    method: TorchFlow, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = drawn_clip()
    through_host = Preparer({"flow": FLOW}, VIEWS, flow=method)(clip)

    def no_copy(*_: object) -> Any:
        raise AssertionError("the flow went through the host")

    monkeypatch.setattr(TorchFlow, "fields", no_copy)
    on_device = Preparer({"flow": FLOW}, VIEWS, flow=method, on_device=True)(clip)
    assert len(on_device.views) == len(through_host.views) > 1
    for here, there in zip(on_device.views, through_host.views, strict=True):
        flow: Any = here["flow"]
        assert isinstance(flow, torch.Tensor)
        np.testing.assert_allclose(flow, there["flow"], atol=1e-6)
    assert on_device.stages_s.keys() == through_host.stages_s.keys()


def test_the_network_takes_what_lies_on_its_device_without_a_copy() -> None:
    tensor = stack_on_device([torch.rand(3, 40, 40, 2), torch.rand(3, 40, 40, 2)])
    taken = network().upload({"flow": tensor})["flow"]
    assert taken.shape == (2, 2, 3, 40, 40)
    assert taken.data_ptr() == tensor.data_ptr()
    from_host = network().upload({"flow": tensor.numpy()})["flow"]
    assert torch.equal(taken, from_host)


def test_only_a_torch_method_on_the_networks_own_device_leaves_its_flow_there(method: TorchFlow) -> None:
    assert shares_device(method, network())
    assert not shares_device(get_method("dis"), network())
    assert not shares_device(None, network())
    assert not shares_device(method, object())
    method.device = torch.device("cuda", 0)
    assert not shares_device(method, network())

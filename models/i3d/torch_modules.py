"""I3D in torch, equal to the authors' TensorFlow network: "SAME" padding, names and order of operations."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from .. import transforms
from ..backends.torch_layers import (
    MaxPoolFunction,
    Tuning,
    convolution,
    convolved,
    in_variant,
    pad,
    parameter,
    separable_max_pool,
)
from ..backends.torch_network import TorchNetwork
from ..spec import LoadOptions, Model, Network, Weights
from ..state import State
from . import architecture as i3d
from .tensors import stream_states


class I3D(nn.Module):
    """One stream: (N, C, T, H, W) with T ≥ 9 and H, W ≥ 193 to logits (N, classes).

    - `channels`: of the input: 3 for RGB, 2 for flow.
    - `classes`: number of classes.
    - `max_pool`: how its max pools are computed.
    - `fused_relu`: compute ReLUs with the convolutions (`torch_layers.convolved`); needs folded batch norms.

    The authors apply their 1×1×1 convolution to every window of the average pool and average the logits
    over time. The convolution is linear, so here the windows are averaged first. Frames larger than 224
    give several windows in space too, which the authors' code does not take: they are averaged likewise.
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        max_pool: MaxPoolFunction = separable_max_pool,
        fused_relu: bool = False,
    ) -> None:
        super().__init__()
        self.channels = channels
        self._max_pool = max_pool
        self._layers = i3d.layers(channels)
        unit = _FusedUnit if fused_relu else _Unit
        self.units = nn.ModuleDict({each.scope: unit(each) for each in i3d.units(channels)})
        self.head = nn.Linear(i3d.FEATURES, classes)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """What the logits are an affine function of: (N, 1024) float32."""
        return self._pooled(self._through(x, self._layers))

    def front(self, x: torch.Tensor, trained: int) -> torch.Tensor:
        """What the last `trained` blocks take, (N, C, T, H, W); a max pool before them is part of it."""
        return self._through(x, self._layers[: self._first(trained)])

    def back(self, x: torch.Tensor, trained: int) -> torch.Tensor:
        """Logits of what `front` gives."""
        logits: torch.Tensor = self.head(self._pooled(self._through(x, self._layers[self._first(trained) :])))
        return logits

    def _first(self, trained: int) -> int:
        begins = [at for at, layer in enumerate(self._layers) if not isinstance(layer, i3d.MaxPool)]
        return begins[-trained]

    def _through(self, x: torch.Tensor, layers: tuple[i3d.Layer, ...]) -> torch.Tensor:
        for layer in layers:
            if isinstance(layer, i3d.Mixed):
                x = torch.cat([reduce(self._step, branch, x) for branch in layer.branches], 1)
            else:
                x = self._step(x, layer)
        return x

    @staticmethod
    def _pooled(x: torch.Tensor) -> torch.Tensor:
        # In float32 whatever came before: torch has no such pool of bfloat16 on the CPU.
        return functional.avg_pool3d(x.float(), i3d.FINAL_POOL, 1).mean((2, 3, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (N, classes)."""
        logits: torch.Tensor = self.head(self.features(x))
        return logits

    def _step(self, x: torch.Tensor, step: i3d.Unit | i3d.MaxPool) -> torch.Tensor:
        if isinstance(step, i3d.MaxPool):
            return self._max_pool(x, step.kernel, step.stride, _sides(x, step))
        y: torch.Tensor = self.units[step.scope](x)
        return y


class _Unit(nn.Module):
    """See `i3d.Unit`; its convolution may have channels more than the input, which do not count."""

    def __init__(self, unit: i3d.Unit) -> None:
        super().__init__()
        self.unit = unit
        # "SAME" is symmetric where the stride is 1, and there the convolution pads without a copy.
        self._pads = unit.stride != (1, 1, 1)
        t, h, w = (0 if self._pads else taps // 2 for taps in unit.kernel)
        self.conv = nn.Conv3d(unit.inputs, unit.outputs, unit.kernel, unit.stride, (t, h, w), bias=False)
        self.norm = nn.BatchNorm3d(unit.outputs, eps=i3d.BATCH_NORM_EPSILON)
        self.norm.weight.requires_grad_(False)  # stays one: the authors' batch norm has no scale

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.relu(self.norm(self.conv(self.padded(x))), inplace=True)

    def padded(self, x: torch.Tensor) -> torch.Tensor:
        """What the convolution takes, which pads the rest itself."""
        if not self._pads:
            return x
        return pad(x, _sides(x, self.unit), channels=self.conv.in_channels - x.shape[1])


class _FusedUnit(_Unit):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return convolved(self.conv, self.padded(x))


def _sides(x: torch.Tensor, step: i3d.Unit | i3d.MaxPool) -> list[tuple[int, int]]:
    """The cells that "SAME" adds to T, H and W of (N, C, T, H, W)."""
    return [i3d.same_padding(*axis) for axis in zip(x.shape[2:], step.kernel, step.stride, strict=True)]


def load(model: Model, weights: Mapping[str, Weights], options: LoadOptions) -> Network:
    """The networks of the streams in `weights`, ready to compute. Raises WeightsError, BackendUnavailable."""
    states = stream_states(weights)
    modules = {stream: in_variant(state, options, from_state, folded) for stream, state in states.items()}
    parameters = sum(i3d.parameters(net.channels, net.head.out_features) for net in modules.values())
    return TorchNetwork(model, modules, options, parameters, weights)


def folded(state: State, tuning: Tuning) -> I3D:
    """One stream with batch norms folded into convolutions: for inference only.

    - `state`: tensors by the names of `i3d.tensor_shapes`.
    - `tuning`: the other exact transformations.
    """
    convolutions = i3d.folded(state)
    stem = "Conv3d_1a_7x7"
    channels = convolutions[stem].weight.shape[1]
    if tuning.wide:
        convolutions[stem] = transforms.with_input_channels(convolutions[stem])
    head = convolutions[i3d.HEAD]
    with torch.device("meta"):  # every tensor is put in its place below
        net = I3D(channels, len(head.bias), tuning.max_pool, tuning.fused_relu)
    for unit in i3d.units(channels):
        module = net.units[unit.scope]
        conv = module.get_submodule("conv")
        module.conv = convolution(convolutions[unit.scope], conv, tuning.conv)
        module.norm = nn.Identity()
    net.head.weight = parameter(head.weight.reshape(len(head.bias), -1))
    net.head.bias = parameter(head.bias)
    return net.eval()


def from_state(state: State, max_pool: MaxPoolFunction = separable_max_pool) -> I3D:
    """One stream, from tensors by the names of `i3d.tensor_shapes`.

    - `state`: the tensors.
    - `max_pool`: how its max pools are computed.
    """
    channels = state["Conv3d_1a_7x7/conv_3d/w"].shape[3]
    net = I3D(channels, len(state[f"{i3d.HEAD}/conv_3d/b"]), max_pool)
    load_state(net, state)
    return net.eval()


def load_state(net: I3D, state: State) -> None:
    """Copy the tensors of `state` (`i3d.tensor_shapes`) into `net`."""
    tensors = net.state_dict()  # shares memory with the network
    with torch.no_grad():
        for name, own in _own_names(net.channels).items():
            array = torch.from_numpy(np.ascontiguousarray(state[name]))
            if array.ndim == 5:
                array = array.permute(4, 3, 0, 1, 2)
            tensors[own].copy_(array.reshape(tensors[own].shape))


def state_of(net: I3D) -> State:
    """The tensors of `net` under their canonical names and in the authors' layout."""
    tensors = net.state_dict()
    state: State = {}
    for name, own in _own_names(net.channels).items():
        array = tensors[own].detach().cpu()
        if name.endswith("/w"):
            array = array.reshape(*array.shape, *(1,) * (5 - array.ndim)).permute(2, 3, 4, 1, 0)
        state[name] = array.contiguous().numpy().copy()
    return state


def _own_names(channels: int) -> dict[str, str]:
    """Canonical tensor name → name in `I3D.state_dict`."""
    names = {}
    for unit in i3d.units(channels):
        names[f"{unit.scope}/conv_3d/w"] = f"units.{unit.scope}.conv.weight"
        names[f"{unit.scope}/batch_norm/beta"] = f"units.{unit.scope}.norm.bias"
        names[f"{unit.scope}/batch_norm/moving_mean"] = f"units.{unit.scope}.norm.running_mean"
        names[f"{unit.scope}/batch_norm/moving_variance"] = f"units.{unit.scope}.norm.running_var"
    names[f"{i3d.HEAD}/conv_3d/w"] = "head.weight"
    names[f"{i3d.HEAD}/conv_3d/b"] = "head.bias"
    return names

"""I3D in torch, equal to the authors' TensorFlow network: "SAME" padding, names and order of operations."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from itertools import chain

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from . import i3d
from .spec import LoadOptions, Model, Network, Weights
from .state import State
from .torch_network import TorchNetwork


class I3D(nn.Module):
    """One stream: (N, C, T, H, W) with T ≥ 9 and H, W ≥ 193 to logits (N, classes).

    The authors apply their 1×1×1 convolution to every window of the average pool and average the logits
    over time. The convolution is linear, so here the windows are averaged first. Frames larger than 224
    give several windows in space too, which the authors' code does not take: they are averaged likewise.
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self._layers = i3d.layers(channels)
        self.units = nn.ModuleDict({unit.scope: _Unit(unit) for unit in i3d.units(channels)})
        self.head = nn.Linear(i3d.FEATURES, classes)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """What the logits are an affine function of: (N, 1024)."""
        for layer in self._layers:
            if isinstance(layer, i3d.Mixed):
                x = torch.cat([reduce(self._step, branch, x) for branch in layer.branches], 1)
            else:
                x = self._step(x, layer)
        return functional.avg_pool3d(x, i3d.FINAL_POOL, 1).mean((2, 3, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (N, classes)."""
        logits: torch.Tensor = self.head(self.features(x))
        return logits

    def _step(self, x: torch.Tensor, step: i3d.Unit | i3d.MaxPool) -> torch.Tensor:
        if isinstance(step, i3d.MaxPool):
            return max_pool(x, step.kernel, step.stride)
        y: torch.Tensor = self.units[step.scope](x)
        return y


class _Unit(nn.Module):
    def __init__(self, unit: i3d.Unit) -> None:
        super().__init__()
        self.unit = unit
        self.conv = nn.Conv3d(unit.inputs, unit.outputs, unit.kernel, unit.stride, bias=False)
        self.norm = nn.BatchNorm3d(unit.outputs, eps=i3d.BATCH_NORM_EPSILON)
        self.norm.weight.requires_grad_(False)  # stays one: the authors' batch norm has no scale

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        padding = [
            i3d.same_padding(size, kernel, stride)
            for size, kernel, stride in zip(x.shape[2:], self.unit.kernel, self.unit.stride, strict=True)
        ]
        if all(before == behind for before, behind in padding):
            # The convolution pads symmetrically by itself, without a copy.
            symmetric = tuple(before for before, _ in padding)
            x = functional.conv3d(x, self.conv.weight, None, self.unit.stride, symmetric)
        else:
            x = self.conv(functional.pad(x, tuple(chain.from_iterable(reversed(padding)))))
        return functional.relu(self.norm(x), inplace=True)


def max_pool(x: torch.Tensor, kernel: i3d.Triple, stride: i3d.Triple) -> torch.Tensor:
    """TensorFlow's "SAME" max pool of (N, C, T, H, W), one axis after the other.

    Exact, since a maximum of maxima is the maximum. torch's own `max_pool3d` is scalar code on the CPU and
    takes as long as all convolutions of this network together.
    """
    for axis, (taps, step) in enumerate(zip(kernel, stride, strict=True), start=2):
        if taps == 1 and step == 1:
            continue
        size = x.shape[axis]
        before, behind = i3d.same_padding(size, taps, step)
        if before or behind:
            sides = [0, 0] * (x.ndim - 1 - axis) + [before, behind]
            x = functional.pad(x, sides, value=-torch.inf)
        span = (i3d.same_size(size, step) - 1) * step + 1
        shifted = [x.narrow(axis, tap, span) for tap in range(taps)]
        if step > 1:
            index = torch.arange(0, span, step, device=x.device)
            shifted = [view.index_select(axis, index) for view in shifted]
        x = reduce(torch.maximum, shifted)
    return x


def load(model: Model, weights: Mapping[str, Weights], options: LoadOptions) -> Network:
    """The networks of the streams in `weights`, ready to compute. Raises WeightsError, BackendUnavailable."""
    states = i3d.load_states(weights)
    return TorchNetwork(model, {stream: from_state(state) for stream, state in states.items()}, options)


def from_state(state: State) -> I3D:
    """One stream with the tensors of `state` (`i3d.tensor_shapes`)."""
    channels = state["Conv3d_1a_7x7/conv_3d/w"].shape[3]
    net = I3D(channels, len(state[f"{i3d.HEAD}/conv_3d/b"]))
    with torch.no_grad():
        for name, tensor, transposed in _tensors(net):
            array = torch.from_numpy(np.ascontiguousarray(state[name]))
            tensor.copy_((array.permute(4, 3, 0, 1, 2) if transposed else array).reshape(tensor.shape))
    return net.eval()


def state_of(net: I3D) -> State:
    """The tensors of `net` under their canonical names and in the authors' layout."""
    shapes = i3d.tensor_shapes(net.units["Conv3d_1a_7x7"].unit.inputs, net.head.out_features)
    state: State = {}
    for name, tensor, transposed in _tensors(net):
        array = tensor.detach().cpu()
        if transposed:
            array = array.reshape(*array.shape[:2], *shapes[name][:3]).permute(2, 3, 4, 1, 0)
        state[name] = array.contiguous().numpy().copy()
    return state


def _tensors(net: I3D) -> list[tuple[str, torch.Tensor, bool]]:
    """(canonical name, tensor of `net`, whether the axes differ) of every tensor."""
    pairs: list[tuple[str, torch.Tensor, bool]] = []
    for scope, unit in net.units.items():
        pairs += [
            (f"{scope}/conv_3d/w", unit.conv.weight, True),
            (f"{scope}/batch_norm/beta", unit.norm.bias, False),
            (f"{scope}/batch_norm/moving_mean", unit.norm.running_mean, False),
            (f"{scope}/batch_norm/moving_variance", unit.norm.running_var, False),
        ]
    pairs.append((f"{i3d.HEAD}/conv_3d/w", net.head.weight, True))
    pairs.append((f"{i3d.HEAD}/conv_3d/b", net.head.bias, False))
    return pairs

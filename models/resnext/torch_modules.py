"""3D-ResNeXt-101 in torch, for inference and trainable. The authors' tensor names are its own."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn
from torch.nn import functional

from .. import transforms
from ..backends.torch_layers import (
    MaxPoolFunction,
    Tuning,
    convolution,
    convolved,
    in_arithmetic,
    in_variant,
    pad,
    parameter,
    separable_max_pool,
    tuned_for,
)
from ..backends.torch_network import TorchNetwork
from ..finetuning.trainable import load_state, saved_state
from ..residual.torch_modules import ResidualNetwork, to_train
from ..spec import LoadOptions, Model, Network, Weights
from ..state import State
from . import architecture as resnext
from .tensors import network_state


class ResNeXt(ResidualNetwork):
    """See `ResidualNetwork`; it has 2048 features.

    - `fused_relu`: compute the sum and ReLU with the convolution (`torch_layers.convolved`); needs folded
      batch norms.
    """

    def __init__(
        self, classes: int, max_pool: MaxPoolFunction = separable_max_pool, fused_relu: bool = False
    ) -> None:
        bottleneck = FusedBottleneck if fused_relu else Bottleneck
        residual = ((block.scope, bottleneck(block)) for block in resnext.bottlenecks())
        super().__init__(residual, resnext.FEATURES, classes, max_pool)
        self._fused_relu = fused_relu

    def first_convolution(self, x: torch.Tensor) -> torch.Tensor:
        """See `ResidualNetwork`; channels that the convolution has beyond the input's do not count."""
        x = pad(x, [(0, 0)] * 3, channels=self.conv1.in_channels - x.shape[1])
        return convolved(self.conv1, x) if self._fused_relu else super().first_convolution(x)

    def for_inference(self) -> ResNeXt:
        """The same with folded batch norms, as the torch backend runs it on the CPU."""
        return in_arithmetic(folded(saved_state(self), tuned_for(LoadOptions())), "fp32", "cpu")


class Bottleneck(nn.Module):
    """See `resnext.Bottleneck`."""

    def __init__(self, block: resnext.Bottleneck, cardinality: int = resnext.CARDINALITY) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(block.inputs, block.width, 1, bias=False)
        self.bn1 = nn.BatchNorm3d(block.width)
        self.conv2 = nn.Conv3d(block.width, block.width, 3, block.stride, 1, groups=cardinality, bias=False)
        self.bn2 = nn.BatchNorm3d(block.width)
        self.conv3 = nn.Conv3d(block.width, block.outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm3d(block.outputs)
        self.downsample = nn.Sequential()
        if block.shortcut:
            self.downsample.append(nn.Conv3d(block.inputs, block.outputs, 1, block.stride, bias=False))
            self.downsample.append(nn.BatchNorm3d(block.outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, inputs, T, H, W) to (N, outputs, ⌈T/stride⌉, ⌈H/stride⌉, ⌈W/stride⌉)."""
        y = functional.relu(self.bn1(self.conv1(x)), inplace=True)
        y = functional.relu(self.bn2(self.conv2(y)), inplace=True)
        y = self.bn3(self.conv3(y))
        return functional.relu(y + self.downsample(x), inplace=True)


class FusedBottleneck(Bottleneck):
    """The same with folded batch norms, its sum and ReLUs computed with the convolutions."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """See `Bottleneck.forward`."""
        return convolved(self.conv3, convolved(self.conv2, convolved(self.conv1, x)), self.downsample(x))


def load(model: Model, weights: Mapping[str, Weights], options: LoadOptions) -> Network:
    """The network with `weights["rgb"]`, ready to compute. Raises WeightsError, BackendUnavailable."""
    net = in_variant(network_state(weights["rgb"]), options, from_state, folded)
    return TorchNetwork(model, {"rgb": net}, options, resnext.parameters(net.fc.out_features), weights)


def folded(state: State, tuning: Tuning) -> ResNeXt:
    """The network with batch norms folded into convolutions: for inference only.

    - `state`: tensors by the names of `resnext.tensor_shapes`.
    - `tuning`: the other exact transformations.
    """
    convolutions = resnext.folded(state)
    if tuning.wide:
        convolutions = {name: transforms.with_wider_groups(each) for name, each in convolutions.items()}
        convolutions["conv1"] = transforms.with_input_channels(convolutions["conv1"])
    with torch.device("meta"):  # every tensor is put in its place below
        net = ResNeXt(len(state["fc.bias"]), tuning.max_pool, tuning.fused_relu)
    for name, each in convolutions.items():
        net.set_submodule(name, convolution(each, net.get_submodule(name), tuning.conv))
    for name, module in list(net.named_modules()):
        if isinstance(module, nn.BatchNorm3d):
            net.set_submodule(name, nn.Identity())
    net.fc.weight = parameter(state["fc.weight"])
    net.fc.bias = parameter(state["fc.bias"])
    return net.eval()


def from_state(state: State, max_pool: MaxPoolFunction = separable_max_pool) -> ResNeXt:
    """The network, from tensors by the names of `resnext.tensor_shapes`.

    - `state`: the tensors.
    - `max_pool`: how its max pool is computed.
    """
    net = ResNeXt(len(state["fc.bias"]), max_pool)
    load_state(net, state)
    return net.eval()


def network(weights: Weights | None, classes: int, seed: int) -> ResNeXt:
    """See `spec.Trainable`."""
    state = None if weights is None else network_state(weights)
    return to_train(ResNeXt, from_state, state, classes, seed)

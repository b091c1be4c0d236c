"""3D ResNet-18 in torch, plain and trainable. The authors' tensor names are its own."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn
from torch.nn import functional

from ..backends.torch_layers import MaxPoolFunction, separable_max_pool, torch_max_pool
from ..backends.torch_network import TorchNetwork
from ..finetuning.trainable import load_state
from ..residual.torch_modules import ResidualNetwork, to_train
from ..spec import LoadOptions, Model, Network, Weights
from ..state import State
from . import architecture as resnet
from .tensors import network_state


class ResNet(ResidualNetwork):
    """See `ResidualNetwork`; it has 512 features."""

    def __init__(self, classes: int, max_pool: MaxPoolFunction = separable_max_pool) -> None:
        residual = ((block.scope, BasicBlock(block)) for block in resnet.blocks())
        super().__init__(residual, resnet.FEATURES, classes, max_pool)


class BasicBlock(nn.Module):
    """See `resnet.Basic`."""

    def __init__(self, block: resnet.Basic) -> None:
        super().__init__()
        self._stride = block.stride
        self._missing = block.outputs - block.inputs
        self.conv1 = nn.Conv3d(block.inputs, block.outputs, 3, block.stride, 1, bias=False)
        self.bn1 = nn.BatchNorm3d(block.outputs)
        self.conv2 = nn.Conv3d(block.outputs, block.outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm3d(block.outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, inputs, T, H, W) to (N, outputs, ⌈T/stride⌉, ⌈H/stride⌉, ⌈W/stride⌉)."""
        y = functional.relu(self.bn1(self.conv1(x)), inplace=True)
        y = self.bn2(self.conv2(y))
        step = slice(None, None, self._stride)
        shortcut = functional.pad(x[:, :, step, step, step], (0,) * 7 + (self._missing,))
        return functional.relu(y + shortcut, inplace=True)


def load(model: Model, weights: Mapping[str, Weights], options: LoadOptions) -> Network:
    """The network with `weights["rgb"]`, ready to compute. Raises WeightsError, BackendUnavailable.

    It is not tuned: both variants are the plain network, and only the max pool differs.
    """
    state = network_state(weights["rgb"])
    net = from_state(state, torch_max_pool if options.variant == "plain" else separable_max_pool)
    return TorchNetwork(model, {"rgb": net}, options, resnet.parameters(net.fc.out_features), weights)


def from_state(state: State, max_pool: MaxPoolFunction = separable_max_pool) -> ResNet:
    """The network with the tensors of `state` (`resnet.tensor_shapes`)."""
    net = ResNet(len(state["fc.bias"]), max_pool)
    load_state(net, state)
    return net.eval()


def network(weights: Weights | None, classes: int, seed: int) -> ResNet:
    """See `spec.Trainable`."""
    state = None if weights is None else network_state(weights)
    return to_train(ResNet, from_state, state, classes, seed)

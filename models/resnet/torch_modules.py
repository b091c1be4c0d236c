"""3D ResNet-18 in torch, plain and trainable. The authors' tensor names are its own."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn
from torch.nn import functional

from ..backends.torch_layers import MaxPoolFunction, separable_max_pool, torch_max_pool
from ..backends.torch_network import TorchNetwork
from ..finetuning.trainable import initialise, load_state, renew_head, with_classes
from ..spec import LoadOptions, Model, Network, Weights
from ..state import State
from . import architecture as resnet
from .tensors import network_state

_PARTS = 5
"""The stem, and four layers."""


class ResNet(nn.Module):
    """(N, 3, T, H, W), any T, H, W, to logits (N, classes); see `TrainableNetwork`.

    `max_pool`: how its max pool is computed.
    """

    def __init__(self, classes: int, max_pool: MaxPoolFunction = separable_max_pool) -> None:
        super().__init__()
        self._max_pool = max_pool
        self.conv1 = nn.Conv3d(3, resnet.STEM, 7, (1, 2, 2), 3, bias=False)
        self.bn1 = nn.BatchNorm3d(resnet.STEM)
        layers: dict[str, list[BasicBlock]] = {}
        for block in resnet.blocks():
            layers.setdefault(block.scope.split(".")[0], []).append(BasicBlock(block))
        self.layer1, self.layer2, self.layer3, self.layer4 = (
            nn.Sequential(*blocks) for blocks in layers.values()
        )
        self.fc = nn.Linear(resnet.FEATURES, classes)

    @property
    def head(self) -> nn.Linear:
        return self.fc

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """What the logits are an affine function of: (N, 512) float32."""
        return self._through(x, 0, _PARTS).mean((2, 3, 4), dtype=torch.float32)

    def front(self, x: torch.Tensor, trained: int) -> torch.Tensor:
        """What the last `trained` of the stem and the four layers take, (N, C, T, H, W)."""
        return self._through(x, 0, _PARTS - trained)

    def back(self, x: torch.Tensor, trained: int) -> torch.Tensor:
        """Logits of what `front` gives."""
        x = self._through(x, _PARTS - trained, _PARTS)
        logits: torch.Tensor = self.fc(x.mean((2, 3, 4), dtype=torch.float32))
        return logits

    def _through(self, x: torch.Tensor, begin: int, end: int) -> torch.Tensor:
        if begin == 0 and end > 0:
            x = functional.relu(self.bn1(self.conv1(x)), inplace=True)
            x = self._max_pool(x, (3, 3, 3), (2, 2, 2), [(1, 1)] * 3)
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4)[
            max(begin - 1, 0) : max(end - 1, 0)
        ]:
            x = layer(x)
        return x

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (N, classes)."""
        logits: torch.Tensor = self.fc(self.features(x))
        return logits

    def blocks(self) -> list[tuple[str, nn.Module]]:
        """The stem, and the four layers."""
        layers = ("layer1", "layer2", "layer3", "layer4")
        stem = nn.ModuleList((self.conv1, self.bn1))
        return [("stem", stem), *((name, self.get_submodule(name)) for name in layers)]


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
    if weights is None:
        net = ResNet(classes)
        initialise(net, seed)
        renew_head(net.fc, seed)
        return net
    net = from_state(network_state(weights))
    net.fc = with_classes(net.fc, classes, seed)
    return net

"""3D-ResNeXt-101 in torch. Submodules are named so that the authors' tensor names are its own."""

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
    in_variant,
    pad,
    parameter,
    separable_max_pool,
)
from ..backends.torch_network import TorchNetwork
from ..finetuning.trainable import load_state
from ..spec import LoadOptions, Model, Network, Weights
from ..state import State
from . import architecture as resnext
from .tensors import network_state

_PARTS = 5
"""The stem, and four layers."""


class ResNeXt(nn.Module):
    """(N, 3, T, H, W), any T, H, W, to logits (N, classes).

    - `classes`: number of classes.
    - `max_pool`: how its max pool is computed.
    - `fused_relu`: compute the sum and ReLU with the convolution (`torch_layers.convolved`); needs folded
      batch norms.

    The authors' average pool has the size of the last feature map (⌈T/16⌉×⌈S/32⌉×⌈S/32⌉): the mean over it.
    """

    def __init__(
        self, classes: int, max_pool: MaxPoolFunction = separable_max_pool, fused_relu: bool = False
    ) -> None:
        super().__init__()
        bottleneck = FusedBottleneck if fused_relu else Bottleneck
        self._max_pool = max_pool
        self._fused_relu = fused_relu
        self.conv1 = nn.Conv3d(3, resnext.STEM, 7, (1, 2, 2), 3, bias=False)
        self.bn1 = nn.BatchNorm3d(resnext.STEM)
        layers: dict[str, list[Bottleneck]] = {}
        for block in resnext.bottlenecks():
            layers.setdefault(block.scope.split(".")[0], []).append(bottleneck(block))
        self.layer1, self.layer2, self.layer3, self.layer4 = (
            nn.Sequential(*blocks) for blocks in layers.values()
        )
        self.fc = nn.Linear(resnext.FEATURES, classes)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """What the logits are an affine function of: (N, 2048) float32."""
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
            # Channels more than the input has do not count.
            x = pad(x, [(0, 0)] * 3, channels=self.conv1.in_channels - x.shape[1])
            if self._fused_relu:
                x = convolved(self.conv1, x)
            else:
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

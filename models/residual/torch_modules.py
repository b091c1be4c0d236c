"""What Hara's 3D residual networks have in common in torch: all but their residual blocks.

Submodules are named so that the authors' tensor names are a network's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import torch
from torch import nn
from torch.nn import functional

from ..backends.torch_layers import MaxPoolFunction
from ..finetuning.trainable import initialise, renew_head, with_classes
from ..state import State
from .architecture import STEM

_PARTS = 5
"""The stem, and four layers."""


class ResidualNetwork(nn.Module):
    """(N, 3, T, H, W), any T, H, W, to logits (N, classes); see `TrainableNetwork`.

    - `residual`: name, such as "layer1.0", and module of each residual block, in order.
    - `width`: channels that the logits are computed from. `classes`: number of classes.
    - `max_pool`: how its max pool is computed.

    The authors' average pool has the size of the last feature map (⌈T/16⌉×⌈S/32⌉×⌈S/32⌉): the mean over it.
    """

    def __init__(
        self, residual: Iterable[tuple[str, nn.Module]], width: int, classes: int, max_pool: MaxPoolFunction
    ) -> None:
        super().__init__()
        self._max_pool = max_pool
        self.conv1 = nn.Conv3d(3, STEM, 7, (1, 2, 2), 3, bias=False)
        self.bn1 = nn.BatchNorm3d(STEM)
        layers: dict[str, list[nn.Module]] = {}
        for scope, block in residual:
            layers.setdefault(scope.split(".")[0], []).append(block)
        self.layer1, self.layer2, self.layer3, self.layer4 = (
            nn.Sequential(*blocks) for blocks in layers.values()
        )
        self.fc = nn.Linear(width, classes)

    @property
    def head(self) -> nn.Linear:
        return self.fc

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """What the logits are an affine function of: (N, width) float32."""
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
            x = self.stem(x)
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4)[
            max(begin - 1, 0) : max(end - 1, 0)
        ]:
            x = layer(x)
        return x

    def stem(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 3, T, H, W) to (N, 64, ⌈T/2⌉, ⌈H/4⌉, ⌈W/4⌉)."""
        return self._max_pool(self.first_convolution(x), (3, 3, 3), (2, 2, 2), [(1, 1)] * 3)

    def first_convolution(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 3, T, H, W) to (N, 64, T, ⌈H/2⌉, ⌈W/2⌉), with batch norm and ReLU."""
        return functional.relu(self.bn1(self.conv1(x)), inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (N, classes)."""
        logits: torch.Tensor = self.fc(self.features(x))
        return logits

    def blocks(self) -> list[tuple[str, nn.Module]]:
        """The stem, and the four layers: what the authors' option `--ft_begin_index` counts."""
        layers = ("layer1", "layer2", "layer3", "layer4")
        stem = nn.ModuleList((self.conv1, self.bn1))
        return [("stem", stem), *((name, self.get_submodule(name)) for name in layers)]


Net = TypeVar("Net", bound=ResidualNetwork)


def to_train(
    net: Callable[[int], Net],
    from_state: Callable[[State], Net],
    state: State | None,
    classes: int,
    seed: int,
) -> Net:
    """A network that begins from tensors, with a new head where they are of another number of classes, or
    from scratch; see `spec.Trainable`.

    - `net`: makes one of so many classes. `from_state`: one of tensors. `state`: those; None: from scratch.
    """
    if state is None:
        new = net(classes)
        initialise(new, seed)
        renew_head(new.fc, seed)
        return new
    found = from_state(state)
    found.fc = with_classes(found.fc, classes, seed)
    return found

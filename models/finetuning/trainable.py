"""What a torch network must provide to be trained, and its initialisation: from weights or from scratch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import partial
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np
import torch
from torch import nn

from ...errors import UsageError
from ...registry import LOAD_REMEDY, load
from ..labels import labels
from ..spec import Model, Weights
from ..state import State

_HEAD_STD = 0.01  # of a new head's weights: small against features of about 1, so that no class is favoured


@runtime_checkable
class TrainableNetwork(Protocol):
    """A torch module, (N, C, T, H, W) float32 as the network takes it to logits (N, classes).

    - `head`: its last layer, from features to logits.

    Optional members:

    - `state() -> State`: the tensors under the names that the network's loaders read; without it, its state
      dict.
    - `front(x, trained)`, `back(x, trained)`: the input of the last `trained` blocks, and the logits from it.
      Without them all of the network is computed for each step that trains some of its blocks.
    - `for_inference() -> nn.Module`: a module whose `features` and `front` give the same faster on the CPU;
      without it, itself.
    """

    head: nn.Linear

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """The input of `head`: (N, features) float32."""

    def blocks(self) -> list[tuple[str, nn.Module]]:
        """Name and module of all parts but the head, front to back: what can be frozen one by one."""


def trainable_network(model: Model, weights: Weights | None, names: tuple[str, ...], seed: int) -> nn.Module:
    """The network of `model` with the classes `names`, to be trained; in evaluation mode.

    - `weights`: of its stream; None to begin from scratch. Their head is kept if it is for the same classes.
    - `seed`: of random weights: those of a new head, or all of a network from scratch.

    Raises UsageError if the model cannot be trained or its function gives something else, BackendUnavailable
    if it cannot be loaded, and WeightsError as the network's loader does.
    """
    if model.trainable is None:
        raise UsageError(
            "cannot be trained",
            where=model.name,
            remedy="Set `trainable` of its Model (docs/adding-a-network.md), or name another network",
        )
    make = load(model.trainable, f"the trainable network of {model.name}", LOAD_REMEDY)
    with _seeded(seed):
        net = make(weights, len(names), seed)
    if not isinstance(net, nn.Module) or not isinstance(net, TrainableNetwork):
        raise UsageError(
            "its trainable network lacks what training needs",
            where=model.name,
            expected="a torch module with head, features and blocks",
            found=type(net).__name__,
        )
    if not isinstance(net.head, nn.Linear) or net.head.out_features != len(names):
        raise UsageError(
            "its trainable network has another head",
            where=model.name,
            expected=f"a torch.nn.Linear with {len(names)} outputs",
            found=net.head,
        )
    if weights is not None and labels(weights.description.labels) != names:
        renew_head(net.head, seed)
    return net.eval()


def renew_head(head: nn.Linear, seed: int) -> None:
    """Give `head` small random weights, and no bias."""
    with _seeded(seed):
        nn.init.normal_(head.weight, std=_HEAD_STD)
        nn.init.zeros_(head.bias)


def with_classes(head: nn.Linear, classes: int, seed: int) -> nn.Linear:
    """`head`, or a new one if it has another number of classes."""
    if head.out_features == classes:
        return head
    new = nn.Linear(head.in_features, classes)
    renew_head(new, seed)
    return new


def initialise(net: nn.Module, seed: int) -> None:
    """Initialise a network from scratch, as Hara's code does (3D-ResNets-PyTorch, models/resnet.py).

    Convolutions are normal with variance 2 / fan-out (He et al., arXiv:1502.01852), batch norms the identity.
    """
    with _seeded(seed):
        for module in net.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.BatchNorm3d):
                module.reset_running_stats()
                nn.init.ones_(module.weight)
                nn.init.zeros_(module.bias)


def saved_state(net: nn.Module) -> State:
    """The tensors of a trainable network under the names that its loaders read, float32."""
    own = getattr(net, "state", None)
    if callable(own):
        return cast(State, own())
    return {
        name: np.array(tensor.detach().cpu().float().numpy(), order="C")
        for name, tensor in net.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }


def load_state(net: nn.Module, state: State) -> None:
    """Copy the tensors of `state`, named as those of `net`, into it."""
    tensors = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in state.items()}
    # In no file of weights, and without influence on inference.
    counters = {name: t for name, t in net.state_dict().items() if name.endswith("num_batches_tracked")}
    net.load_state_dict(tensors | counters)


class Back(nn.Module):
    """The last `trained` blocks of a trainable network and its head: from what `front` gives to logits.

    It has the parameters of that part alone, which are the network's own.
    """

    def __init__(self, net: Any, trained: int) -> None:
        super().__init__()
        blocks = [block for _, block in net.blocks()]
        self.parts = nn.ModuleList([*blocks[len(blocks) - trained :], net.head])
        # As functions: the network is not to be a part of this.
        self._logits: Callable[[torch.Tensor], torch.Tensor] = net.head.forward
        if trained:
            self._logits = partial(net.back, trained=trained)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (N, classes)."""
        return self._logits(x)


def has_front(net: nn.Module, trained: int) -> bool:
    """Whether what `trained` blocks take can be computed apart from them."""
    return trained == 0 or (callable(getattr(net, "front", None)) and callable(getattr(net, "back", None)))


def front(net: Any, x: torch.Tensor, trained: int) -> torch.Tensor:
    """The input of the last `trained` blocks; of the head, if that is none."""
    found: torch.Tensor = net.features(x) if trained == 0 else net.front(x, trained)
    return found


def for_inference(net: nn.Module, on_cpu: bool = True) -> nn.Module:
    """A module whose `features` and `front` give what those of `net` give now.

    A copy in evaluation mode, or on the CPU a faster module, where `net` knows how.
    """
    own = getattr(net, "for_inference", None)
    return cast(nn.Module, own()) if on_cpu and callable(own) else deepcopy(net).eval()


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """torch's random numbers are those of `seed` inside, and what they were afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield

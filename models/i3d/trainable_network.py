"""I3D's streams as they are trained."""

from __future__ import annotations

from itertools import groupby

from torch import nn

from ..backends.torch_layers import in_arithmetic, tuned_for
from ..finetuning.trainable import initialise, renew_head, with_classes
from ..spec import LoadOptions, Weights
from ..state import State
from . import architecture as i3d
from .tensors import stream_state
from .torch_modules import I3D, folded, load_state, state_of


class TrainableI3D(I3D):
    """See `TrainableNetwork`."""

    def blocks(self) -> list[tuple[str, nn.Module]]:
        """The three convolutions of the stem, and the nine inception blocks."""
        scopes = groupby(self.units, key=lambda scope: scope.partition("/")[0])
        return [(name, nn.ModuleList(self.units[scope] for scope in group)) for name, group in scopes]

    def state(self) -> State:
        """The tensors under their canonical names (`architecture.tensor_shapes`)."""
        return state_of(self)

    def for_inference(self) -> I3D:
        """The same with folded batch norms, as the torch backend runs it on the CPU."""
        return in_arithmetic(folded(state_of(self), tuned_for(LoadOptions())), "fp32", "cpu")


def rgb_network(weights: Weights | None, classes: int, seed: int) -> TrainableI3D:
    """See `spec.Trainable`: the RGB stream."""
    channels = i3d.CHANNELS["rgb"]
    if weights is None:
        net = TrainableI3D(channels, classes)
        initialise(net, seed)
        renew_head(net.head, seed)
        return net
    state = stream_state("rgb", weights)
    net = TrainableI3D(channels, len(state[f"{i3d.HEAD}/conv_3d/b"]))
    load_state(net, state)
    net.head = with_classes(net.head, classes, seed)
    return net

"""3D-ResNeXt-101 as it is trained."""

from __future__ import annotations

from torch import nn

from ..backends.torch_layers import in_arithmetic, tuned_for
from ..finetuning.trainable import initialise, load_state, renew_head, saved_state, with_classes
from ..spec import LoadOptions, Weights
from .tensors import network_state
from .torch_modules import ResNeXt, folded


class TrainableResNeXt(ResNeXt):
    """See `TrainableNetwork`; the authors' name for its head is `fc`."""

    @property
    def head(self) -> nn.Linear:
        return self.fc

    def blocks(self) -> list[tuple[str, nn.Module]]:
        """The stem, and the four layers: what the authors' option `--ft_begin_index` counts."""
        layers = ("layer1", "layer2", "layer3", "layer4")
        stem = nn.ModuleList((self.conv1, self.bn1))
        return [("stem", stem), *((name, self.get_submodule(name)) for name in layers)]

    def for_inference(self) -> ResNeXt:
        """The same with folded batch norms, as the torch backend runs it on the CPU."""
        return in_arithmetic(folded(saved_state(self), tuned_for(LoadOptions())), "fp32", "cpu")


def network(weights: Weights | None, classes: int, seed: int) -> TrainableResNeXt:
    """See `spec.Trainable`."""
    if weights is None:
        net = TrainableResNeXt(classes)
        initialise(net, seed)
        renew_head(net.fc, seed)
        return net
    state = network_state(weights)
    net = TrainableResNeXt(len(state["fc.bias"]))
    load_state(net, state)
    net.fc = with_classes(net.fc, classes, seed)
    return net

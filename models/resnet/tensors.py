"""ResNet-18's tensors, out of the weights that a run uses."""

from __future__ import annotations

from ..loading import load_state
from ..spec import Weights
from ..state import State
from . import architecture as resnet


def network_state(weights: Weights) -> State:
    """The tensors (`resnet.tensor_shapes`). Raises as `load_state` does."""
    return load_state(weights, resnet.tensor_shapes, head="fc.bias", gains=resnet.random_gains())

"""The random network that ResNeXt's demo weights are fitted in."""

from __future__ import annotations

from ..demo import RandomNetwork
from ..finetuning.trainable import saved_state
from ..random_state import random_state
from ..spec import WeightsDescription
from ..weights import write_state
from . import architecture as resnext
from .torch_modules import from_state


def random_network(description: WeightsDescription, classes: int, seed: int) -> RandomNetwork:
    """See `DemoWeights.network`: saved in the format of `description`."""
    net = from_state(random_state(resnext.tensor_shapes(classes), seed, resnext.random_gains()))
    return RandomNetwork(
        net,
        net.features,
        net.fc,
        lambda path: write_state(saved_state(net), path, description.format, description.stream),
    )

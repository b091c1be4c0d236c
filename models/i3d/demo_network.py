"""The random network that I3D's demo weights are fitted in."""

from __future__ import annotations

from ..demo import RandomNetwork
from ..random_state import random_state
from ..spec import WeightsDescription
from ..weights import write_state
from . import architecture as i3d
from .torch_modules import from_state, state_of


def random_network(description: WeightsDescription, classes: int, seed: int) -> RandomNetwork:
    """See `DemoWeights.network`: the stream of `description`, saved in its format."""
    stream = description.stream
    net = from_state(random_state(i3d.tensor_shapes(i3d.CHANNELS[stream], classes), seed, {}))
    return RandomNetwork(
        net,
        net.features,
        net.head,
        lambda path: write_state(state_of(net), path, description.format, stream),
    )

"""The networks that a model is loaded as: one, or one for each stream, which can compute at the same time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ...models.registry import ModelRequest, load_network
from ...models.spec import ConcurrentNetwork, LoadOptions, Network, Weights


@dataclass(frozen=True, slots=True)
class StreamNetwork:
    """A network that computes some or all of the model's streams; the logits of several are added."""

    streams: tuple[str, ...]
    network: Network

    @property
    def at_once(self) -> bool:
        """Several forward calls may overlap."""
        return isinstance(self.network, ConcurrentNetwork) and self.network.concurrent


def load_stream_networks(
    request: ModelRequest, weights: Mapping[str, Weights], options: LoadOptions, apart: bool
) -> tuple[StreamNetwork, ...]:
    """One network; with `apart` one for each stream, of a model of ours.

    The loader of anybody else's model may want all streams at once. Raises as `load_network` does.
    """
    model = request.model
    loader = model.backends[request.backend]
    ours = isinstance(loader, str) and loader.startswith("actionbench.")
    if not apart or len(model.streams) == 1 or not ours:
        return (StreamNetwork(tuple(model.streams), load_network(request, weights, options)),)
    return tuple(
        StreamNetwork(
            (stream,),
            load_network(
                replace(request, model=replace(model, streams={stream: description})),
                {stream: weights[stream]},
                options,
            ),
        )
        for stream, description in model.streams.items()
    )

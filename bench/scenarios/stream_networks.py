"""A model in parts that can compute at the same time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ...models.registry import ModelRequest, load_network
from ...models.spec import ConcurrentNetwork, LoadOptions, Network, Weights


@dataclass(frozen=True, slots=True)
class Part:
    """A network that computes some of the model's streams by itself; the parts' logits are added."""

    streams: tuple[str, ...]
    network: Network

    @property
    def at_once(self) -> bool:
        """Several forward calls may overlap."""
        return isinstance(self.network, ConcurrentNetwork) and self.network.concurrent


def load_parts(
    request: ModelRequest, weights: Mapping[str, Weights], options: LoadOptions, apart: bool
) -> tuple[Part, ...]:
    """The network in one part; `apart`: one for each stream, of a model of ours.

    The loader of anybody else's model may want all streams at once. Raises as `load_network` does.
    """
    model = request.model
    loader = model.backends[request.backend]
    ours = isinstance(loader, str) and loader.startswith("actionbench.")
    if not apart or len(model.streams) == 1 or not ours:
        return (Part(tuple(model.streams), load_network(request, weights, options)),)
    return tuple(
        Part(
            (stream,),
            load_network(
                replace(request, model=replace(model, streams={stream: description})),
                {stream: weights[stream]},
                options,
            ),
        )
        for stream, description in model.streams.items()
    )

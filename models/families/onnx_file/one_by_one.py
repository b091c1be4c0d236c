"""A network that computes one view at a time, for batches of any size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...spec import FloatArray, InputArray, Network


class OneByOne:
    """`network`, whose graph takes a batch of one view: the views of a batch one after the other.

    - `uint8_streams`, `concurrent`: those of `network`.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self.uint8_streams: frozenset[str] = getattr(network, "uint8_streams", frozenset())
        self.concurrent: bool = getattr(network, "concurrent", False)

    def upload(self, inputs: Mapping[str, InputArray]) -> list[Any]:
        """See `Network.upload`; the views apart."""
        (views,) = {len(array) for array in inputs.values()}
        return [
            self._network.upload({stream: array[n : n + 1] for stream, array in inputs.items()})
            for n in range(views)
        ]

    def forward(self, inputs: list[Any]) -> list[Any]:
        """See `Network.forward`; the logits of each view, still apart."""
        return [self._network.forward(view) for view in inputs]

    def download(self, logits: list[Any]) -> FloatArray:
        """See `Network.download`."""
        return np.concatenate([self._network.download(view) for view in logits])

    def synchronize(self) -> None:
        """See `Network.synchronize`."""
        self._network.synchronize()

    def describe(self) -> dict[str, Any]:
        """See `Network.describe`."""
        return self._network.describe()

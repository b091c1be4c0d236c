"""The protocol of an optical-flow method, and the registry of methods."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

GreyFrame = npt.NDArray[np.uint8]
FlowField = npt.NDArray[np.float32]


class FlowMethod(Protocol):
    """Computes dense optical flow between two frames."""

    name: str

    def __call__(self, previous: GreyFrame, following: GreyFrame) -> FlowField:
        """Flow from `previous` to `following`, both (H, W) uint8 grey, as (H, W, 2) float32.

        Pixels per frame, x before y: `previous[y, x]` is found at `following[y + v, x + u]`.
        """

    def describe(self) -> dict[str, Any]:
        """Name, library version and every parameter: what the cache and the report identify it by."""

"""A flow method that computes the centre of the frames only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from .fields import flow_fields
from .method import CompiledFlowMethod, FlowField, FlowMethod, GreyFrame
from .registry import HOLDS_IN
from .tvl1 import fast

NAME = "tvl1-fast-crop"

LOOKS_AT = 256
"""Side of the square in the frames' centre that flow is computed in, pixels: what I3D looks at and a margin
of 16 around it, which keeps off what the edge does to the flow."""


class CentreFlow:
    """Another method on the centre LOOKS_AT × LOOKS_AT of the frames; on all of smaller frames.

    - `name`: of this method.
    - `method`: the method that computes.

    The flow is 0 outside, and valid only in a smaller square (registry.HOLDS_IN), because pixels that move in
    from outside are not available near the edge. It differs from the flow of the whole frame even in the
    middle.
    """

    def __init__(self, name: str, method: FlowMethod) -> None:
        self.name = name
        self._method = method

    def __call__(self, previous: GreyFrame, following: GreyFrame) -> FlowField:
        """See `FlowMethod`."""
        if previous.shape != following.shape or previous.ndim != 2:
            return self._method(previous, following)  # which refuses them
        inside = _centre(*previous.shape)
        flow = np.zeros((*previous.shape, 2), np.float32)
        # OpenCV's methods take nothing that has gaps between its rows.
        flow[inside] = self._method(*(np.ascontiguousarray(frame[inside]) for frame in (previous, following)))
        return flow

    def fields(
        self,
        grey: npt.NDArray[np.uint8],
        cancelled: Callable[[], bool] | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> npt.NDArray[np.float32]:
        """See `BatchFlowMethod.fields`."""
        inside = _centre(*grey.shape[1:])
        flow = np.zeros((len(grey) - 1, *grey.shape[1:], 2), np.float32)
        flow[:, *inside] = flow_fields(
            np.ascontiguousarray(grey[:, *inside]), self._method, cancelled, progress
        )
        return flow

    def warm_up(self) -> None:
        """What the method itself does before it is timed."""
        if isinstance(self._method, CompiledFlowMethod):
            self._method.warm_up()

    def describe(self) -> dict[str, Any]:
        """What the method says of itself, under our name, and the squares."""
        squares = {"looks_at_px": LOOKS_AT, "holds_in_px": HOLDS_IN[NAME]}
        return self._method.describe() | {"name": self.name} | squares


def _centre(height: int, width: int) -> tuple[slice, slice]:
    """The rows and columns that are looked at."""
    top, left = (max(0, (side - LOOKS_AT) // 2) for side in (height, width))
    return slice(top, top + LOOKS_AT), slice(left, left + LOOKS_AT)


def fast_crop(threads: int = 1) -> FlowMethod:
    """`tvl1-fast` on the centre 256×256 of the frames only: for networks that look at no more than 224."""
    method = fast(threads)
    # Where OpenCV stands in, it says so, and does so on the whole frame.
    return CentreFlow(NAME, method) if method.name == "tvl1-fast" else method

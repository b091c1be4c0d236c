"""The interface of optical-flow methods, and the frames that they accept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from ..errors import ClipError

GreyFrame = npt.NDArray[np.uint8]
FlowField = npt.NDArray[np.float32]


class FlowMethod(Protocol):
    """Computes dense optical flow between two frames; `name` is the name that it is registered under."""

    name: str

    def __call__(self, previous: GreyFrame, following: GreyFrame) -> FlowField:
        """Flow from `previous` to `following`, both (H, W) uint8 grey, as (H, W, 2) float32.

        Pixels per frame, x before y: `previous[y, x]` is found at `following[y + v, x + u]`.
        """

    def describe(self) -> dict[str, Any]:
        """Name, library version and every parameter: what the cache and the report identify it by."""


@runtime_checkable
class BatchFlowMethod(FlowMethod, Protocol):
    """A method that computes all pairs of a clip in one call: in parallel, or with shared work."""

    def fields(
        self,
        grey: npt.NDArray[np.uint8],
        cancelled: Callable[[], bool] | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> npt.NDArray[np.float32]:
        """Flow from each frame to the next: (T, H, W) uint8, T ≥ 2 → (T−1, H, W, 2) float32.

        The same as pair by pair. `cancelled` and `progress` are those of `fields.flow_fields`.
        """


@runtime_checkable
class DeviceFlowMethod(BatchFlowMethod, Protocol):
    """A method that can leave its flow in the memory of a device of PyTorch, for a network there.

    - `device`: the torch.device that it computes on.
    """

    device: Any

    def fields_on_device(
        self,
        grey: npt.NDArray[np.uint8],
        cancelled: Callable[[], bool] | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Any:
        """As `fields`, but a torch.Tensor on `device`, whose computation has finished."""


@runtime_checkable
class CompiledFlowMethod(FlowMethod, Protocol):
    """A method that compiles code before its first pair."""

    def warm_up(self) -> None:
        """Compile now what would be compiled at the first pair."""


MIN_SIDE = 16
"""Pixels; OpenCV's TV-L1 builds no pyramid level smaller than this (opencv_contrib, tvl1flow.cpp)."""


def check_pair(previous: GreyFrame, following: GreyFrame) -> None:
    """Raise ClipError unless both frames are (H, W) uint8, of one size, and at least 16×16."""
    for frame in (previous, following):
        if frame.ndim != 2 or frame.dtype != np.uint8:
            raise ClipError(
                "a frame does not fit optical flow",
                expected="grey, (H, W) uint8",
                found=f"{frame.shape} {frame.dtype}",
                remedy="actionbench.flow.fields.grey converts RGB frames",
            )
    if previous.shape != following.shape:
        raise ClipError(
            "two frames of one clip differ in size", expected=previous.shape, found=following.shape
        )
    if min(previous.shape) < MIN_SIDE:
        raise ClipError(
            "frames are too small for optical flow",
            expected=f"at least {MIN_SIDE}×{MIN_SIDE} pixels",
            found=f"{previous.shape[1]}×{previous.shape[0]}",
        )

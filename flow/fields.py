"""From frames to what a flow network takes: grey, flow fields, network range.

The order is that of I3D's authors (kinetics-i3d README; MediaPipe's graph
`media_sequence/tvl1_flow_and_rgb_from_file.pbtxt`): frames at 25 a second, resized to a short side of 256,
then grey, then flow on the whole frame, then clipped and scaled; the crop to 224 comes last.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from ..errors import ClipError, MeasurementError
from .method import BatchFlowMethod, FlowMethod

FLOW_BOUND = 20.0
"""Pixels a frame; I3D's authors clip to ±20 and divide by 20 (kinetics-i3d README)."""


GREY = "0.299 R + 0.587 G + 0.114 B (ITU-R BT.601), rounded as OpenCV's cvtColor does"
"""The formula for grey frames, as text: another rounding changes TV-L1's flow noticeably."""


def grey(frames: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Grey frames (T, H, W) uint8 of RGB frames (T, H, W, 3) uint8.

    By the formula GREY, in OpenCV's fixed-point arithmetic.
    Raises ClipError for any other shape or type.
    """
    if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8 or frames.size == 0:
        raise ClipError(
            "cannot make grey frames of this",
            expected="RGB frames, (T, H, W, 3) uint8",
            found=f"{frames.shape} {frames.dtype}",
        )
    t, h, w, _ = frames.shape
    luma: npt.NDArray[np.uint8] = cv2.cvtColor(frames.reshape(t * h, w, 3), cv2.COLOR_RGB2GRAY)
    return luma.reshape(t, h, w)


def flow_fields(
    grey: npt.NDArray[np.uint8],
    method: FlowMethod,
    cancelled: Callable[[], bool] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> npt.NDArray[np.float32]:
    """Flow from each frame to the next: (T, H, W) uint8 → (T−1, H, W, 2) float32, pixels a frame, x first.

    - `grey`: the frames.
    - `method`: the flow method.
    - `cancelled`: called before each pair; MeasurementError is raised if it returns True. A pair that has
      begun is finished, which takes seconds with TV-L1.
    - `progress`: called with (pairs done, pairs in all) after each pair.

    Raises ClipError for fewer than two frames, and for frames that the method does not accept.
    """
    if grey.ndim != 3 or len(grey) < 2:
        raise ClipError(
            "optical flow needs at least two frames",
            expected="(T, H, W) uint8, T ≥ 2",
            found=f"{grey.shape} {grey.dtype}",
        )
    if isinstance(method, BatchFlowMethod):
        return method.fields(grey, cancelled, progress)
    pairs = len(grey) - 1
    fields = np.empty((pairs, *grey.shape[1:], 2), np.float32)
    for pair in range(pairs):
        if cancelled is not None and cancelled():
            raise MeasurementError(f"optical flow was cancelled after {pair} of {pairs} pairs of frames")
        field = method(grey[pair], grey[pair + 1])
        if field.shape != fields.shape[1:]:
            raise ClipError(
                f"the flow method '{method.name}' gave a field of the wrong shape",
                expected=fields.shape[1:],
                found=field.shape,
            )
        fields[pair] = field
        if progress is not None:
            progress(pair + 1, pairs)
    return fields


def to_network(flow: npt.NDArray[np.float32], bound: float = FLOW_BOUND) -> npt.NDArray[np.float32]:
    """Flow as a network takes it: clipped and scaled to [−1, 1], float32.

    - `flow`: pixels per frame, any shape.
    - `bound`: values are clipped to ±`bound` and divided by it.

    Raises ClipError if a value is not finite.
    """
    if not np.isfinite(flow).all():
        raise ClipError(
            "the optical flow has values that are not numbers",
            found=f"{int((~np.isfinite(flow)).sum())} of {flow.size} values are NaN or infinite",
            remedy="This is a fault of the flow method: try `--flow opencv`",
        )
    scaled = np.clip(flow, -bound, bound).astype(np.float32, copy=False)
    scaled /= np.float32(bound)
    return scaled

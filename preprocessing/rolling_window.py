"""The last frames of a stream, ready as network input at any time."""

from __future__ import annotations

from collections import deque

import numpy as np
import numpy.typing as npt

from ..datasets.video.transform import resize
from ..models.spec import InputArray
from .preparer import Preparer
from .stopwatch import Stopwatch


class RollingWindow:
    """The last frames as network input: each is resized once, and the flow of each pair is computed once.

    - `preparer`: how the network's streams are prepared; it must have a flow method if one of them is flow.
    - `length`: frames of a window. A flow stream has one field fewer.
    """

    def __init__(self, preparer: Preparer, length: int) -> None:
        self._preparer = preparer
        self._kept: dict[str, deque[InputArray]] = {
            stream: deque(maxlen=length - (spec.modality == "flow"))
            for stream, spec in preparer.streams.items()
        }
        self._grey: dict[str, npt.NDArray[np.uint8]] = {}

    def add(self, frame: npt.NDArray[np.uint8]) -> None:
        """Add the next frame, (H, W, 3) uint8 RGB; the oldest is dropped if the window is full."""
        for (_, short_side, filter_, long_side), streams in self._preparer.geometries().items():
            pixels = resize(frame, short_side, filter_, long_side)[None]
            for stream in streams:
                spec = self._preparer.streams[stream]
                if spec.modality == "rgb":
                    self._kept[stream].append(self._preparer.rgb_input(pixels, stream, Stopwatch())[0])
                else:
                    self._add_flow(stream, pixels)

    def _add_flow(self, stream: str, pixels: npt.NDArray[np.uint8]) -> None:
        from ..flow.fields import grey  # only here: other input needs no OpenCV

        method = self._preparer.flow
        assert method is not None, "a plan with a flow stream names a method"
        (current,) = grey(pixels)
        before = self._grey.get(stream)
        self._grey[stream] = current
        if before is not None:
            field = method(before, current)[None]
            spec = self._preparer.streams[stream]
            self._kept[stream].append(self._preparer.fields_input(field, spec, Stopwatch())[0])

    def whole(self) -> bool:
        """Whether enough frames have been added for a full window."""
        return all(len(kept) == kept.maxlen for kept in self._kept.values())

    def frames(self) -> dict[str, list[InputArray]]:
        """The window's frames, stream → (H, W, C) float32 each; later frames do not change it."""
        return {stream: list(kept) for stream, kept in self._kept.items()}

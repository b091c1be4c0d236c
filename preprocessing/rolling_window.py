"""The last frames of a stream, ready as network input at any time."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ..models.spec import InputArray
from .preparer import Preparer
from .stopwatch import Stopwatch


class RollingWindow:
    """The last frames as network input: each is resized once, and the flow of each pair is computed once.

    Every frame that is added is used: `Preprocessing.every` and `rate` are for those who choose the frames.

    - `preparer`: how the network's streams are prepared; it must have a flow method if one of them is flow.
    - `length`: frames of a window. A flow stream has one field fewer.
    """

    def __init__(self, preparer: Preparer, length: int) -> None:
        # A stream is one view, whatever a whole video is.
        self._preparer = replace(preparer, single=length)
        self._kept: dict[str, deque[InputArray]] = {
            stream: deque(maxlen=length - (spec.modality == "flow"))
            for stream, spec in preparer.streams.items()
        }
        self._grey: dict[str, npt.NDArray[np.uint8]] = {}

    def add(self, frame: npt.NDArray[np.uint8], watch: Stopwatch | None = None) -> None:
        """Add the next frame; the oldest is dropped if the window is full.

        - `frame`: (H, W, 3) uint8 RGB.
        - `watch`: gets the time of "resize" and "flow".
        """
        watch = watch or Stopwatch()
        for geometry, streams in self._preparer.geometries().items():
            with watch.stage("resize"):
                pixels = geometry.resized(frame)[None]
            for stream in streams:
                spec = self._preparer.streams[stream]
                if spec.modality == "rgb":
                    (view,) = self._preparer.rgb_input(pixels, stream, watch)
                    self._kept[stream].append(view[0])
                else:
                    self._add_flow(stream, pixels, watch)

    def _add_flow(self, stream: str, pixels: npt.NDArray[np.uint8], watch: Stopwatch) -> None:
        method = self._preparer.flow
        assert method is not None, "a plan with a flow stream names a method"
        (current,) = self._preparer.grey(pixels, watch)
        before = self._grey.get(stream)
        self._grey[stream] = current
        if before is not None:
            with watch.stage("flow"):
                field = method(before, current)[None]
            self._append_field(stream, field, watch)

    def _append_field(self, stream: str, field: npt.NDArray[np.float32], watch: Stopwatch) -> None:
        spec = self._preparer.streams[stream]
        (view,) = self._preparer.fields_input(field, spec, watch)
        self._kept[stream].append(view[0])

    def repeat(self) -> None:
        """Add the last frame once more, at hardly any cost: the flow between equal frames is 0."""
        for stream, kept in self._kept.items():
            if stream in self._grey:
                still = np.zeros((1, *self._grey[stream].shape, 2), np.float32)
                self._append_field(stream, still, Stopwatch())
            else:
                kept.append(kept[-1])

    def clear(self) -> None:
        """Forget all frames: the next one does not follow them."""
        self._grey.clear()
        for kept in self._kept.values():
            kept.clear()

    def whole(self) -> bool:
        """Whether enough frames have been added for a full window."""
        return all(len(kept) == kept.maxlen for kept in self._kept.values())

    def frames(self) -> dict[str, list[InputArray]]:
        """The window's frames, stream → (H, W, C) float32 each; later frames do not change it."""
        return {stream: list(kept) for stream, kept in self._kept.items()}


def still_window(
    preparer: Preparer, length: int, frame: npt.NDArray[np.uint8]
) -> dict[str, npt.NDArray[np.float32 | np.uint8]]:
    """A window in which nothing moves, stream → (T, H, W, C): input of the right shape to warm a network up.

    - `preparer`: how the network's streams are prepared. `length`: frames of the window.
    - `frame`: (H, W, 3) uint8 RGB.
    """
    window = RollingWindow(preparer, length)
    window.add(frame)
    window.add(frame)  # flow is computed at least once
    for _ in range(length - 2):
        window.repeat()
    return {stream: np.stack(kept) for stream, kept in window.frames().items()}

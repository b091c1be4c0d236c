"""The newest frame as a JPEG, encoded only while somebody looks, and once for all who look."""

from __future__ import annotations

import time
from dataclasses import dataclass

import anyio
import anyio.to_thread
import cv2
import numpy as np
import numpy.typing as npt

from .state import LiveState

MOST_A_SECOND = 15
"""Pictures that are encoded at most, a second: smooth to the eye, and a few per cent of a core."""

LONGEST_SIDE = 960
"""Pixels of the longer side at most: a phone shows no more, and a radio link carries it."""

QUALITY = 75
"""Of the JPEG, 0–100."""

WAIT_S = 5.0
"""Seconds that a request waits for a picture."""

_LOOK_S = 0.02
"""Seconds between two looks for a new frame: the session need not announce one."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A frame as a JPEG: `number` of the frame, `jpeg` file."""

    number: int
    jpeg: bytes


class Pictures:
    """The pictures of a session, for the server's event loop.

    - `state`: which frame is the newest.
    """

    def __init__(self, state: LiveState) -> None:
        self._state = state
        self._lock = anyio.Lock()
        self._newest: Picture | None = None
        self._due = 0.0

    async def other_than(self, number: int) -> Picture | None:
        """The newest picture as soon as it is not of frame `number`; None if none comes within WAIT_S.

        A viewer asks for the next one when the last has arrived: a slow one gets fewer, and holds up nobody.
        """
        with anyio.move_on_after(WAIT_S):
            while not self._state.ended:
                async with self._lock:
                    await self._encode_if_due()
                if self._newest is not None and self._newest.number != number:
                    return self._newest
                await anyio.sleep(_LOOK_S)
        return None

    async def _encode_if_due(self) -> None:
        frame, now = self._state.frame, time.monotonic()
        shown = None if self._newest is None else self._newest.number
        if frame is None or frame.number == shown or now < self._due:
            return
        # On the grid of due times, so that looks which come late do not lower the rate.
        self._due = max(self._due + 1 / MOST_A_SECOND, now)
        jpeg = await anyio.to_thread.run_sync(encode, frame.pixels)
        self._newest = Picture(frame.number, jpeg)


def encode(pixels: npt.NDArray[np.uint8]) -> bytes:
    """A JPEG of (H, W, 3) uint8 RGB pixels, at most LONGEST_SIDE pixels wide and high."""
    height, width = pixels.shape[:2]
    scale = LONGEST_SIDE / max(height, width)
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    written, jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    assert written  # cv2 has a JPEG encoder, and a frame is no larger than the format allows
    return bytes(jpeg)

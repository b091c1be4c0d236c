"""Pictures of a camera that is attached to this machine, through OpenCV (V4L2, AVFoundation, DirectShow)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np

from ..frame import FALLBACK_FPS
from .picture import Picture, SourceLost


def read_camera(number: int, clock: Callable[[], float] = time.monotonic) -> Iterator[Picture]:
    """The camera's pictures, each stamped with the time when it was there; it is freed at the end.

    - `number`: of the camera, as the system counts them.

    Raises SourceLost if it cannot be opened or gives no more pictures, for example when it is unplugged.
    """
    import cv2

    camera = cv2.VideoCapture(number)
    try:
        if not camera.isOpened():
            raise SourceLost("there is no such camera, or another program uses it")
        rate = camera.get(cv2.CAP_PROP_FPS)
        step_s = float(1 / (rate if 1 <= rate <= 1000 else FALLBACK_FPS))
        while True:
            found, picture = camera.read()
            arrived = clock()
            if not found:
                raise SourceLost("the camera gives no pictures")
            pixels = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), dtype=np.uint8)
            yield Picture(pixels, arrived, step_s, clock() - arrived)
    finally:
        camera.release()

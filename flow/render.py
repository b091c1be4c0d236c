"""Flow as colours: the hue is the direction, the saturation the speed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .method import FlowField

_SEGMENTS = (
    (15, (255, 0, 0), (255, 255, 0)),
    (6, (255, 255, 0), (0, 255, 0)),
    (4, (0, 255, 0), (0, 255, 255)),
    (11, (0, 255, 255), (0, 0, 255)),
    (13, (0, 0, 255), (255, 0, 255)),
    (6, (255, 0, 255), (255, 0, 0)),
)
"""Steps from colour to colour around the wheel of the Middlebury benchmark: more where the eye sees more
(Baker et al., A Database and Evaluation Methodology for Optical Flow, 2011)."""


def colour_wheel() -> npt.NDArray[np.float32]:
    """The 55 colours (55, 3) RGB 0–255 around the wheel, from the direction −x clockwise."""
    return np.concatenate(
        [np.linspace(begin, end, steps, endpoint=False) for steps, begin, end in _SEGMENTS]
    ).astype(np.float32)


def colours(flow: FlowField, fastest: float) -> npt.NDArray[np.uint8]:
    """Flow as RGB (…, 3) uint8: white is no motion, full saturation is the speed `fastest`, darker is faster.

    - `flow`: (…, 2), pixels per frame, x first.
    - `fastest`: pixels per frame.
    """
    wheel = colour_wheel()
    speed = np.linalg.norm(flow, axis=-1) / max(fastest, 1e-6)
    angle = np.arctan2(-flow[..., 1], -flow[..., 0]) / np.pi
    at = (angle + 1) / 2 * (len(wheel) - 1)
    below = np.floor(at).astype(int)
    share = (at - below)[..., None]
    colour = (1 - share) * wheel[below] + share * wheel[(below + 1) % len(wheel)]
    shown = np.minimum(speed, 1)[..., None]
    colour = np.where(speed[..., None] <= 1, 255 - shown * (255 - colour), 0.75 * colour)
    pixels: npt.NDArray[np.uint8] = np.round(colour).astype(np.uint8)
    return pixels

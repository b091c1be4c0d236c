"""A synthetic pair of frames whose flow is known exactly, to check any method on any machine."""

from __future__ import annotations

import numpy as np

from ..method import FlowField, FlowMethod, GreyFrame

SHIFT = (1.5, -0.75)
"""Pixels that everything moves by, right and up."""

MARGIN = 8
"""Pixels at the border that are left out: what moves in from outside cannot be known."""


def known_pair(height: int = 96, width: int = 128) -> tuple[GreyFrame, GreyFrame, FlowField]:
    """Two grey frames (height, width) uint8 and the flow (height, width, 2) float32, SHIFT everywhere.

    A sum of waves of 8 to 40 pixels, evaluated at shifted positions, so that nothing is interpolated.
    """
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:height, :width].astype(float)
    waves = [
        (2 * np.pi / rng.uniform(8, 40), rng.uniform(0, 2 * np.pi), rng.uniform(0, 2 * np.pi))
        for _ in range(24)
    ]

    def frame(dx: float, dy: float) -> GreyFrame:
        values = sum(
            np.sin(k * (np.cos(angle) * (x - dx) + np.sin(angle) * (y - dy)) + phase)
            for k, angle, phase in waves
        )
        grey: GreyFrame = np.clip(np.round(128 + 18 * values), 0, 255).astype(np.uint8)
        return grey

    flow = np.broadcast_to(np.array(SHIFT, np.float32), (height, width, 2))
    return frame(0, 0), frame(*SHIFT), flow


def known_motion_error(method: FlowMethod) -> float:
    """Mean endpoint error of `method` on the synthetic pair, pixels, without the border."""
    previous, following, truth = known_pair()
    inside = np.s_[MARGIN:-MARGIN, MARGIN:-MARGIN]
    difference = method(previous, following)[inside] - truth[inside]
    return float(np.linalg.norm(difference, axis=-1).mean())

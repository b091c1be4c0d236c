"""Where a training window is cut out of a clip, in space and in time, as the authors of 3D-ResNeXt do it.

Hara, Kataoka and Satoh, "Can spatiotemporal 3D CNNs retrace the history of 2D CNNs and ImageNet?", CVPR 2018,
section 4.2; kenshohara/3D-ResNets-PyTorch: `MultiScaleCornerCrop`, `TemporalRandomCrop`.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch

from ...errors import ClipError
from ...preprocessing.pixels import resize
from .drawing import choice, whole

SCALES = tuple(2 ** (-k / 4) for k in range(5))
"""Sides of the crop, as shares of the picture's shorter side: 1, 0.84, 0.71, 0.59, 0.5 (the authors' options
`initial_scale`, `n_scales` and `scale_step`)."""

Position = Literal["centre", "top left", "top right", "bottom left", "bottom right"]
POSITIONS: tuple[Position, ...] = ("centre", "top left", "top right", "bottom left", "bottom right")


def corner_crop(
    frames: torch.Tensor, size: int, generator: torch.Generator, scales: tuple[float, ...] = SCALES
) -> torch.Tensor:
    """A square of random scale at a corner or in the middle, the same in every frame, resized to `size`.

    - `frames`: (T, H, W, 3) uint8. The result: (T, size, size, 3) uint8.
    - `size`: pixels. `generator`: draws one of `scales`, then one of `POSITIONS`, each equally likely.

    Resized as the authors do, by Pillow's bilinear filter. Raises ClipError for a picture that is too small.
    """
    scale, position = choice(scales, generator), choice(POSITIONS, generator)
    top, left, side = crop_box(frames.shape[1], frames.shape[2], scale, position)
    cropped = frames[:, top : top + side, left : left + side].numpy()
    return torch.from_numpy(np.stack([resize(frame, size, "pillow-bilinear") for frame in cropped]))


def crop_box(height: int, width: int, scale: float, position: Position) -> tuple[int, int, int]:
    """(top, left, side) of the crop in pixels, rounded as the authors round.

    In the middle an odd side becomes the even one below. Raises ClipError where no pixel would be left.
    """
    side = int(min(height, width) * scale)
    if side < 2:
        raise ClipError("the picture is too small to be cropped", found=f"{width}x{height}, scale {scale:g}")
    if position == "centre":
        return height // 2 - side // 2, width // 2 - side // 2, side // 2 * 2
    top = 0 if position.startswith("top") else height - side
    return top, 0 if position.endswith("left") else width - side, side


def jittered_start(frames: int, window: int, generator: torch.Generator) -> int:
    """First frame of a window of `window` out of `frames`, every start equally likely; 0 for a shorter clip.

    The authors' code never draws the last start; this function does.
    """
    return whole(0, max(0, frames - window), generator)

"""The pixel operations of augmentation: what each does with values that are drawn elsewhere.

Frames are (T, H, W, 3) uint8 RGB on the CPU, and the result is a new tensor of the same shape and dtype. A
value, a mask or a displacement holds for all frames, so that the motion in the clip does not change.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch

from ...errors import BackendUnavailable

REACH = 3.0
"""Standard deviations after which a Gaussian kernel is cut off; 0.3 % of its weight lies beyond."""

LEAST_SIGMA = 0.1
"""Pixels: a narrower Gaussian weights a neighbour with less than 1e-21 and changes nothing."""


def add(frames: torch.Tensor, value: int) -> torch.Tensor:
    """Add `value` grey levels to every pixel and channel; the result is clipped to 0–255.

    A negative value takes away at most half of the clip's mean level: dark clips, such as many of HMDB51
    and all of ARID, would turn black and show no action.
    """
    if value < 0:
        value = max(value, -int(frames.numpy().mean() / 2))
    return frames.to(torch.int16).add_(value).clamp_(0, 255).to(torch.uint8)


def multiply(frames: torch.Tensor, factor: float) -> torch.Tensor:
    """Multiply every pixel and channel by `factor`, round, and clip to 0–255."""
    return frames.to(torch.float32).mul_(factor).round_().clamp_(0, 255).to(torch.uint8)


def cover(frames: torch.Tensor, mask: torch.Tensor, value: int) -> torch.Tensor:
    """Set the pixels of `mask`, in all three channels, to `value`: 255 for salt, 0 for pepper.

    - `mask`: bool, (1, H, W) for the same pixels in every frame, or (T, H, W).
    """
    # Contiguous, because torch repeats a mask along the last axis ten times more slowly.
    covered = mask[..., None].expand(-1, -1, -1, 3).contiguous()
    return torch.where(covered, torch.tensor(value, dtype=torch.uint8), frames)


def elastic(frames: torch.Tensor, noise: torch.Tensor, alpha: float, sigma: float) -> torch.Tensor:
    """Elastic deformation: every pixel is read from its place plus a smooth random displacement.

    The displacement in pixels is `alpha` times the noise, smoothed by a Gaussian (Simard, Steinkraus and
    Platt, "Best practices for convolutional neural networks applied to visual document analysis", ICDAR
    2003, section 2). Bilinear; places outside the picture are reflected at its border.

    - `noise`: (2, H, W) float32 in [-1, 1], for x and y.
    - `alpha`: pixels. `sigma`: of the Gaussian, pixels, above 0.

    Raises BackendUnavailable where Kornia is not installed.
    """
    try:
        from kornia.geometry.transform import elastic_transform2d
    except ImportError as error:
        raise BackendUnavailable(
            "Kornia is not installed",
            where="filter elastic",
            expected="the package kornia",
            remedy="`pip install 'actionbench[training]'`, or leave the filter out.",
        ) from error

    count, height, width, _ = frames.shape
    size = _kernel_size(sigma)
    # All frames as channels of one picture: one displacement, and one pass of sampling.
    picture = frames.permute(0, 3, 1, 2).reshape(1, 3 * count, height, width).to(torch.float32)
    moved = elastic_transform2d(
        picture,
        noise[None],
        kernel_size=(size, size),
        sigma=(sigma, sigma),
        alpha=(2 * alpha / width, 2 * alpha / height),  # Kornia's pictures are 2 wide and 2 high
        padding_mode="reflection",
    )
    pixels = moved.round_().to(torch.uint8)  # a mean of pixels does not leave their range
    return pixels.reshape(count, 3, height, width).permute(0, 2, 3, 1).contiguous()


def blur(frames: torch.Tensor, sigma: float) -> torch.Tensor:
    """Gaussian blur; pixels at the border are continued outside.

    By OpenCV, whose filter of 8-bit pictures takes a seventh of the time of Kornia's on a CPU.

    - `sigma`: standard deviation, pixels; below `LEAST_SIGMA` the frames stay as they are.
    """
    if sigma < LEAST_SIGMA:
        return frames.clone()
    size = _kernel_size(sigma)
    blurred = np.empty(frames.shape, np.uint8)
    for frame, out in zip(frames.numpy(), blurred, strict=True):
        cv2.GaussianBlur(frame, (size, size), sigma, dst=out, borderType=cv2.BORDER_REPLICATE)
    return torch.from_numpy(blurred)


def flip(frames: torch.Tensor) -> torch.Tensor:
    """Exchange left and right."""
    return frames.flip(2)


def _kernel_size(sigma: float) -> int:
    """Odd, at least 3."""
    return 2 * max(1, int(REACH * sigma + 0.5)) + 1

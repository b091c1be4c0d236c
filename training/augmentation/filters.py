"""The pixel operations of augmentation: what each does with values that are drawn elsewhere.

Frames are (T, H, W, 3) uint8 RGB, and the result is a new tensor of the same shape and dtype. A value, a mask
or a displacement holds for all frames, so that motion in the clip stays what it was.
"""

from __future__ import annotations

import torch

REACH = 3.0
"""Standard deviations after which a Gaussian kernel is cut off; 0.3 % of it lies beyond."""


def add(frames: torch.Tensor, value: int) -> torch.Tensor:
    """Add `value` grey levels to every pixel and channel; what leaves 0–255 is clipped."""
    return frames.to(torch.int16).add_(value).clamp_(0, 255).to(torch.uint8)


def multiply(frames: torch.Tensor, factor: float) -> torch.Tensor:
    """Multiply every pixel and channel by `factor`, round, and clip to 0–255."""
    return _to_uint8(frames.to(torch.float32).mul_(factor))


def cover(frames: torch.Tensor, mask: torch.Tensor, value: int) -> torch.Tensor:
    """Set the pixels of `mask`, in all three channels, to `value`: 255 for salt, 0 for pepper.

    - `mask`: bool, (1, H, W) for the same pixels in every frame, or (T, H, W).
    """
    return frames.masked_fill(mask[..., None], value)


def elastic(frames: torch.Tensor, noise: torch.Tensor, alpha: float, sigma: float) -> torch.Tensor:
    """Elastic deformation: every pixel is fetched from its place plus a smooth random displacement.

    The displacement in pixels is `alpha` times the noise smoothed by a Gaussian (Simard, Steinkraus and Platt,
    "Best practices for convolutional neural networks applied to visual document analysis", ICDAR 2003,
    section 2). Bilinear; places outside the picture are reflected at its border.

    - `noise`: (2, H, W) float32 in [-1, 1], for x and y.
    - `alpha`: pixels. `sigma`: of the Gaussian, pixels, above 0.
    """
    from kornia.geometry.transform import elastic_transform2d

    height, width = frames.shape[1:3]
    size = _kernel_size(sigma)
    # All frames as channels of one picture: one displacement, and one pass of sampling.
    moved = elastic_transform2d(
        _planes(frames).flatten(0, 1)[None],
        noise[None],
        kernel_size=(size, size),
        sigma=(sigma, sigma),
        alpha=(2 * alpha / width, 2 * alpha / height),  # Kornia's pictures are 2 wide and 2 high
        padding_mode="reflection",
    )
    return _frames(moved[0].unflatten(0, (-1, 3)))


def blur(frames: torch.Tensor, sigma: float) -> torch.Tensor:
    """Gaussian blur; pixels at the border are continued outside.

    - `sigma`: standard deviation, pixels; below 0.1 nothing is left of the neighbours' weights.
    """
    if sigma < 0.1:
        return frames.clone()
    from kornia.filters import gaussian_blur2d

    blurred = gaussian_blur2d(_planes(frames), _kernel_size(sigma), (sigma, sigma), border_type="replicate")
    return _frames(blurred)


def flip(frames: torch.Tensor) -> torch.Tensor:
    """Exchange left and right."""
    return frames.flip(2)


def _kernel_size(sigma: float) -> int:
    """Odd, at least 3."""
    return 2 * max(1, int(REACH * sigma + 0.5)) + 1


def _planes(frames: torch.Tensor) -> torch.Tensor:
    """(T, H, W, 3) uint8 → (T, 3, H, W) float32."""
    return frames.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.contiguous_format)


def _frames(planes: torch.Tensor) -> torch.Tensor:
    """(T, 3, H, W) float32 → (T, H, W, 3) uint8."""
    return _to_uint8(planes).permute(0, 2, 3, 1).contiguous()


def _to_uint8(values: torch.Tensor) -> torch.Tensor:
    return values.round_().clamp_(0, 255).to(torch.uint8)

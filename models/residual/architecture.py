"""What Hara's 3D residual networks have in common, for every backend: all but their residual blocks.

Hara, Kataoka and Satoh, CVPR 2018, arXiv:1711.09577. Names are the authors' (kenshohara/3D-ResNets-PyTorch,
branch CVPR2018) without the `module.` that DataParallel puts before them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from .. import transforms
from ..state import Shapes, State
from ..transforms import Convolution, Triple

PAPER = "Hara, Kataoka and Satoh, CVPR 2018, arXiv:1711.09577"

BATCH_NORM_EPSILON = 1e-5
"""torch's default."""

STEM = 64
"""Channels of the first convolution: 7×7×7, stride (1, 2, 2), padding 3; then max pool 3, stride 2."""


def unit_shapes(convolution: str, norm: str, shape: tuple[int, ...]) -> Shapes:
    """Name → shape of a convolution's tensors, (out, in, t, h, w), and of those of its batch norm."""
    tensors = ("weight", "bias", "running_mean", "running_var")
    return {f"{convolution}.weight": shape, **{f"{norm}.{tensor}": shape[:1] for tensor in tensors}}


def tensor_shapes(blocks: Shapes, features: int, classes: int) -> Shapes:
    """Name → shape of every tensor, as in the authors' files.

    - `blocks`: of the residual blocks. `features`: channels that the logits are computed from.
    """
    stem = unit_shapes("conv1", "bn1", (STEM, 3, 7, 7, 7))
    return stem | blocks | {"fc.weight": (classes, features), "fc.bias": (classes,)}


def folded(state: State, convolution: str, norm: str, groups: int = 1) -> Convolution:
    """The convolution with the batch norm folded in; both are prefixes of names in `state`."""
    return transforms.folded(
        state[f"{convolution}.weight"],
        mean=state[f"{norm}.running_mean"],
        variance=state[f"{norm}.running_var"],
        epsilon=BATCH_NORM_EPSILON,
        offset=state[f"{norm}.bias"],
        scale=state[f"{norm}.weight"],
        groups=groups,
    )


def parameters(shapes: Shapes) -> int:
    """Trainable parameters of tensors; the running statistics of batch norm are not counted."""
    return sum(math.prod(shape) for name, shape in shapes.items() if ".running_" not in name)


def stem_macs(streams: Mapping[str, Triple]) -> tuple[int, list[int]]:
    """Multiply–accumulates of the first convolution, and the (T, H, W) behind its max pool.

    - `streams`: "rgb" → (T, H, W) of the network's input. Taps on padding are counted.
    """
    frames, height, width = streams["rgb"]
    size = [frames, halved(height), halved(width)]
    return math.prod(size) * 7**3 * 3 * STEM, [halved(cells) for cells in size]


def halved(cells: int) -> int:
    """Cells after a stride of 2, for every kernel of these networks (k cells wide, padded by k // 2)."""
    return (cells + 1) // 2

"""Exact transformations of convolutions, each once, for every backend: NumPy in, NumPy out.

Each gives the same function up to rounding; `docs/backends.md` describes which one helps where. Weights are
(out, in / groups, t, h, w), as torch and ONNX have them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from .spec import FloatArray, Preprocessing

Triple = tuple[int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Convolution:
    """A convolution with its bias.

    - `weight`: (out, in / groups, t, h, w) float32.
    - `bias`: (out,) float32.
    - `groups`: number of groups of channels.
    """

    weight: FloatArray
    bias: FloatArray
    groups: int = 1

    @property
    def kernel(self) -> Triple:
        """Size of the kernel: (t, h, w)."""
        t, h, w = self.weight.shape[2:]
        return t, h, w


def folded(
    weight: FloatArray,
    mean: FloatArray,
    variance: FloatArray,
    epsilon: float,
    offset: FloatArray,
    scale: FloatArray | None = None,
    groups: int = 1,
) -> Convolution:
    """A convolution without bias and the batch norm behind it as one convolution.

    - `weight`: (out, in / groups, t, h, w) of the convolution.
    - `mean`, `variance`, `offset`, `scale`: (out,) of the batch norm; a `scale` of None is 1.
    - `epsilon`: that the batch norm adds to the variance.
    - `groups`: of the convolution.

    `scale * (weight ∗ x - mean) / sqrt(variance + epsilon) + offset`, in float64, rounded once to float32.
    """
    factor = 1 / np.sqrt(variance.astype(np.float64) + epsilon)
    if scale is not None:
        factor = factor * scale
    return Convolution(
        weight=_rounded(weight * factor.reshape(-1, 1, 1, 1, 1)),
        bias=_rounded(offset - mean * factor),
        groups=groups,
    )


def with_input_channels(convolution: Convolution, channels: int = 4) -> Convolution:
    """The same convolution over more input channels; the weights of the additional ones are zero.

    - `convolution`: without groups.
    - `channels`: number of input channels of the result. Those at the end may hold any finite values.
    """
    have = convolution.weight.shape[1]
    missing = [(0, 0), (0, channels - have), (0, 0), (0, 0), (0, 0)]
    return Convolution(np.pad(convolution.weight, missing), convolution.bias, convolution.groups)


def space_to_depth(convolution: Convolution, stride: Triple) -> Convolution:
    """The convolution of stride 1 over blocks that is equal to a strided convolution over cells.

    - `convolution`: without groups.
    - `stride`: its stride, which is the size of the blocks.

    The blocks' channels are (t, h, w, in), the input channel fastest; `block_padding` gives the padding. A
    kernel of 7 with stride 2 becomes one of 4.
    """
    outputs, inputs, *kernel = convolution.weight.shape
    taps = [-(-cells // by) for cells, by in zip(kernel, stride, strict=True)]
    blocks = np.zeros((outputs, *stride, inputs, *taps), np.float32)
    for t, h, w in product(*map(range, stride)):
        part = convolution.weight[:, :, t :: stride[0], h :: stride[1], w :: stride[2]]
        blocks[:, t, h, w, :, : part.shape[2], : part.shape[3], : part.shape[4]] = part
    weight = blocks.reshape(outputs, math.prod(stride) * inputs, *taps)
    return Convolution(weight, convolution.bias)


Padding = Callable[[int, int, int], tuple[int, int]]
"""(cells, taps, stride) of an axis → the zeros that a convolution has before and behind it."""


@dataclass(frozen=True, slots=True)
class BlockPadding:
    """The zeros around an axis, where a convolution goes over blocks (`space_to_depth`).

    - `blocks`: zero blocks before and behind the axis, which the convolution over blocks adds itself.
    - `even`, `odd`: zero cells to put before and behind an axis with an even or an odd number of cells.
    """

    blocks: tuple[int, int]
    even: tuple[int, int]
    odd: tuple[int, int]


def block_padding(kernel: int, stride: int, padding: Padding) -> BlockPadding:
    """The padding of the convolution over blocks that is equal to one over cells, along an axis.

    - `kernel`, `stride`: 1 or 2, of the convolution over cells; the stride is the size of a block.
    - `padding`: of the same; depends on no more of the number of cells than whether it is odd.

    Cells and blocks together are what the new convolution needs for as many outputs. As many zeros as both an
    even and an odd axis have are blocks; for I3D's stem these are all that an even axis has.
    """

    def around(size: int) -> tuple[int, int]:
        before, behind = padding(size, kernel, stride)
        outputs = (size + before + behind - kernel) // stride + 1
        blocks = outputs + -(-kernel // stride) - 1
        return before, blocks * stride - size - before

    even, odd = around(64), around(65)
    before, behind = (min(sides) // stride for sides in zip(even, odd, strict=True))

    def without_blocks(cells: tuple[int, int]) -> tuple[int, int]:
        return cells[0] - before * stride, cells[1] - behind * stride

    return BlockPadding((before, behind), without_blocks(even), without_blocks(odd))


def to_depth(array: npt.NDArray[np.generic], stride: Triple) -> npt.NDArray[np.generic]:
    """The input (N, T/t, H/h, W/w, t·h·w·C) of a convolution that `space_to_depth` gives.

    - `array`: (N, T, H, W, C), its sizes multiples of the stride.
    - `stride`: (t, h, w).

    What a backend does in its graph, in NumPy: a reshape, one transposition and a reshape. Cells that are
    neighbours in a row stay together, so that runs of w·C numbers are moved and not single ones.
    """
    n, *size, channels = array.shape
    (t, h, w), (st, sh, sw) = (cells // by for cells, by in zip(size, stride, strict=True)), stride
    blocks = array.reshape(n, t, st, h, sh, w, sw * channels).transpose(0, 1, 3, 5, 2, 4, 6)
    return blocks.reshape(n, t, h, w, st * sh * sw * channels)


def with_wider_groups(convolution: Convolution, width: int = 16) -> Convolution:
    """The same convolution with neighbouring groups merged, and zeros as weights between them.

    - `convolution`: with any number of groups.
    - `width`: input channels that a merged group has. Groups that are as wide already are not merged, nor
      are more groups than divide their number.
    """
    outputs, inputs, *kernel = convolution.weight.shape
    merged = math.gcd(max(width // inputs, 1), convolution.groups)
    if merged == 1:
        return convolution
    groups = convolution.groups // merged
    out = outputs // convolution.groups
    old = convolution.weight.reshape(groups, merged, out, inputs, *kernel)
    new = np.zeros((groups, merged, out, merged, inputs, *kernel), np.float32)
    for member in range(merged):
        new[:, member, :, member] = old[:, member]
    weight = new.reshape(outputs, merged * inputs, *kernel)
    return Convolution(weight, convolution.bias, groups)


def pixel_scaling(how: Preprocessing) -> tuple[FloatArray, FloatArray]:
    """Factor and offset (C,) float32, so that pixels 0–255 times factor plus offset are the network's input.

    Both are in the order of the network's input channels, as the pixels are.

    For networks that take pixels as they are and normalise them in their graph, before any zeros are put
    around them: an offset in the first convolution's bias would be wrong at the borders.
    """
    std = np.array(how.channel_std, np.float64)
    return _rounded(how.scale / std), _rounded(-np.array(how.channel_mean, np.float64) / std)


def _rounded(values: npt.NDArray[np.floating]) -> FloatArray:
    return np.ascontiguousarray(values, dtype=np.float32)

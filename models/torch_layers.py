"""What both networks are made of in torch: folded convolutions, and max pools that are not slow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import chain
from typing import TypeVar, cast

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from .spec import FloatArray, LoadOptions
from .transforms import Convolution, Triple

Net = TypeVar("Net", bound=nn.Module)

HALF = {"bf16": torch.bfloat16, "fp16": torch.float16}
"""Precision → the type that weights and activations are kept in."""

MaxPool = Callable[[torch.Tensor, Triple, Triple, Sequence[tuple[int, int]]], torch.Tensor]
"""(x, kernel, stride, sides): max pool of (N, C, T, H, W) with `sides` cells before and behind each axis."""


def separable_max_pool(
    x: torch.Tensor, kernel: Triple, stride: Triple, sides: Sequence[tuple[int, int]]
) -> torch.Tensor:
    """The max pool one axis after the other.

    Exact, since a maximum of maxima is the maximum. torch's `max_pool3d` takes as long on the CPU as all
    convolutions of I3D together, because it is scalar code there; on CUDA this saves a tenth of I3D's time in
    half precisions.
    """
    x = pad(x, sides, value=-torch.inf)
    for axis, (taps, step) in enumerate(zip(kernel, stride, strict=True), start=2):
        span = x.shape[axis] - taps + 1
        every = (slice(None),) * axis + (slice(None, None, step),)
        x = reduce(torch.maximum, [x.narrow(axis, tap, span)[every] for tap in range(taps)])
    return x


def torch_max_pool(
    x: torch.Tensor, kernel: Triple, stride: Triple, sides: Sequence[tuple[int, int]]
) -> torch.Tensor:
    """The max pool by torch's `max_pool3d`, as usual ports have it."""
    return functional.max_pool3d(pad(x, sides, value=-torch.inf), kernel, stride)


@dataclass(frozen=True, slots=True)
class Tuning:
    """The exact transformations, beside folded batch norms, that a network in torch is built with.

    - `wide`: four input channels, and groups of 16 channels at least, which half precisions are fast with.
    - `one_dnn`: see `OneDnnConv3d`. `fused_relu`: see `convolved`; on CUDA only.
    - `max_pool`: how max pools are computed.
    """

    wide: bool = False
    one_dnn: bool = False
    fused_relu: bool = False
    max_pool: MaxPool = separable_max_pool


def tuned_for(options: LoadOptions) -> Tuning:
    """What was measured to help with these options (docs/backends.md)."""
    on_cpu = options.device == "cpu"
    return Tuning(
        wide=options.precision in HALF,
        one_dnn=on_cpu and (options.precision, options.form) == ("fp32", "tuned"),
        fused_relu=not on_cpu and options.precision in HALF and options.form != "compiled",
    )


def convolved(conv: nn.Conv3d, x: torch.Tensor, plus: torch.Tensor | None = None) -> torch.Tensor:
    """relu(conv(x) + plus), all of it by one call of cuDNN: saves a pass over memory for each."""
    how = conv.bias, conv.stride, conv.padding, conv.dilation, conv.groups
    if plus is None:
        return torch.cudnn_convolution_relu(x, conv.weight, *how)  # type: ignore[arg-type]
    return torch.cudnn_convolution_add_relu(x, conv.weight, plus, 1.0, *how)  # type: ignore[arg-type]


def pad(
    x: torch.Tensor, sides: Sequence[tuple[int, int]], value: float = 0.0, channels: int = 0
) -> torch.Tensor:
    """(N, C, T, H, W) with `sides` cells before and behind T, H and W, and `channels` more channels."""
    amounts = [*chain.from_iterable(reversed(sides)), 0, channels]
    return functional.pad(x, amounts, value=value) if any(amounts) else x


class OneDnnConv3d(nn.Conv3d):
    """A float32 convolution by oneDNN, whatever torch would choose: for the CPU.

    At one thread torch has most float32 convolutions computed by its own loop over a matrix product, which
    is up to 2.5 times slower with the channels innermost; from two threads on it asks oneDNN itself.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, inputs, T, H, W) to (N, outputs, …), as `torch.nn.Conv3d`."""
        assert not isinstance(self.padding, str)
        return torch.mkldnn_convolution(
            x, self.weight, self.bias, self.padding, self.stride, self.dilation, self.groups
        )


def convolution(of: Convolution, like: nn.Module, one_dnn: bool) -> nn.Conv3d:
    """A module with the tensors of a folded convolution, and the stride and padding of `like`.

    Training does not change it. `one_dnn`: see `OneDnnConv3d`.
    """
    assert isinstance(like, nn.Conv3d)
    outputs, inputs = of.weight.shape[:2]
    has_one_dnn: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    kind = OneDnnConv3d if one_dnn and has_one_dnn else nn.Conv3d
    stride, padding = cast(Triple, like.stride), cast(Triple, like.padding)
    with torch.device("meta"):  # its own random values would be made in vain
        conv = kind(inputs * of.groups, outputs, of.kernel, stride, padding, groups=of.groups)
    conv.weight, conv.bias = parameter(of.weight), parameter(of.bias)
    return conv


def parameter(array: FloatArray) -> nn.Parameter:
    """A copy of `array` that training does not change."""
    return nn.Parameter(torch.from_numpy(np.array(array, order="C")), requires_grad=False)


def in_arithmetic(net: Net, precision: str, device: str) -> Net:
    """A folded `net` in the type of `precision`, and in the layout that is fastest with it.

    Its last layer, a matrix times a vector, stays in float32: the module `head` or `fc`. The channels are
    innermost on the CPU, and on CUDA but for exact float32.
    """
    dtype = HALF.get(precision)
    net = net.eval().requires_grad_(False)
    if dtype is not None:
        for name, child in net.named_children():
            if name not in ("head", "fc"):
                child.to(dtype)
    if device == "cpu" or precision != "fp32":
        net.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    return net

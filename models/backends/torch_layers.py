"""What the networks in torch share: folded convolutions, fast max pools, and the choice of a variant."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import chain
from typing import TypeVar, cast

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ..spec import FloatArray, LoadOptions
from ..state import State
from ..transforms import Convolution, Triple

Net = TypeVar("Net", bound=nn.Module)

HALF = {"bf16": torch.bfloat16, "fp16": torch.float16}
"""Precision → the type that weights and activations are kept in."""

MaxPoolFunction = Callable[[torch.Tensor, Triple, Triple, Sequence[tuple[int, int]]], torch.Tensor]
"""(x, kernel, stride, sides): max pool of (N, C, T, H, W) with `sides` cells before and behind each axis."""


def separable_max_pool(
    x: torch.Tensor, kernel: Triple, stride: Triple, sides: Sequence[tuple[int, int]]
) -> torch.Tensor:
    """The max pool computed one axis after the other; parameters as in MaxPoolFunction.

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


def unpadded_max_pool(
    x: torch.Tensor, kernel: Triple, stride: Triple, sides: Sequence[tuple[int, int]]
) -> torch.Tensor:
    """`separable_max_pool` without the padded copy: windows at the borders have fewer cells to compare.

    I3D in float32 takes 5 % less with it on the CPU. For inference only, and not for torch.compile: the
    maxima are written where they belong.
    """
    for axis, (taps, step, (before, behind)) in enumerate(zip(kernel, stride, sides, strict=True), start=2):
        if (taps, step, before, behind) != (1, 1, 0, 0):
            x = _maximum_along(axis, x, taps, step, before, behind)
    return x


def _maximum_along(
    axis: int, x: torch.Tensor, taps: int, step: int, before: int, behind: int
) -> torch.Tensor:
    """The max pool of `x` along one axis, with `before` and `behind` cells at its ends that never win."""
    size = x.shape[axis]
    outputs = (size + before + behind - taps) // step + 1
    every = (slice(None),) * axis + (slice(None, None, step),)

    def outputs_of(tap: int) -> range:
        """The outputs in whose windows this tap is on a cell of `x`."""
        return range(max(0, -((tap - before) // step)), min(outputs, (size - 1 - tap + before) // step + 1))

    def cells(tap: int, of: range) -> torch.Tensor:
        return x.narrow(axis, of.start * step + tap - before, (len(of) - 1) * step + 1)[every]

    # The first one has a cell in every window, as long as less is padded than the kernel reaches.
    first, *others = sorted(range(taps), key=lambda tap: -len(outputs_of(tap)))
    whole = outputs_of(first)
    assert len(whole) == outputs, "no tap has a cell in every window"
    y: torch.Tensor | None = None
    for tap in others:
        of = outputs_of(tap)
        if not of:
            continue
        if y is None and of == whole:
            y = torch.maximum(cells(first, whole), cells(tap, whole))
        elif y is None:
            y = torch.empty_like(cells(first, whole))
            for rest in (range(of.start), range(of.stop, outputs)):
                if rest:
                    y.narrow(axis, rest.start, len(rest)).copy_(cells(first, rest))
            torch.maximum(cells(first, of), cells(tap, of), out=y.narrow(axis, of.start, len(of)))
        else:
            part = y.narrow(axis, of.start, len(of))
            torch.maximum(part, cells(tap, of), out=part)
    return cells(first, whole) if y is None else y


def torch_max_pool(
    x: torch.Tensor, kernel: Triple, stride: Triple, sides: Sequence[tuple[int, int]]
) -> torch.Tensor:
    """The max pool by torch's `max_pool3d`, as usual ports have it; parameters as in MaxPoolFunction."""
    return functional.max_pool3d(pad(x, sides, value=-torch.inf), kernel, stride)


@dataclass(frozen=True, slots=True)
class Tuning:
    """The exact transformations that a network in torch is built with, in addition to folded batch norms.

    - `wide`: use four input channels, and groups of at least 16 channels, which are faster in half
      precisions.
    - `conv`: the module that computes convolutions.
    - `max_pool`: the function that computes max pools.
    """

    wide: bool = False
    conv: type[nn.Conv3d] = nn.Conv3d
    max_pool: MaxPoolFunction = separable_max_pool

    @property
    def fused_relu(self) -> bool:
        """Whether `conv` computes the sum and ReLU behind a convolution too."""
        return issubclass(self.conv, FusedConv3d)


def tuned_for(options: LoadOptions) -> Tuning:
    """What was measured to help with these options (docs/backends.md)."""
    half = options.precision in HALF
    conv: type[nn.Conv3d] = nn.Conv3d
    max_pool: MaxPoolFunction = separable_max_pool
    # The compiler fuses by itself.
    if options.variant != "compiled":
        if options.device == "cpu":
            conv = OneDnnConv3d if _onednn_computes(options.precision) else nn.Conv3d
            max_pool = unpadded_max_pool
        elif half:
            conv = CudnnConv3d
    return Tuning(half, conv, max_pool)


def _onednn_computes(precision: str) -> bool:
    """Whether oneDNN's convolutions can be called here in this precision."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    return precision not in HALF or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def in_variant(
    state: State,
    options: LoadOptions,
    plain: Callable[[State, MaxPoolFunction], Net],
    folded: Callable[[State, Tuning], Net],
) -> Net:
    """A network with the tensors of `state`, in the variant, precision and layout of `options`.

    - `plain`: makes the network as its usual port has it.
    - `folded`: makes it with batch norms folded into convolutions, for every other variant.
    """
    if options.variant == "plain":
        return plain(state, torch_max_pool)
    return in_arithmetic(folded(state, tuned_for(options)), options.precision, options.device)


def pad(
    x: torch.Tensor, sides: Sequence[tuple[int, int]], value: float = 0.0, channels: int = 0
) -> torch.Tensor:
    """(N, C, T, H, W) with more cells at the borders, and `channels` more channels at the end.

    - `sides`: cells before and behind T, H and W.
    - `value`: of the new cells.
    """
    amounts = [*chain.from_iterable(reversed(sides)), 0, channels]
    return functional.pad(x, amounts, value=value) if any(amounts) else x


class FusedConv3d(nn.Conv3d, ABC):
    """A convolution that computes the sum and the ReLU behind it in one call: saves passes over memory."""

    @abstractmethod
    def relu(self, x: torch.Tensor, plus: torch.Tensor | None = None) -> torch.Tensor:
        """relu(self(x) + plus)."""


def convolved(conv: nn.Module, x: torch.Tensor, plus: torch.Tensor | None = None) -> torch.Tensor:
    """relu(conv(x) + plus), where `conv` is a `FusedConv3d`; `plus` of None is 0."""
    assert isinstance(conv, FusedConv3d)
    return conv.relu(x, plus)


class CudnnConv3d(FusedConv3d):
    """By cuDNN."""

    def relu(self, x: torch.Tensor, plus: torch.Tensor | None = None) -> torch.Tensor:
        """See `FusedConv3d.relu`."""
        how = self.bias, self.stride, self.padding, self.dilation, self.groups
        if plus is None:
            return torch.cudnn_convolution_relu(x, self.weight, *how)  # type: ignore[arg-type]
        return torch.cudnn_convolution_add_relu(x, self.weight, plus, 1.0, *how)  # type: ignore[arg-type]


class OneDnnConv3d(FusedConv3d):
    """By oneDNN on the CPU, even where torch would choose another implementation.

    With one thread torch computes most float32 convolutions by its own loop over a matrix product, which is
    up to 2.5 times slower in channels-last layout. And it reorders the weights for oneDNN at every call, in
    every precision: here the weights reordered for the last shape of input are kept, in addition to the
    original ones. oneDNN is called as torch.compile does; `torch.mkldnn_convolution` does not accept
    reordered weights.

    For inference only: there are no gradients, and changes of the weights after the first call have no
    effect.
    """

    _ordered: tuple[torch.Size, torch.Tensor] | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, inputs, T, H, W) to (N, outputs, …), as `torch.nn.Conv3d`."""
        y: torch.Tensor = torch.ops.mkldnn._convolution_pointwise(x, *self._how(x), "none", [], "")
        return y

    def relu(self, x: torch.Tensor, plus: torch.Tensor | None = None) -> torch.Tensor:
        """See `FusedConv3d.relu`."""
        y: torch.Tensor
        if plus is None:
            y = torch.ops.mkldnn._convolution_pointwise(x, *self._how(x), "relu", [], "")
        elif self.groups > 1:
            # oneDNN does not add to grouped convolutions, and what torch 2.13 does instead fails in bfloat16.
            y = self(x).add_(plus).relu_()
        else:
            both = torch.ops.mkldnn._convolution_pointwise.binary
            y = both(x, plus, *self._how(x), "add", None, "relu", [], "")
        return y

    def __getstate__(self) -> dict[str, object]:
        return self.__dict__ | {"_ordered": None}  # cannot be copied

    def _how(self, x: torch.Tensor) -> tuple[object, ...]:
        where = self.padding, self.stride, self.dilation, self.groups
        # Another thread may replace `_ordered` at any time: each works with its own reference.
        ordered = self._ordered
        if ordered is None or ordered[0] != x.shape:
            weight = torch.ops.mkldnn._reorder_convolution_weight(self.weight, *where, x.shape)
            self._ordered = ordered = (x.shape, weight)
        return ordered[1], self.bias, *where


def convolution(of: Convolution, like: nn.Module, kind: type[nn.Conv3d]) -> nn.Conv3d:
    """A module that computes a folded convolution; its parameters are not trainable.

    - `of`: weights and bias.
    - `like`: the module whose stride and padding it gets.
    - `kind`: class of the module.
    """
    assert isinstance(like, nn.Conv3d)
    outputs, inputs = of.weight.shape[:2]
    stride, padding = cast(Triple, like.stride), cast(Triple, like.padding)
    with torch.device("meta"):  # its own random values would be made in vain
        conv = kind(inputs * of.groups, outputs, of.kernel, stride, padding, groups=of.groups)
    conv.weight, conv.bias = parameter(of.weight), parameter(of.bias)
    return conv


def parameter(array: FloatArray) -> nn.Parameter:
    """A copy of `array` as a parameter that is not trainable."""
    return nn.Parameter(torch.from_numpy(np.array(array, order="C")), requires_grad=False)


def in_arithmetic(net: Net, precision: str, device: str) -> Net:
    """A network in the type of a precision, and in the memory layout that is fastest with it.

    - `net`: with folded batch norms; changed in place.
    - `precision`: a key of `capabilities.PRECISIONS`.
    - `device`: "cpu" or "cuda:N".

    The last layer, the module `head` or `fc`, stays in float32. The layout is channels-last on the CPU, and
    on CUDA except for exact float32.
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

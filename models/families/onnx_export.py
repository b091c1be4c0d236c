"""Torch modules as ONNX graphs, traced by `torch.onnx.export`.

By its older exporter (`dynamo=False`): the newer one needs a package more, onnxscript.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from ..backends.onnx_graphs import INPUT, OPSET, OUTPUT
from ..transforms import Triple


class _ChannelsLast(torch.nn.Module):
    """`net` with (N, T, H, W, C) for its input."""

    def __init__(self, net: torch.nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.net(x.permute(0, 4, 1, 2, 3))
        return logits


class _WithoutSequences(TorchFunctionMode):
    """`torch.tensor_split` at one index as two slices: it would be a sequence, which OpenVINO cannot read."""

    def __torch_function__(
        self,
        function: Callable[..., Any],
        _types: Sequence[type],
        arguments: Sequence[Any] = (),
        named: dict[str, Any] | None = None,
    ) -> Any:
        named = named or {}
        if function is not torch.tensor_split:
            return function(*arguments, **named)
        (x,), (at,), dim = arguments, named["indices"], named["dim"]
        return x.narrow(dim, 0, at), x.narrow(dim, at, x.shape[dim] - at)


def exported(net: torch.nn.Module, size: Triple, any_size: bool) -> bytes:
    """A graph from (N, T, H, W, 3) float32 to logits (N, classes), as `Model.onnx` gives it.

    - `net`: from (N, 3, T, H, W) to logits, in float32 and in evaluation mode.
    - `size`: (T, H, W) that is traced.
    - `any_size`: whether what is traced holds for other sizes too; without it the graph declares `size`.
    """
    axes = {0: "N"} | ({1: "T", 2: "H", 3: "W"} if any_size else {})
    file = io.BytesIO()
    with warnings.catch_warnings(), _WithoutSequences():
        # That this exporter is the older one, and that sizes become constants.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", torch.jit.TracerWarning)  # type: ignore[attr-defined]
        torch.onnx.export(
            _ChannelsLast(net).eval(),
            (torch.zeros(1, *size, 3),),
            file,  # type: ignore[arg-type]  # of the newer exporter
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: axes, OUTPUT: {0: "N"}},
            opset_version=OPSET,
            dynamo=False,
        )
    return file.getvalue()

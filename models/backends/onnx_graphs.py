"""I3D and 3D-ResNeXt-101 as ONNX graphs, made from their tensors: no framework is needed to export them.

A graph takes (N, T, H, W, C) float32 with every size but C left open, and gives logits (N, classes). Batch
norm is folded into the convolutions. What prepares uint8 pixels is a graph of its own, which a runtime puts
before the network where pixels are what it is given. All are bytes, as an ONNX file holds them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

from ..i3d import architecture as i3d
from ..labels import labels
from ..loading import i3d_states, resnext_state
from ..resnext import architecture as resnext
from ..spec import FloatArray, Preprocessing, Weights
from ..state import State
from ..transforms import Convolution, Triple, depth_padding, pixel_scaling, space_to_depth, with_wider_groups

INPUT, OUTPUT = "input", "output"
"""Names of a graph's input and output."""

_OPSET, _IR_VERSION = 17, 8
"""Of ONNX 1.12: all that the graphs need, so that older runtimes read them."""


@dataclass(frozen=True, slots=True)
class StreamGraph:
    """One stream of a network.

    - `network`: (N, T, H, W, C) float32 to logits (N, classes). It may lie in a file.
    - `pixels`: (N, T, H, W, 3) uint8 to what `network` takes; None where its input is no picture.
    - `parameters`: trainable ones.
    """

    network: bytes | Path
    pixels: bytes | None
    parameters: int


def i3d_graphs(weights: Mapping[str, Weights], wide: bool = False) -> dict[str, StreamGraph]:
    """The streams in `weights`. Raises WeightsError.

    - `wide`: with more channels where there are few, as kernels for bfloat16 and int8 want it and those for
      float32 do not: a first convolution of three channels goes over blocks of 2×2×2 cells.
    """
    states = i3d_states(weights)
    return {
        stream: StreamGraph(i3d_graph(states.pop(stream), wide), _pixels(each), _i3d_parameters(stream, each))
        for stream, each in weights.items()
    }


def i3d_files(weights: Mapping[str, Weights], files: Mapping[str, Path]) -> dict[str, StreamGraph]:
    """The streams in `weights`, whose networks lie in `files` already."""
    return {
        stream: StreamGraph(files[stream], _pixels(each), _i3d_parameters(stream, each))
        for stream, each in weights.items()
    }


def _i3d_parameters(stream: str, weights: Weights) -> int:
    """Trainable parameters of a stream."""
    return i3d.parameters(i3d.CHANNELS[stream], len(labels(weights.description.labels)))


def resnext_graphs(weights: Mapping[str, Weights], wide: bool = False) -> dict[str, StreamGraph]:
    """The one stream, "rgb". Raises WeightsError.

    - `wide`: as for I3D, over blocks of 2×2 cells; and no fewer than 16 channels in a group.
    """
    each = weights["rgb"]
    graph = resnext_graph(resnext_state(each), wide)
    parameters = resnext.parameters(len(labels(each.description.labels)))
    return {"rgb": StreamGraph(graph, _pixels(each), parameters)}


def _pixels(weights: Weights) -> bytes | None:
    how = weights.description.preprocessing
    return pixels_graph(how) if how.modality == "rgb" else None


def pixels_graph(how: Preprocessing) -> bytes:
    """(N, T, H, W, 3) uint8 to float32 as the network takes it."""
    factor, offset = pixel_scaling(how)
    graph = _Graph(TensorProto.UINT8, how.channels)
    x = graph.add("Cast", INPUT, to=TensorProto.FLOAT)
    x = graph.add("Add", graph.add("Mul", x, graph.tensor(factor)), graph.tensor(offset))
    return graph.finish(x, ("N", "T", "H", "W", how.channels))


def i3d_graph(state: State, wide: bool = False) -> bytes:
    """One stream of I3D with the tensors of `state` (`i3d.tensor_shapes`); `wide`: see `i3d_graphs`.

    The windows of the average pool are averaged before the logits are computed (see `i3d_torch.I3D`).
    """
    # Taken out as they are used, and the state let go: weights are held twice at most, and not four times.
    convolutions = i3d.folded(state)
    del state
    channels = convolutions["Conv3d_1a_7x7"].weight.shape[1]
    graph = _Graph(TensorProto.FLOAT, channels)

    def step(x: str, layer: i3d.Unit | i3d.MaxPool) -> str:
        # TensorFlow's "SAME" is ONNX's SAME_UPPER: the odd cell goes behind, whatever the size.
        window = {"kernel_shape": layer.kernel, "strides": layer.stride, "auto_pad": "SAME_UPPER"}
        if isinstance(layer, i3d.MaxPool):
            return graph.add("MaxPool", x, **window)
        return graph.add("Relu", graph.convolution(x, convolutions.pop(layer.scope), **window))

    def padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
        before, _ = i3d.same_padding(size, kernel, stride)
        return depth_padding(size, kernel, stride, before, i3d.same_size(size, stride))

    stem, *layers = i3d.layers(channels)
    assert isinstance(stem, i3d.Unit), "I3D begins with a convolution"
    # The two channels of flow have fast kernels as they are.
    if wide and channels > i3d.CHANNELS["flow"]:
        x = graph.add("Relu", graph.over_blocks(convolutions.pop(stem.scope), stem.stride, padding))
    else:
        x = step(graph.channels_first(INPUT), stem)
    for layer in layers:
        if isinstance(layer, i3d.Mixed):
            x = graph.add("Concat", *(reduce(step, branch, x) for branch in layer.branches), axis=1)
        else:
            x = step(x, layer)
    x = graph.add("AveragePool", x, kernel_shape=i3d.FINAL_POOL)
    head = convolutions[i3d.HEAD]
    return _with_logits(graph, x, head.weight[..., 0, 0, 0], head.bias)


def resnext_graph(state: State, wide: bool = False) -> bytes:
    """3D-ResNeXt-101 with the tensors of `state` (`resnext.tensor_shapes`); `wide`: see `resnext_graphs`."""
    # Held as in `i3d_graph`.
    convolutions = resnext.folded(state)
    head = state["fc.weight"], state["fc.bias"]
    del state
    graph = _Graph(TensorProto.FLOAT, convolutions["conv1"].weight.shape[1])

    def convolution(x: str, name: str, stride: Triple = (1, 1, 1)) -> str:
        folded = convolutions.pop(name)
        sides = [taps // 2 for taps in folded.kernel]
        wider = with_wider_groups(folded) if wide else folded
        return graph.convolution(x, wider, strides=stride, pads=sides * 2)

    def padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
        return depth_padding(size, kernel, stride, kernel // 2, -(-size // stride))

    stride = (1, 2, 2)
    if wide:
        x = graph.over_blocks(convolutions.pop("conv1"), stride, padding)
    else:
        x = convolution(graph.channels_first(INPUT), "conv1", stride)
    x = graph.add("Relu", x)
    x = graph.add("MaxPool", x, kernel_shape=(3, 3, 3), strides=(2, 2, 2), pads=(1,) * 6)
    for block in resnext.bottlenecks():
        stride = (block.stride,) * 3
        y = graph.add("Relu", convolution(x, f"{block.scope}.conv1"))
        y = graph.add("Relu", convolution(y, f"{block.scope}.conv2", stride))
        y = convolution(y, f"{block.scope}.conv3")
        if block.shortcut:
            x = convolution(x, f"{block.scope}.downsample.0", stride)
        x = graph.add("Relu", graph.add("Add", y, x))
    return _with_logits(graph, x, *head)


def _with_logits(graph: _Graph, features: str, weight: FloatArray, bias: FloatArray) -> bytes:
    """The graph whose logits are `weight` (classes, C) times the mean of `features` (N, C, T, H, W)."""
    mean = graph.add("ReduceMean", features, axes=(2, 3, 4), keepdims=0)
    logits = graph.add("Gemm", mean, graph.tensor(weight), graph.tensor(bias), transB=1)
    return graph.finish(logits, ("N", len(bias)))


class _Graph:
    """A graph as it grows, from an input (N, T, H, W, C) on. Values are known by their names."""

    def __init__(self, dtype: int, channels: int) -> None:
        self._model = onnx.ModelProto(ir_version=_IR_VERSION, producer_name="actionbench")
        self._model.opset_import.append(helper.make_opsetid("", _OPSET))
        self._model.graph.name = "network"
        sizes = ("N", "T", "H", "W", channels)
        self._model.graph.input.append(helper.make_tensor_value_info(INPUT, dtype, sizes))

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """The output of a new node."""
        nodes = self._model.graph.node
        output = f"{operator}_{len(nodes)}"
        nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def tensor(self, values: npt.ArrayLike) -> str:
        """A constant: int64 of whole numbers, else float32."""
        # Filled in place: onnx's helpers copy all weights into the graph and once more into the model.
        array = np.asarray(values)
        whole = np.issubdtype(array.dtype, np.integer)
        held = self._model.graph.initializer.add()
        held.name = name = f"tensor_{len(self._model.graph.initializer)}"
        held.data_type = TensorProto.INT64 if whole else TensorProto.FLOAT
        held.dims.extend(array.shape)
        held.raw_data = array.astype("<i8" if whole else "<f4", copy=False).tobytes()
        return name

    def channels_first(self, x: str) -> str:
        """(N, T, H, W, C) as (N, C, T, H, W): of no cost where kernels want channels last in memory."""
        return self.add("Transpose", x, perm=(0, 4, 1, 2, 3))

    def convolution(self, x: str, convolution: Convolution, **window: Any) -> str:
        """The output of `convolution` for (N, C, T, H, W)."""
        weight, bias = self.tensor(convolution.weight), self.tensor(convolution.bias)
        return self.add("Conv", x, weight, bias, group=convolution.groups, **window)

    def over_blocks(
        self,
        convolution: Convolution,
        stride: Triple,
        padding: Callable[[int, int, int], tuple[int, int]],
    ) -> str:
        """The output of `convolution` for the input, computed over blocks of `stride` cells.

        - `stride`: 1 or 2 along each axis.
        - `padding`: (cells, taps, stride) of an axis → the zeros before and behind it (`depth_padding`). They
          depend on whether the number of cells is odd.
        """
        even, odd = (
            np.transpose(list(map(padding, (size,) * 3, convolution.kernel, stride))) for size in (64, 65)
        )  # (before and behind, axis)
        channels = convolution.weight.shape[1]
        zero = self.tensor([0])
        sizes = self._sizes(INPUT)
        is_odd = self.add("Mod", sizes, self.tensor([2]))
        before, behind = (
            self.add("Add", self.tensor(e), self.add("Mul", is_odd, self.tensor(o - e)))
            for e, o in zip(even, odd, strict=True)
        )
        pads = self.add("Concat", zero, before, zero, zero, behind, zero, axis=0)
        x = self.add("Pad", INPUT, pads)
        blocks = self.add("Div", self._sizes(x), self.tensor(stride))
        # (T/t, t, H/h, h, W/w, w·C): the rows of a table with blocks in one column and cells in the other.
        cells = self.tensor(np.multiply(stride, (1, 1, channels)))
        columns = [self.add("Unsqueeze", each, self.tensor([1])) for each in (blocks, cells)]
        split = self.add("Reshape", self.add("Concat", *columns, axis=1), self.tensor([6]))
        # Zero in a shape is "as it was".
        x = self.add("Reshape", x, self.add("Concat", zero, split, axis=0))
        x = self.add("Transpose", x, perm=(0, 1, 3, 5, 2, 4, 6))
        depth = self.tensor([int(np.prod(stride)) * channels])
        x = self.channels_first(self.add("Reshape", x, self.add("Concat", zero, blocks, depth, axis=0)))
        return self.convolution(x, space_to_depth(convolution, stride))

    def _sizes(self, x: str) -> str:
        """T, H and W of (N, T, H, W, C)."""
        return self.add("Shape", x, start=1, end=4)

    def finish(self, value: str, sizes: tuple[str | int, ...]) -> bytes:
        """The graph that gives `value`, float32 of `sizes`."""
        self._model.graph.node.append(helper.make_node("Identity", [value], [OUTPUT], name=OUTPUT))
        self._model.graph.output.append(helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, sizes))
        file: bytes = self._model.SerializeToString()
        return file

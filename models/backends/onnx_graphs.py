"""ONNX graphs of networks, made from their tensors: no framework is needed to export them.

A network's own graph (`Model.onnx`) takes (N, T, H, W, C) float32 with every size but C left open, and
gives logits (N, classes); it is built with `Graph`. What prepares uint8 pixels is a graph of its own, which a
runtime puts before the network where its input is pixels. All are bytes, as an ONNX file holds them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

from ...errors import UsageError
from ...registry import LOAD_REMEDY, load
from ..labels import labels
from ..spec import FloatArray, Model, Preprocessing, Weights
from ..transforms import Convolution, Padding, Triple, block_padding, pixel_scaling, space_to_depth

INPUT, OUTPUT = "input", "output"
"""Names of a graph's input and output."""

OPSET, _IR_VERSION = 17, 8
"""Of ONNX 1.12: all that the graphs need, so that older runtimes read them."""


def stream_graph(model: Model, weights: Weights, wide: bool = False) -> bytes:
    """The ONNX graph of a stream, as bytes.

    - `model`: declares it (`Model.onnx`).
    - `weights`: of the stream.
    - `wide`: with more channels where there are few (`Model.onnx`).

    Raises UsageError if the model declares none, BackendUnavailable if its function cannot be loaded, and as
    that function does.
    """
    if model.onnx is None:
        raise UsageError(
            "has no ONNX graph, which this backend needs",
            where=model.name,
            remedy="Set `onnx` of its Model, or use another backend",
        )
    graph: bytes = load(model.onnx, f"the ONNX graph of {model.name}", LOAD_REMEDY)(weights, wide)
    return graph


def stream_pixels(weights: Weights) -> bytes | None:
    """The graph that prepares a stream's pixels, as bytes; None for flow."""
    how = weights.description.preprocessing
    return pixels_graph(how) if how.modality == "rgb" else None


def parameters(model: Model, weights: Mapping[str, Weights]) -> int | None:
    """Trainable parameters of the streams in `weights`; None if the model does not say."""
    if model.parameters is None:
        return None
    return sum(
        model.parameters(stream, len(labels(each.description.labels))) for stream, each in weights.items()
    )


def pixels_graph(how: Preprocessing) -> bytes:
    """(N, T, H, W, 3) uint8 to float32 as the network takes it."""
    factor, offset = pixel_scaling(how)
    graph = Graph(TensorProto.UINT8, how.channels)
    x = graph.add("Cast", INPUT, to=TensorProto.FLOAT)
    x = graph.add("Add", graph.add("Mul", x, graph.tensor(factor)), graph.tensor(offset))
    return graph.finish(x, ("N", "T", "H", "W", how.channels))


class Graph:
    """An ONNX graph under construction, whose input is (N, T, H, W, C); values are referred to by name.

    - `dtype`: of the input, as in `onnx.TensorProto`.
    - `channels`: C.
    """

    def __init__(self, dtype: int, channels: int) -> None:
        self._model = onnx.ModelProto(ir_version=_IR_VERSION, producer_name="actionbench")
        self._model.opset_import.append(helper.make_opsetid("", OPSET))
        self._model.graph.name = "network"
        sizes = ("N", "T", "H", "W", channels)
        self._model.graph.input.append(helper.make_tensor_value_info(INPUT, dtype, sizes))

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add a node; returns the name of its output.

        - `operator`: of ONNX.
        - `inputs`: names of values.
        - `attributes`: of the operator.
        """
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
        """(N, T, H, W, C) as (N, C, T, H, W); costs nothing if kernels have channels last in memory."""
        return self.add("Transpose", x, perm=(0, 4, 1, 2, 3))

    def convolution(self, x: str, convolution: Convolution, **window: Any) -> str:
        """Add a convolution; returns the name of its output.

        - `x`: (N, C, T, H, W).
        - `convolution`: weights, bias and groups.
        - `window`: attributes of the operator: strides, padding.
        """
        weight, bias = self.tensor(convolution.weight), self.tensor(convolution.bias)
        return self.add("Conv", x, weight, bias, group=convolution.groups, **window)

    def over_blocks(self, convolution: Convolution, stride: Triple, padding: Padding) -> str:
        """Add a convolution of the graph's input, computed over blocks (`space_to_depth`).

        - `convolution`: without groups.
        - `stride`: 1 or 2 along each axis.
        - `padding`: the zeros that the convolution has around its input.

        The new convolution pads by whole blocks itself, for which nothing is copied. What is left is put
        around the graph's input.
        """
        axes = [block_padding(*each, padding) for each in zip(convolution.kernel, stride, strict=True)]
        even, odd = (np.transpose([getattr(axis, which) for axis in axes]) for which in ("even", "odd"))
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
        by_blocks = np.transpose([axis.blocks for axis in axes]).ravel().tolist()
        return self.convolution(x, space_to_depth(convolution, stride), pads=by_blocks)

    def with_channels(self, x: str, more: int) -> str:
        """(N, C, T, H, W) with `more` channels of zeros behind the others.

        With the channels outermost whole pictures are copied, and not a few numbers at a time.
        """
        return self.add("Pad", x, self.tensor([0] * 6 + [more] + [0] * 3))

    def _sizes(self, x: str) -> str:
        """T, H and W of (N, T, H, W, C)."""
        return self.add("Shape", x, start=1, end=4)

    def with_logits(self, features: str, weight: FloatArray, bias: FloatArray) -> bytes:
        """The graph whose logits are `weight` · mean(`features`) + `bias`, the mean taken over T, H and W.

        - `features`: (N, C, T, H, W).
        - `weight`, `bias`: (classes, C) and (classes,), the last layer.
        """
        mean = self.add("ReduceMean", features, axes=(2, 3, 4), keepdims=0)
        logits = self.add("Gemm", mean, self.tensor(weight), self.tensor(bias), transB=1)
        return self.finish(logits, ("N", len(bias)))

    def finish(self, value: str, sizes: tuple[str | int, ...]) -> bytes:
        """The finished graph, as bytes; its output is `value`, float32 of the shape `sizes`."""
        self._model.graph.node.append(helper.make_node("Identity", [value], [OUTPUT], name=OUTPUT))
        self._model.graph.output.append(helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, sizes))
        file: bytes = self._model.SerializeToString()
        return file

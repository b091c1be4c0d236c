"""Multiply–accumulates and parameters of an ONNX graph, counted on the graph as it is."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper

from ...backends.onnx_reading import nodes

Shapes = Mapping[str, tuple[int, ...]]
"""Name of a tensor → its shape, of all tensors whose shape is known."""

_log = logging.getLogger(__name__)

_FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE)

_SMALL = 64
"""Numbers of a tensor that may be a shape or an index, whose values other shapes depend on."""


def without_weights(model: ModelProto) -> ModelProto:
    """The model itself, its larger tensors declared as inputs: enough for shapes, and little to keep."""
    declared = {value.name for value in model.graph.input}
    kept = []
    for tensor in model.graph.initializer:
        if math.prod(tensor.dims) <= _SMALL:
            kept.append(tensor)
        elif tensor.name not in declared:
            value = helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
            model.graph.input.append(value)
    small = [tensor.SerializeToString() for tensor in kept]
    del model.graph.initializer[:]
    model.graph.initializer.extend(map(TensorProto.FromString, small))
    return model


def multiply_accumulates(model: ModelProto, inputs: Shapes, name: str) -> int | None:
    """Multiply–accumulates of convolutions and products of matrices; taps on padding are counted.

    - `model`: `without_weights` or with. `inputs`: name → shape of the inputs that are no weights.
    - `name`: of the network, for the warning.

    Everything else counts as 0, as it does for our own networks. None, with a warning that says why, where a
    shape is not known, or an operator is a network in itself.
    """
    shaped = ModelProto()
    shaped.CopyFrom(model)
    for value in shaped.graph.input:
        if value.name in inputs:
            dtype = value.type.tensor_type.elem_type
            value.CopyFrom(helper.make_tensor_value_info(value.name, dtype, inputs[value.name]))
    # What exporters wrote of shapes may be of other sizes of the input.
    del shaped.graph.value_info[:]
    for value in shaped.graph.output:
        value.type.tensor_type.ClearField("shape")
    try:
        shapes = _shapes(onnx.shape_inference.infer_shapes(shaped, data_prop=True))
    except onnx.shape_inference.InferenceError as error:
        _log.warning("%s: its GFLOPs are not counted: %s", name, " ".join(str(error).split()))
        return None
    total = 0
    for node in shaped.graph.node:
        count = _count(node, shapes)
        if count is None:
            _log.warning(
                "%s: its GFLOPs are not counted: of the operator %s (%s) it is not known how many it has",
                name,
                node.op_type,
                node.name or ", ".join(node.output),
            )
            return None
        total += count
    return total


def parameters(model: ModelProto) -> int:
    """Numbers in the graph's weights: its tensors of floats, and the quantised ones.

    Not counted: single numbers, the statistics of batch norms, scales of quantised values and of resizing.
    """
    graph = model.graph
    floats = {each.name: each.dims for each in graph.initializer if each.data_type in _FLOATS}
    quantised = {each.name: each.dims for each in graph.initializer if each.data_type not in _FLOATS}
    used: dict[str, Iterable[int]] = {}
    for node in nodes(graph):
        for tensor in (
            each.t for each in node.attribute if node.op_type == "Constant" and each.name == "value"
        ):
            if tensor.data_type in _FLOATS:
                floats[node.output[0]] = tensor.dims
    for node in nodes(graph):
        for number, name in enumerate(node.input):
            if number in _NO_WEIGHTS.get(node.op_type, ()):
                continue
            if name in floats and len(floats[name]):
                used[name] = floats[name]
            elif name in quantised and number == _QUANTISED.get(node.op_type):
                used[name] = quantised[name]
    return sum(math.prod(dims) for dims in used.values())


_NO_WEIGHTS = {
    "BatchNormalization": (3, 4),
    "DequantizeLinear": (1, 2),
    "QuantizeLinear": (1, 2),
    "QLinearConv": (1, 2, 4, 5, 6, 7),
    "QLinearMatMul": (1, 2, 4, 5, 6, 7),
    "Resize": (1, 2),
    "Upsample": (1,),
}
"""Operator → its inputs of floats that are no weights."""

_QUANTISED = {
    "DequantizeLinear": 0,
    "QLinearConv": 3,
    "ConvInteger": 1,
    "QLinearMatMul": 3,
    "MatMulInteger": 1,
}
"""Operator → its input of whole numbers that are weights."""


def _shapes(model: ModelProto) -> Shapes:
    found: dict[str, tuple[int, ...]] = {each.name: tuple(each.dims) for each in model.graph.initializer}
    for value in (*model.graph.input, *model.graph.value_info, *model.graph.output):
        tensor = value.type.tensor_type
        if tensor.HasField("shape") and all(each.HasField("dim_value") for each in tensor.shape.dim):
            found[value.name] = tuple(each.dim_value for each in tensor.shape.dim)
    return found


def _count(node: NodeProto, shapes: Shapes) -> int | None:
    if node.op_type in _UNCOUNTED:
        return None
    if any(_COUNTED.keys() & {each.op_type for each in nodes(graph)} for graph in _graphs(node)):
        return None  # how often its graph is computed is known when it is
    if (count := _COUNTED.get(node.op_type)) is None:
        return 0
    try:
        return count(node, shapes)
    except (KeyError, IndexError, ValueError):
        return None


def _graphs(node: NodeProto) -> list[onnx.GraphProto]:
    return [
        graph
        for each in node.attribute
        for graph in (*([each.g] if each.HasField("g") else []), *each.graphs)
    ]


def _convolution(weight: int) -> Callable[[NodeProto, Shapes], int]:
    """Of an operator whose input number `weight` is (out, in, t, h, w)."""

    def count(node: NodeProto, shapes: Shapes) -> int:
        return math.prod(shapes[node.output[0]]) * math.prod(shapes[node.input[weight]][1:])

    return count


def _transposed(node: NodeProto, shapes: Shapes) -> int:
    return math.prod(shapes[node.input[0]]) * math.prod(shapes[node.input[1]][1:])


def _product(node: NodeProto, shapes: Shapes) -> int:
    return math.prod(shapes[node.output[0]]) * shapes[node.input[0]][-1]


def _gemm(node: NodeProto, shapes: Shapes) -> int:
    transposed = next((each.i for each in node.attribute if each.name == "transA"), 0)
    return math.prod(shapes[node.output[0]]) * shapes[node.input[0]][0 if transposed else 1]


def _einsum(node: NodeProto, shapes: Shapes) -> int | None:
    (equation,) = (each.s.decode() for each in node.attribute if each.name == "equation")
    terms = equation.replace(" ", "").partition("->")[0].split(",")
    if len(terms) > 2 or "." in equation:
        return None
    sizes = {
        letter: size
        for term, name in zip(terms, node.input, strict=True)
        for letter, size in zip(term, shapes[name], strict=True)
    }
    return math.prod(sizes.values()) if len(terms) == 2 else 0


_COUNTED: dict[str, Callable[[NodeProto, Any], int | None]] = {
    "Conv": _convolution(1),
    "ConvInteger": _convolution(1),
    "QLinearConv": _convolution(3),
    "ConvTranspose": _transposed,
    "MatMul": _product,
    "MatMulInteger": _product,
    "QLinearMatMul": _product,
    "Gemm": _gemm,
    "Einsum": _einsum,
}

_UNCOUNTED = ("Attention", "DeformConv", "GRU", "LSTM", "RNN")

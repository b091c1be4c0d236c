"""A user's ONNX graph within one that takes and gives what those of our networks do (`Model.onnx`).

(N, T, H, W, C) float32 becomes what the graph takes, and what it gives becomes logits. The frames of a
streaming network go through it one after the other, in an operator Scan that carries its states.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from ....errors import WeightsError
from ...backends.onnx_graphs import INPUT, OUTPUT
from ...parity import with_mantissa
from .interface import Interface

_PREFIX = "file/"
"""Of all names of the user's graph, so that none is one of ours."""

_AXES = "NTHWC"
"""Of what our networks take."""

_SCAN_OPSET = 11
"""Of the first version of ONNX in which indices may count from the end; Scan is as it is today since 9."""

FLOOR = np.float32(1e-30)
"""Added to probabilities before their logarithm: 0 has none, and exponentials that nearly underflow (1e-38)
have large relative errors, which differ between runtimes."""


def wrapped(
    model: ModelProto,
    interface: Interface,
    side: int,
    scores: Literal["logits", "probabilities"],
    answer: Literal["last", "mean"] | None,
) -> bytes:
    """The graph from (N, T, H, W, 3) float32 to logits (N, classes), as bytes; sizes are open as in `model`.

    - `model`: of the user's file, with all its tensors; it is changed. `interface`: of its graph.
    - `side`: H and W of a streaming network's frames, pixels.
    - `scores`: what the graph gives. Probabilities become their logarithms, whose softmax they are.
    - `answer`: of a streaming network (`require_scan`): which of a clip's outputs counts, or their mean.
    """
    onnx.compose.add_prefix(model, _PREFIX, inplace=True)
    model.ir_version = max(model.ir_version, 4)  # before, all tensors had to be inputs too
    graph = model.graph
    if interface.states:
        graph = _scanned(model, interface, side, answer)
        scored = "answer"
    else:
        own = [*graph.node]
        del graph.node[:]
        graph.node.extend([*_taken(interface, INPUT), *own])
        scored = _PREFIX + interface.output
    del graph.input[:], graph.output[:], graph.value_info[:]
    sizes = [interface.size(axis) or axis for axis in _AXES]
    if interface.states:
        sizes = [1, "T", side, side, sizes[-1]]
    graph.input.append(helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, sizes))
    classes = interface.classes or "classes"
    graph.output.append(helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, (sizes[0], classes)))
    as_float = helper.make_node("Cast", [scored], ["scores"], to=TensorProto.FLOAT)
    graph.node.append(as_float)
    if scores == "logits":
        graph.node.append(helper.make_node("Identity", ["scores"], [OUTPUT]))
    else:
        graph.initializer.append(numpy_helper.from_array(np.array(FLOOR), "floor"))
        graph.node.append(helper.make_node("Add", ["scores", "floor"], ["positive"]))
        graph.node.append(helper.make_node("Log", ["positive"], [OUTPUT]))
    if graph is not model.graph:
        model.graph.CopyFrom(graph)
    content: bytes = model.SerializeToString()
    return content


def require_scan(model: ModelProto, file: Path) -> None:
    """Raise WeightsError if the version of ONNX of a streaming network, in `file`, lacks what it needs."""
    if _opset(model) < _SCAN_OPSET:
        raise WeightsError(
            "is of too old a version of ONNX for a network with states",
            where=file,
            expected=f"opset {_SCAN_OPSET} or later",
            found=f"opset {_opset(model)}",
            remedy="Export the network with a later opset.",
        )


def round_weights(model: ModelProto, bits: int) -> None:
    """Round the float32 tensors of a graph to so many mantissa bits (`Weights.mantissa`)."""
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            rounded = with_mantissa(numpy_helper.to_array(tensor), bits)
            tensor.CopyFrom(numpy_helper.from_array(rounded, tensor.name))


def _taken(interface: Interface, given: str) -> list[NodeProto]:
    """From `given`, (N, T, H, W, C) float32 or without T as the layout is, to the graph's own input."""
    axes = [axis for axis in _AXES if axis in interface.layout]
    order = [axes.index(axis) for axis in interface.layout]
    return [
        helper.make_node("Transpose", [given], ["ordered"], perm=order),
        helper.make_node("Cast", ["ordered"], [_PREFIX + interface.input], to=interface.input_dtype),
    ]


def _scanned(
    model: ModelProto, interface: Interface, side: int, answer: Literal["last", "mean"] | None
) -> GraphProto:
    """The graph in which each chunk of frames goes through the user's, with the states of the one before."""
    body, states = model.graph, interface.states
    chunk = [] if "T" not in interface.layout else [interface.size("T") or 1]
    frames = [1, *chunk, side, side, 3]
    own = [*body.node]
    del body.node[:]
    ends = [_PREFIX + each.output for each in states] + [_PREFIX + interface.output]
    handed_on = [f"new_{number}" for number in range(len(states))] + ["scored"]
    body.node.extend([*_taken(interface, "frames"), *own])
    # A tensor may be a state and the scores, and a graph must not name an output twice.
    body.node.extend(helper.make_node("Identity", [e], [n]) for e, n in zip(ends, handed_on, strict=True))
    del body.input[:], body.output[:]
    body.input.extend(helper.make_tensor_value_info(_PREFIX + s.input, s.dtype, s.shape) for s in states)
    body.input.append(helper.make_tensor_value_info("frames", TensorProto.FLOAT, frames))
    body.output.extend(
        helper.make_tensor_value_info(name, s.dtype, s.shape)
        for name, s in zip(handed_on, states, strict=False)
    )
    sizes = (1, interface.classes or "classes")
    body.output.append(helper.make_tensor_value_info("scored", interface.output_dtype, sizes))
    graph = GraphProto(name="network")
    first = [f"zero_{number}" for number in range(len(states))]
    constants = {f"shape_{name}": np.array(s.shape, np.int64) for name, s in zip(first, states, strict=True)}
    constants |= {"chunks": np.array([-1, *frames]), "last": np.array(-1), "time": np.array([0])}
    graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in constants.items())
    # Not stored, but made by the runtime: a graph in bytes has no room for large ones.
    graph.node.extend(
        helper.make_node(
            "ConstantOfShape", [f"shape_{name}"], [name], value=helper.make_tensor("zero", s.dtype, [1], [0])
        )
        for name, s in zip(first, states, strict=True)
    )
    graph.node.append(helper.make_node("Reshape", [INPUT, "chunks"], ["chunked"]))
    scan = helper.make_node(
        "Scan",
        [*first, "chunked"],
        [*(f"final_{number}" for number in range(len(states))), "every"],
        num_scan_inputs=1,
        body=body,
    )
    graph.node.append(scan)
    if answer == "last":
        graph.node.append(helper.make_node("Gather", ["every", "last"], ["answer"], axis=0))
    elif _opset(model) < 18:
        graph.node.append(helper.make_node("ReduceMean", ["every"], ["answer"], axes=[0], keepdims=0))
    else:
        graph.node.append(helper.make_node("ReduceMean", ["every", "time"], ["answer"], keepdims=0))
    return graph


def _opset(model: ModelProto) -> int:
    return max((each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), default=1)

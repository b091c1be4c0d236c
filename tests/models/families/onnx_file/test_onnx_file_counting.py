"""Multiply–accumulates and parameters of ONNX graphs: our networks as counted by hand, and operators."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from actionbench.models.families.onnx_file import counting
from actionbench.models.i3d import architecture as i3d
from actionbench.models.i3d import onnx_graph as i3d_onnx
from actionbench.models.registry import find_model
from actionbench.models.resnet import architecture as resnet
from actionbench.models.resnet import onnx_graph as resnet_onnx
from actionbench.models.state import Shapes, State

from .onnx_networks import CLASSES, FRAMES, SIDE, STREAMING, model, running_mean, weighted_sum, written

SHAPES = {"resnet18": ((16, 112, 112), (9, 60, 57)), "i3d-rgb": ((64, 224, 224), (17, 199, 210))}


POOLED_BEFORE_THE_LAST_LAYER = {64: 6 * 1024 * 7, 17: 1 * 1024 * 7}
"""Frames → what the graph of I3D saves, for 7 classes: by hand the last layer is counted at each of the 7
time steps (of 17 frames: 2), whose mean the graph takes before it."""


def nothing(shapes: Shapes) -> State:
    """Tensors of zeros, which are made in no time."""
    return {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}


@pytest.fixture(scope="module", params=SHAPES)
def own(request: pytest.FixtureRequest) -> tuple[str, onnx.ModelProto]:
    """A network of ours, and the graph that it is exported as."""
    if request.param == "resnet18":
        graph = resnet_onnx.network_graph(nothing(resnet.tensor_shapes(7)))
    else:
        graph = i3d_onnx.network_graph(nothing(i3d.tensor_shapes(3, 7)))
    return request.param, onnx.load_model_from_string(graph)


def test_our_networks_have_as_many_as_were_counted_by_hand(own: tuple[str, onnx.ModelProto]) -> None:
    name, graph = own
    network = find_model(name).model
    assert network.macs is not None
    small = onnx.ModelProto()
    small.CopyFrom(graph)
    counting.without_weights(small)
    assert small.ByteSize() < 1 << 20
    for shape in SHAPES[name]:
        right = network.macs({"rgb": shape}, 7)
        assert right is not None
        right -= POOLED_BEFORE_THE_LAST_LAYER[shape[0]] if name == "i3d-rgb" else 0
        assert counting.multiply_accumulates(small, {"input": (1, *shape, 3)}, name) == right


def test_parameters_of_our_networks(own: tuple[str, onnx.ModelProto]) -> None:
    """Their batch norms are folded: of an offset and a factor, the offset is left."""
    name, graph = own
    shapes = i3d.tensor_shapes(3, 7) if name == "i3d-rgb" else resnet.tensor_shapes(7)
    kernels = {key: shape for key, shape in shapes.items() if len(shape) > 1}
    # Each kernel's outputs lie on its last axis in TensorFlow's names, on its first in torch's.
    outputs = sum(shape[-1 if name == "i3d-rgb" else 0] for shape in kernels.values())
    assert counting.parameters(graph) == sum(map(math.prod, kernels.values())) + outputs


def counted(
    operator: str, inputs: dict[str, Any], tensors: dict[str, Any] | None = None, **attributes: Any
) -> int | None:
    tensors = {name: np.zeros(shape, np.float32) for name, shape in (tensors or {}).items()}
    node = helper.make_node(operator, [*inputs, *tensors], ["y"], **attributes)
    return counting.multiply_accumulates(model([node], inputs, {"y": ["a", "b"]}, tensors), {}, "net")


@pytest.mark.parametrize(
    ("found", "right"),
    [
        (counted("Conv", {"x": [1, 4, 5, 9, 9]}, {"w": (6, 2, 1, 3, 3)}, group=2), 6 * 5 * 7 * 7 * 2 * 9),
        (counted("ConvTranspose", {"x": [1, 4, 5, 5]}, {"w": (4, 3, 2, 2)}), 4 * 25 * 3 * 4),
        (counted("MatMul", {"x": [2, 8, 5, 7], "z": [2, 8, 7, 3]}), 2 * 8 * 5 * 3 * 7),
        (counted("Gemm", {"x": [7, 2]}, {"w": (5, 7)}, transA=1, transB=1), 2 * 5 * 7),
        (counted("Einsum", {"x": [2, 5, 7], "z": [2, 7, 3]}, equation="bij,bjk->bik"), 2 * 5 * 7 * 3),
        (counted("Einsum", {"x": [2, 5]}, equation="ij->ji"), 0),
        (counted("Relu", {"x": [2, 5]}), 0),
    ],
)
def test_operators(found: int | None, right: int) -> None:
    assert found == right


def test_what_cannot_be_counted_is_none_and_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert counted("MatMul", {"x": [2, "k"], "z": ["k", 3]}) is None
        assert counted("Einsum", {"x": [2], "z": [2], "v": [2]}, equation="i,i,i->i") is None
    first, second = (record.getMessage() for record in caplog.records)
    assert (
        first == "net: its GFLOPs are not counted: of the operator MatMul (y) it is not known how many it has"
    )
    assert "Einsum (y)" in second
    body = helper.make_graph(
        [helper.make_node("MatMul", ["x", "x"], ["m"])],
        "b",
        [],
        [helper.make_tensor_value_info("m", TensorProto.FLOAT, [2, 2])],
    )
    choice = helper.make_node("If", ["c"], ["y"], then_branch=body, else_branch=body)
    graph = model([choice], {"x": [2, 2]}, {"y": [2, 2]}, {"c": np.array(True)})
    assert counting.multiply_accumulates(graph, {}, "net") is None


def test_statistics_and_constants_are_no_parameters() -> None:
    nodes = [
        helper.make_node("BatchNormalization", ["x", "scale", "offset", "mean", "variance"], ["n"]),
        helper.make_node("Mul", ["n", "factor"], ["f"]),
        helper.make_node(
            "Constant", [], ["w"], value=helper.make_tensor("t", TensorProto.FLOAT, [4, 2], [0] * 8)
        ),
        helper.make_node("MatMul", ["f", "w"], ["y"]),
    ]
    tensors: dict[str, Any] = {
        name: np.ones(4, np.float32) for name in ("scale", "offset", "mean", "variance", "unused")
    }
    graph = model(nodes, {"x": [1, 4]}, {"y": [1, 2]}, tensors | {"factor": np.array(2, np.float32)})
    assert counting.parameters(graph) == 4 + 4 + 8


def test_quantised_weights_are_parameters() -> None:
    nodes = [
        helper.make_node("DequantizeLinear", ["q", "scales", "zeros"], ["w"], axis=0),
        helper.make_node("MatMul", ["x", "w"], ["y"]),
    ]
    tensors: dict[str, Any] = {
        "q": np.zeros((4, 2), np.int8),
        "scales": np.ones(4, np.float32),
        "zeros": np.zeros(4, np.int8),
    }
    assert counting.parameters(model(nodes, {"x": [1, 4]}, {"y": [1, 2]}, tensors)) == 8


def test_a_view_of_a_file_is_counted_at_the_frames_that_are_timed(tmp_path: Path) -> None:
    macs = find_model(f"onnx:{written(tmp_path, weighted_sum('NCTHW'))}").model.macs
    assert macs is not None
    assert macs({"rgb": (FRAMES, SIDE, SIDE)}, CLASSES) == FRAMES * SIDE * SIDE * 3 * CLASSES


def test_a_streaming_network_is_counted_once_for_each_chunk(tmp_path: Path) -> None:
    streaming = running_mean(2)
    streaming.graph.node[1].CopyFrom(helper.make_node("MatMul", ["of_frame", "square"], ["mixed"]))
    streaming.graph.node.insert(2, helper.make_node("Add", ["mixed", "sum"], ["new_sum"]))
    square = onnx.numpy_helper.from_array(np.eye(3, dtype=np.float32), "square")
    streaming.graph.initializer.append(square)
    network = find_model(f"onnx:{written(tmp_path, streaming, STREAMING, window=6)}").model
    assert network.macs is not None
    assert network.macs({"rgb": (6, SIDE, SIDE)}, CLASSES) == 3 * 9
    assert network.parameters is not None
    assert network.parameters("rgb", CLASSES) == 9

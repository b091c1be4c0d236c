"""ONNX files with detectors that always find the same: for tests that need one in another process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Output = tuple[str, np.ndarray]


def write_detector(path: Path, outputs: Sequence[Output], size: tuple[int, int] = (64, 64)) -> Path:
    """An ONNX file that takes a picture (1, 3, *size) and gives `outputs`, whatever it shows."""
    # OpenVINO drops an input that nothing depends on.
    nodes = [
        helper.make_node("ReduceMin", ["picture"], ["least"], keepdims=0),
        helper.make_node("Sub", ["least", "least"], ["zero"]),
    ]
    for name, array in outputs:
        constant = numpy_helper.from_array(array)
        nodes += [
            helper.make_node("Constant", [], [f"{name} given"], value=constant),
            helper.make_node("Cast", ["zero"], [f"{name} zero"], to=constant.data_type),
            helper.make_node("Add", [f"{name} given", f"{name} zero"], [name]),
        ]
    values = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), list(array.shape))
        for name, array in outputs
    ]
    picture = helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 3, *size])
    graph = helper.make_graph(nodes, "detector", [picture], values)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save_model(model, path)
    return path


def finding(path: Path, *boxes: tuple[float, float, float, float]) -> Path:
    """A detector in SSD's form that finds persons in `boxes`, shares of the picture's sides."""
    rows = [[0, 1, 0.9 - 0.01 * number, *box] for number, box in enumerate(boxes)]
    rows.append([-1, 0, 0, 0, 0, 0, 0])
    return write_detector(path, [("found", np.array(rows, np.float32)[None, None])])

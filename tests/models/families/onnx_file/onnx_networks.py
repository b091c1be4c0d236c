"""Small ONNX networks of known answers, in files with their descriptions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from actionbench.models.registry import find_model, load_network
from actionbench.models.spec import LoadOptions, Network
from actionbench.parsing import to_yaml

Array = npt.NDArray[np.float32]

FRAMES, SIDE, CLASSES = 4, 6, 3

WEIGHT = np.arange(FRAMES * 3 * CLASSES, dtype=np.float32).reshape(CLASSES, FRAMES, 3) / 10 - 1
"""Of each class, frame and channel, so that no two axes can be mistaken for each other."""

ROWS = np.linspace(-1, 1, SIDE, dtype=np.float32)
"""Of each row of pixels, for the same reason."""

FIELDS: Mapping[str, Any] = {
    "name": "tiny-onnx",
    "layout": "NCTHW",
    "window": FRAMES,
    "rate": 25,
    "short_side": 8,
    "resize": "opencv-bilinear",
    "crop": SIDE,
    "scale": "1/255",
    "mean": [0.5, 0.4, 0.3],
    "std": [0.2, 0.3, 0.4],
    "colour": "rgb",
    "labels": ["falling", "running", "walking"],
    "scores": "logits",
    "average": "softmax",
}


def logits(x: Array) -> Array:
    """Of prepared views (N, T, H, W, C), in NumPy: a weighted sum over everything but the batch."""
    summed: Array = np.einsum("nthwc,ktc,h->nk", x.astype(np.float64), WEIGHT, ROWS).astype(np.float32)
    return summed


def model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, Sequence[int | str]],
    outputs: Mapping[str, Sequence[int | str]],
    tensors: Mapping[str, npt.NDArray[Any]],
    opset: int = 17,
    dtype: int = TensorProto.FLOAT,
) -> ModelProto:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, dtype, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in tensors.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def weighted_sum(layout: str, fixed: str = "CTHW", softmax: bool = False, opset: int = 17) -> ModelProto:
    """The network of `logits` for an input of this layout, whose sizes of the axes `fixed` are numbers.

    Its tensors are called as ours are, "input" and "output".
    """
    sizes = {"N": 1, "C": 3, "T": FRAMES, "H": SIDE, "W": SIDE}
    order = [layout.index(axis) for axis in "NHWTC"]
    nodes = [
        helper.make_node("Transpose", ["input"], ["tensor_1"], perm=order),
        helper.make_node("Reshape", ["tensor_1", "shape"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weight"], ["logits" if softmax else "output"]),
    ]
    if softmax:
        nodes.append(helper.make_node("Softmax", ["logits"], ["output"], axis=1))
    weight = np.einsum("ktc,h->hktc", WEIGHT, ROWS)[:, None].repeat(SIDE, 1)
    weight = np.moveaxis(weight, 2, -1).reshape(-1, CLASSES)
    shape = [sizes[axis] if axis in fixed else axis for axis in layout]
    batch = 1 if "N" in fixed else "N"
    tensors = {"weight": weight.astype(np.float32), "shape": np.array([-1, len(weight)])}
    return model(nodes, {"input": shape}, {"output": [batch, CLASSES]}, tensors, opset)


def running_mean(frames_at_once: int | None = 1, opset: int = 17) -> ModelProto:
    """A streaming network: its scores are the mean of all frames' channel means until now.

    States: their sum, (1, 3), and their number, (1,) int64. `frames_at_once`: its T; None: it has none.
    """
    axes = [1, 2] if frames_at_once is None else [1, 2, 3]
    video = [1, SIDE, SIDE, 3] if frames_at_once is None else [1, frames_at_once, SIDE, SIDE, 3]
    mean = (
        helper.make_node("ReduceMean", ["video"], ["of_frame"], axes=axes, keepdims=0)
        if opset < 18
        else helper.make_node("ReduceMean", ["video", "axes"], ["of_frame"], keepdims=0)
    )
    nodes = [
        mean,
        helper.make_node("Add", ["of_frame", "sum"], ["new_sum"]),
        helper.make_node("Add", ["count", "one"], ["new_count"]),
        helper.make_node("Cast", ["new_count"], ["number"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["new_sum", "number"], ["scores"]),
    ]
    made = model(
        nodes,
        {"video": video, "sum": [1, 3]},
        {"scores": [1, CLASSES], "new_sum": [1, 3]},
        {"one": np.array([1]), "axes": np.array(axes)},
        opset,
    )
    made.graph.input.append(helper.make_tensor_value_info("count", TensorProto.INT64, [1]))
    made.graph.output.append(helper.make_tensor_value_info("new_count", TensorProto.INT64, [1]))
    return made


STREAMING: Mapping[str, Any] = {
    **FIELDS,
    "layout": "NTHWC",
    "states": {"sum": "new_sum", "count": "new_count"},
    "answer": "last",
}


def with_state(dtype: int, shape: Sequence[int]) -> ModelProto:
    """The streaming network with a state more, "more", which it hands on as it is."""
    made = running_mean()
    made.graph.input.append(helper.make_tensor_value_info("more", dtype, shape))
    made.graph.output.append(helper.make_tensor_value_info("new_more", dtype, shape))
    made.graph.node.append(helper.make_node("Identity", ["more"], ["new_more"]))
    return made


WITH_STATE: Mapping[str, Any] = {**STREAMING, "states": {**STREAMING["states"], "more": "new_more"}}


def written(folder: Path, network: ModelProto, fields: Mapping[str, Any] = FIELDS, **changed: Any) -> Path:
    """The network's file, with its description beside it; fields that are `...` are left out."""
    file = folder / "net.onnx"
    file.write_bytes(network.SerializeToString())
    described = {key: value for key, value in {**fields, **changed}.items() if value is not ...}
    (folder / "net.onnx.yaml").write_text(to_yaml(described), encoding="utf-8")
    return file


each_backend = pytest.mark.parametrize("backend", ["onnx", "openvino"])


def loaded(file: Path, backend: str = "onnx") -> Network:
    request = find_model(f"onnx:{file}@{backend}")
    return load_network(request, request.model.fixed_weights, LoadOptions(threads=1))


def computed(network: Network, x: Array) -> Array:
    return network.download(network.forward(network.upload({"rgb": x})))


def views(number: int, frames: int = FRAMES) -> Array:
    return np.random.default_rng(number).normal(size=(number, frames, SIDE, SIDE, 3)).astype(np.float32)

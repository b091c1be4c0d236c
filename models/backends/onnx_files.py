"""A stream of a network as an ONNX file of its own: the graph, the preparation of its pixels, what it is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto

from ..spec import FloatArray, InputArray
from .onnx_graphs import INPUT, OUTPUT

_PREFIX = "pixels_"
"""Of names in the graph that prepares pixels, where it becomes part of a network's."""


def write(network: bytes, pixels: bytes | None, facts: Mapping[str, str], path: Path) -> None:
    """Write a network's graph as a file.

    - `network`: the graph from float32 to logits. `pixels`: the graph from uint8 pixels to what `network`
      takes, which the file then begins with; None where the input is no picture.
    - `facts`: name → text, kept as the file's metadata (`metadata_props`).

    A graph in bytes has less than 2 GB, protobuf's limit, so that one file always holds it.
    """
    model = onnx.load_model_from_string(network)
    if pixels is not None:
        _begin_with(model.graph, onnx.load_model_from_string(pixels).graph)
    for name, text in facts.items():
        model.metadata_props.add(key=name, value=text)
    onnx.save_model(model, str(path))


def _begin_with(network: onnx.GraphProto, pixels: onnx.GraphProto) -> None:
    """Let `network` take what `pixels` takes; `pixels` is changed too."""
    for tensor in pixels.initializer:
        tensor.name = _PREFIX + tensor.name
    for node in pixels.node:
        node.name = _PREFIX + node.name
        node.input[:] = [name if name == INPUT else _PREFIX + name for name in node.input]
        node.output[:] = [_PREFIX + name for name in node.output]
    for node in network.node:
        node.input[:] = [_PREFIX + OUTPUT if name == INPUT else name for name in node.input]
    nodes = [*pixels.node, *network.node]
    del network.node[:]
    network.node.extend(nodes)
    network.initializer.extend(pixels.initializer)
    (given,) = network.input
    given.type.tensor_type.elem_type = TensorProto.UINT8


def read_facts(path: Path) -> dict[str, str]:
    """The metadata of a file that `write` has written."""
    return {each.key: each.value for each in onnx.load_model(str(path)).metadata_props}


def compute(path: Path, inputs: InputArray, threads: int) -> FloatArray:
    """Logits (N, classes) of `inputs`, (N, T, H, W, C), by a session of its own from the file alone."""
    onnxruntime.disable_telemetry_events()
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
    (logits,) = session.run([OUTPUT], {INPUT: np.ascontiguousarray(inputs)})
    computed: FloatArray = logits
    return computed

"""A stream of a network as OpenVINO's files of its own, .xml and .bin: network, pixels, what it is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..spec import FloatArray, InputArray
from .openvino_network import joined

# Before OpenVINO.
from . import no_telemetry  # noqa: F401  # isort: skip

import openvino

SECTION = "actionbench"
"""Of the runtime information (rt_info) in the .xml file, which holds the facts."""


def write(network: bytes | Path, pixels: bytes | None, facts: Mapping[str, str], path: Path) -> None:
    """Write a network as `path` and, beside it, the .bin file with its weights, in the types that it has.

    - `network`: from float32 to logits: a graph of ONNX, or OpenVINO's file of a quantised network.
    - `pixels`: the ONNX graph from uint8 pixels to what `network` takes, which the files then begin with;
      None where the input is no picture.
    - `facts`: name → text, kept as runtime information of the model.
    """
    core = openvino.Core()
    model = core.read_model(network)
    if pixels is not None:
        model = joined(core.read_model(pixels), model)
    for name, text in facts.items():
        model.set_rt_info(text, [SECTION, name])
    openvino.save_model(model, path, compress_to_fp16=False)


def read_facts(path: Path) -> dict[str, str]:
    """The facts in a file that `write` has written."""
    model = openvino.Core().read_model(path)
    return {name: str(value) for name, value in model.get_rt_info(SECTION).value.items()}


def compute(path: Path, inputs: InputArray, threads: int) -> FloatArray:
    """Logits (N, classes) of `inputs`, (N, T, H, W, C), computed in float32 from the files alone."""
    core = openvino.Core()
    # Where the CPU has bfloat16, OpenVINO would compute in it.
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads}
    request = core.compile_model(core.read_model(path), "CPU", settings).create_infer_request()
    request.infer({0: openvino.Tensor(np.ascontiguousarray(inputs), shared_memory=True)})
    logits: FloatArray = request.get_output_tensor().data.copy()
    return logits

"""A detector's graph computed by OpenVINO on the CPU, in float32."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from .detector import FloatArray
from .graph import DetectorGraph

# Before OpenVINO.
from ..backends import no_telemetry  # noqa: F401  # isort: skip

import openvino

if TYPE_CHECKING:
    from .onnx_detector import Compute


def engine(graph: DetectorGraph, threads: int, at_once: int) -> Compute:
    """From the input to the outputs. `threads`: CPU threads of one call; `at_once`: of overlapping calls."""
    core = openvino.Core()
    model = core.read_model(graph.content)
    model.reshape((1, 3, *graph.size))
    compiled = core.compile_model(
        model,
        "CPU",
        {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": threads * at_once,
            "NUM_STREAMS": at_once,
            "ENABLE_CPU_PINNING": False,
        },
    )

    def compute(pixels: FloatArray) -> list[npt.NDArray[Any]]:
        request = compiled.create_infer_request()  # its own for each call: threads may call at once
        request.infer({0: openvino.Tensor(pixels, shared_memory=True)})
        return [request.get_tensor(name).data.copy() for name in graph.outputs]

    return compute

"""A detector's graph computed by ONNX Runtime on the CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from ..backends.onnx_network import session_settings
from .detector import FloatArray
from .graph import DetectorGraph

if TYPE_CHECKING:
    from .onnx_detector import Compute


def engine(graph: DetectorGraph, threads: int, at_once: int) -> Compute:  # noqa: ARG001
    """From the input to the outputs. `threads`: CPU threads of one call; any number of calls may overlap."""
    onnxruntime.disable_telemetry_events()
    session = onnxruntime.InferenceSession(
        graph.content, session_settings(threads), providers=["CPUExecutionProvider"]
    )

    def compute(pixels: FloatArray) -> list[npt.NDArray[Any]]:
        return [np.asarray(array) for array in session.run(list(graph.outputs), {graph.input: pixels})]

    return compute

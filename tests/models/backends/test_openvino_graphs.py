"""What OpenVINO executes of the graphs: convolutions, pools and concatenations, and little that only moves.

The graphs for bfloat16 (`wide`) are compiled in float32, in which every machine computes; what is moved is
the same.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import openvino
import pytest

from actionbench.models import parity
from actionbench.models.backends.onnx_graphs import pixels_graph
from actionbench.models.backends.openvino_network import joined
from actionbench.models.i3d import architecture as i3d
from actionbench.models.resnext import architecture as resnext
from actionbench.models.spec import Model

MOVES = ("Pad", "Transpose", "Reorder", "Convert", "Gather", "Slice", "StridedSlice")
"""Types of nodes that compute nothing. (A reshape is no copy, and a concatenation is counted by itself.)"""

EVEN, ODD = (10, 194, 196), (9, 193, 195)


def executed(graph: bytes, x: Any, pixels: bytes | None = None) -> tuple[Counter[str], Any]:
    """Number of nodes by type that OpenVINO executes for the input `x`, and what they give."""
    core = openvino.Core()
    network = core.read_model(graph)
    if pixels is not None:
        network = joined(core.read_model(pixels), network)
    network.reshape(x.shape)
    hints = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1, "PERF_COUNT": True}
    request = core.compile_model(network, "CPU", hints).create_infer_request()
    request.infer({0: openvino.Tensor(x, shared_memory=True)})
    done = openvino.ProfilingInfo.Status.EXECUTED
    types = Counter(node.node_type for node in request.profiling_info if node.status == done)
    return types, request.get_output_tensor().data.copy()


def moves(types: Counter[str]) -> dict[str, int]:
    """Nodes that compute nothing; one reorder may be there, for a processor whose kernels want another
    layout than the input's."""
    assert types["Reorder"] <= 1, types
    return {name: types[name] for name in MOVES if types[name] and name != "Reorder"}


def rgb(model: Model, size: tuple[int, int, int]) -> Any:
    return np.ascontiguousarray(parity.parity_inputs(model, *size, 1)["rgb"])


@pytest.mark.parametrize("size", [EVEN, ODD])
def test_i3d_moves_its_input_once_for_blocks_and_not_at_all_without(
    i3d_graphs: dict[str, bytes], size: Any
) -> None:
    x = rgb(i3d.rgb(), size)
    plain, right = executed(i3d_graphs["as it is"], x)
    assert moves(plain) == {}
    assert (plain["Convolution"], plain["MaxPool"], plain["Concat"]) == (57, 13, 9)
    assert plain["Eltwise"] == plain["Relu"] == plain["Subgraph"] == 0
    wide, found = executed(i3d_graphs["wide"], x)
    # Odd sizes have a cell of padding that is no whole block.
    assert moves(wide) == {"Transpose": 1} | ({} if size == EVEN else {"Pad": 1})
    assert wide["Convolution"] == 57
    assert np.linalg.norm(found - right) <= 1e-5 * np.linalg.norm(right)


@pytest.mark.parametrize("size", [(4, 48, 32), (5, 47, 33)])
def test_resnext_moves_its_input_for_a_fourth_channel_only(
    resnext_graphs: dict[str, bytes], size: Any
) -> None:
    x = rgb(resnext.resnext(), size)
    plain, right = executed(resnext_graphs["as it is"], x)
    assert moves(plain) == {}
    assert (plain["Convolution"], plain["GroupConvolution"]) == (71, 33)
    assert plain["Eltwise"] == plain["Relu"] == plain["Subgraph"] == 0  # sums too are the convolutions'
    wide, found = executed(resnext_graphs["wide"], x)
    assert moves(wide) == {"Transpose": 1, "Pad": 1}
    assert (wide["Convolution"], wide["GroupConvolution"]) == (71, 33)
    assert np.linalg.norm(found - right) <= 2e-4 * np.linalg.norm(right)


def test_pixels_are_normalised_in_one_pass(resnext_graphs: dict[str, bytes]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (1, 4, 64, 48, 3), dtype=np.uint8)
    how = resnext.resnext().streams["rgb"].preprocessing
    types, _ = executed(resnext_graphs["as it is"], pixels, pixels_graph(how))
    assert moves(types) == {}
    assert types["Eltwise"] + types["Subgraph"] == 1

"""The graphs of both architectures: valid ONNX, whatever the size of the input, and right."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from actionbench.models import parity
from actionbench.models.backends import onnx_graphs
from actionbench.models.i3d import architecture as i3d
from actionbench.models.i3d import onnx_graph as i3d_onnx
from actionbench.models.i3d import torch_modules as i3d_torch
from actionbench.models.random_state import random_state
from actionbench.models.resnext import architecture as resnext
from actionbench.models.state import State
from actionbench.models.weights.descriptions import I3D_RGB, RESNEXT_RGB
from actionbench.preprocessing.pixels import normalise


def run(graph: bytes, x: Any) -> Any:
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    (y,) = session.run([onnx_graphs.OUTPUT], {onnx_graphs.INPUT: x})
    return y


def relative(found: Any, right: Any) -> float:
    return float(np.linalg.norm(found - right) / np.linalg.norm(right))


@pytest.fixture(scope="module", params=["as it is", "wide"])
def i3d_graph(request: pytest.FixtureRequest, i3d_graphs: dict[str, bytes]) -> bytes:
    return i3d_graphs[request.param]


@pytest.fixture(scope="module", params=["as it is", "wide"])
def resnext_graph(request: pytest.FixtureRequest, resnext_graphs: dict[str, bytes]) -> bytes:
    return resnext_graphs[request.param]


def test_i3ds_graph_is_valid_onnx(i3d_graph: bytes) -> None:
    onnx.checker.check_model(i3d_graph, full_check=True)


def test_resnexts_graph_is_valid_onnx(resnext_graph: bytes) -> None:
    onnx.checker.check_model(resnext_graph, full_check=True)


def test_the_graph_of_pixels_is_valid_onnx() -> None:
    onnx.checker.check_model(onnx_graphs.pixels_graph(I3D_RGB), full_check=True)


@pytest.fixture(scope="module")
def i3d_cases(i3d_state: State) -> list[tuple[Any, Any]]:
    """Inputs of even and odd sizes, and torch's logits: test_i3d_backends.py holds those against NumPy."""
    network = i3d_torch.from_state(i3d_state)
    inputs = [parity.parity_inputs(i3d.rgb(), *s)["rgb"] for s in ((10, 194, 193, 1), (9, 193, 196, 2))]
    with torch.inference_mode():
        return [(x, network(torch.from_numpy(x).permute(0, 4, 1, 2, 3)).numpy()) for x in inputs]


def test_i3d_is_right_for_even_and_odd_sizes(i3d_graph: bytes, i3d_cases: list[tuple[Any, Any]]) -> None:
    for x, right in i3d_cases:
        assert relative(run(i3d_graph, x), right) < 1e-5


@pytest.fixture(scope="module")
def resnext_cases(resnext_state: State, numpy_resnext: Any) -> list[tuple[Any, Any]]:
    """Inputs and their logits in float64."""
    shapes = ((3, 17, 20, 2), (2, 20, 19, 1))
    inputs = [parity.parity_inputs(resnext.resnext(), *shape)["rgb"] for shape in shapes]
    return [(x, numpy_resnext(resnext_state, x)) for x in inputs]


def test_resnext_is_right(resnext_graph: bytes, resnext_cases: list[tuple[Any, Any]]) -> None:
    for x, right in resnext_cases:
        assert relative(run(resnext_graph, x), right) < 1e-5


def test_flow_stream_has_no_pixels_and_keeps_its_stem() -> None:
    state = random_state(i3d.tensor_shapes(2, 4), 1, {})
    assert i3d_onnx.network_graph(dict(state), wide=True) == i3d_onnx.network_graph(dict(state))


@pytest.mark.parametrize("how", [I3D_RGB, RESNEXT_RGB])
def test_pixels_become_what_the_harness_makes_of_them(how: Any) -> None:
    every = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 1, 16, 16, 3)
    made = run(onnx_graphs.pixels_graph(how), every)
    np.testing.assert_array_equal(made, normalise(every, how.scale, how.mean, how.std))


def test_pixels_are_divided_by_a_standard_deviation() -> None:
    how = replace(RESNEXT_RGB, std=(58.4, 57.1, 57.4))
    every = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 1, 16, 16, 3)
    made = run(onnx_graphs.pixels_graph(how), every)
    np.testing.assert_allclose(made, normalise(every, how.scale, how.mean, how.std), atol=1e-6)

"""Random networks with 7 classes, and their graphs."""

from __future__ import annotations

import pytest

from actionbench.models.i3d import architecture as i3d
from actionbench.models.i3d import onnx_graph as i3d_onnx
from actionbench.models.resnext import architecture as resnext
from actionbench.models.resnext import onnx_graph as resnext_onnx
from actionbench.models.state import State

from ..conftest import Draw


@pytest.fixture(scope="session")
def i3d_state(draw: Draw) -> State:
    return draw(i3d.tensor_shapes(3, 7), 5, {})


@pytest.fixture(scope="session")
def resnext_state(draw: Draw) -> State:
    return draw(resnext.tensor_shapes(7), 5, resnext.random_gains())


@pytest.fixture(scope="session")
def i3d_graphs(i3d_state: State) -> dict[str, bytes]:
    """The graph "as it is", and the "wide" one for bfloat16."""
    forms = {"as it is": False, "wide": True}
    return {name: i3d_onnx.network_graph(dict(i3d_state), wide) for name, wide in forms.items()}


@pytest.fixture(scope="session")
def resnext_graphs(resnext_state: State) -> dict[str, bytes]:
    """As `i3d_graphs`."""
    forms = {"as it is": False, "wide": True}
    return {name: resnext_onnx.network_graph(dict(resnext_state), wide) for name, wide in forms.items()}

"""Random networks with 7 classes, and their graphs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from actionbench.models import loading
from actionbench.models.i3d import architecture as i3d
from actionbench.models.i3d import onnx_graph as i3d_onnx
from actionbench.models.random_state import random_state
from actionbench.models.resnext import architecture as resnext
from actionbench.models.resnext import onnx_graph as resnext_onnx
from actionbench.models.state import Shapes, State


@pytest.fixture(autouse=True, scope="module")
def _drawn_once() -> Iterator[None]:
    """ResNeXt's 48 million random numbers take seconds."""
    drawn: dict[tuple[Any, ...], State] = {}

    def draw(shapes: Shapes, seed: int, gains: Any) -> State:
        key = (seed, *shapes.items())
        if key not in drawn:
            drawn[key] = random_state(shapes, seed, gains)
        return dict(drawn[key])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loading, "random_state", draw)
        yield


@pytest.fixture(scope="session")
def i3d_state() -> State:
    return random_state(i3d.tensor_shapes(3, 7), 5, {})


@pytest.fixture(scope="session")
def resnext_state() -> State:
    return random_state(resnext.tensor_shapes(7), 5, resnext.random_gains())


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

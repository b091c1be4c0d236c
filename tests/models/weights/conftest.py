"""Small states with the real names: formats know names, not sizes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from actionbench.models.i3d.architecture import tensor_shapes as i3d_shapes
from actionbench.models.resnext.architecture import tensor_shapes as resnext_shapes
from actionbench.models.state import State

from .loopback import Server, serving


def _filled(shapes: dict[str, tuple[int, ...]]) -> State:
    rng = np.random.default_rng(7)
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


@pytest.fixture(scope="session")
def i3d_state() -> State:
    """Every tensor of I3D with 4 classes; convolutions (1, 2, 1, 2, 3), batch norm (3,)."""
    small = {5: (1, 2, 1, 2, 3), 1: (3,)}
    shapes = {name: small[len(shape)] for name, shape in i3d_shapes(3, 4).items()}
    return _filled(
        shapes | {"Logits/Conv3d_0c_1x1/conv_3d/b": (4,), "Logits/Conv3d_0c_1x1/conv_3d/w": (1, 1, 1, 2, 4)}
    )


@pytest.fixture(scope="session")
def resnext_state() -> State:
    """Every tensor of 3D-ResNeXt-101 with 4 classes; convolutions (3, 2, 1, 1, 1), batch norm (3,)."""
    small = {5: (3, 2, 1, 1, 1), 2: (4, 3), 1: (3,)}
    return _filled({name: small[len(shape)] for name, shape in resnext_shapes(4).items()} | {"fc.bias": (4,)})


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server

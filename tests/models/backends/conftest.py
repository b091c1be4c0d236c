"""Random networks with 7 classes, whose graphs are compared."""

from __future__ import annotations

import pytest

from actionbench.models.i3d import architecture as i3d
from actionbench.models.random_state import random_state
from actionbench.models.resnext import architecture as resnext
from actionbench.models.state import State


@pytest.fixture(scope="session")
def i3d_state() -> State:
    return random_state(i3d.tensor_shapes(3, 7), 5, {})


@pytest.fixture(scope="session")
def resnext_state() -> State:
    return random_state(resnext.tensor_shapes(7), 5, resnext.random_gains())

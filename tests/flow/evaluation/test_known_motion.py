"""The drawn pair: every method finds its motion, and one that does not is seen not to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from actionbench.flow.evaluation.known_motion import SHIFT, known_motion_error, known_pair
from actionbench.flow.registry import METHODS, get_method, summary


@pytest.mark.parametrize("name", METHODS)
def test_every_method_finds_the_motion(name: str) -> None:
    assert known_motion_error(get_method(name)) < 0.15
    assert summary(name).endswith(".")


def test_a_method_that_sees_nothing_is_off_by_the_whole_motion() -> None:
    class Still:
        name = "still"

        def __call__(self, previous: Any, following: Any) -> Any:  # noqa: ARG002
            return np.zeros((*previous.shape, 2), np.float32)

        def describe(self) -> dict[str, Any]:
            return {"name": self.name}

    assert known_motion_error(Still()) == pytest.approx(np.hypot(*SHIFT))


def test_the_pair_is_always_the_same() -> None:
    for first, second in zip(known_pair(), known_pair(), strict=True):
        np.testing.assert_array_equal(first, second)

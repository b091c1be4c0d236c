"""Predictions of made-up networks to examples in groups."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from actionbench.reports.evaluation.predictions import Predictions

MakePredictions = Callable[..., Predictions]


@pytest.fixture(scope="session")
def make_predictions() -> MakePredictions:
    def make(
        n: int = 60, groups: int = 15, skill: float = 1.5, seed: int = 0, name: str = "net"
    ) -> Predictions:
        random = np.random.default_rng(seed)
        truth = random.integers(3, size=n)
        # Each class is there, whatever was drawn.
        truth[:3] = range(3)
        logits = random.normal(size=(n, 3)) + skill * np.eye(3)[truth]
        logits -= np.log(np.exp(logits).sum(1, keepdims=True))
        return Predictions(
            name,
            ("falling", "running", "walking"),
            tuple(f"clip{i}" for i in range(n)),
            tuple(f"film{i % groups}" for i in range(n)),
            truth.astype(np.int64),
            logits,
        )

    return make

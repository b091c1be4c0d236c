"""The example of docs/adding-a-network.md works as it stands there."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actionbench.models.labels import labels
from actionbench.models.registry import find_model, load_network
from actionbench.models.spec import LoadOptions, Weights

DOCUMENT = Path(__file__).parents[2] / "docs" / "adding-a-network.md"


@pytest.fixture
def example(text_file: Callable[[str, str], Path]) -> Path:
    (text,) = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert len(text.splitlines()) < 40
    return text_file("small.py", text)


def test_example_computes(example: Path) -> None:
    request = find_model(f"{example}:small")
    description = request.model.streams["rgb"]
    assert labels(description.labels) == ("falling", "jogging", "walking")
    weights = {"rgb": Weights("random", description, seed=1)}
    network = load_network(request, weights, LoadOptions(threads=1))
    x: Any = np.random.default_rng(0).normal(size=(2, 16, 112, 112, 3)).astype(np.float32)
    answer = network.download(network.forward(network.upload({"rgb": x})))
    assert answer.shape == (2, 3)
    assert answer.dtype == np.float32
    assert np.isfinite(answer).all()
    network.synchronize()
    assert network.describe()["parameters"] == 3 * 125 * 32 + 32 + 32 * 3 + 3


def test_example_is_planned_without_a_framework(example: Path, run_script: Any) -> None:
    run_script(
        "from actionbench.models.registry import find_model\n"
        "find_model(sys.argv[2] + ':small')\n"
        "assert not {'torch', 'tensorflow'} & set(sys.modules)\n"
        "give()",
        example,
    )

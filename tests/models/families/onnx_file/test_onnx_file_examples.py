"""The descriptions in docs/adding-a-network.md fit graphs with the inputs and outputs of these networks."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from actionbench.models.registry import find_model
from actionbench.models.spec import Model

from .onnx_networks import Array, computed, loaded, model

DOCUMENT = Path(__file__).parents[4] / "docs" / "adding-a-network.md"


@pytest.fixture
def examples() -> list[str]:
    return re.findall(r"```yaml\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)


def described(file: Path, example: str) -> Model:
    file.with_name(f"{file.name}.yaml").write_text(example, encoding="utf-8")
    return find_model(f"onnx:{file}").model


def test_x3d(tmp_path: Path, examples: list[str]) -> None:
    nodes = [
        helper.make_node("GlobalAveragePool", ["video"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["features"]),
        helper.make_node("MatMul", ["features", "weight"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["scores"], axis=1),
    ]
    weight = np.zeros((3, 400), np.float32)
    graph = model(nodes, {"video": ["N", 3, 13, "H", "W"]}, {"scores": ["N", 400]}, {"weight": weight})
    file = tmp_path / "x3d_s.onnx"
    file.write_bytes(graph.SerializeToString())
    found = described(file, examples[0])
    how, views = found.streams["rgb"].preprocessing, found.views
    assert (found.name, how.rate, how.every, how.short_side, how.crop) == ("x3d-s", None, 6, 182, 182)
    assert (views.window, views.clips, views.crops, views.average) == (13, 10, 3, "softmax")
    assert how.scale == 1 / 255


def test_a_streaming_movinet(tmp_path: Path, examples: list[str]) -> None:
    buffer, count = "state_head_pool_buffer", "state_head_pool_frame_count"
    nodes = [
        helper.make_node("ReduceMean", ["image"], ["features"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Add", ["features", buffer], [f"new_{buffer}"]),
        helper.make_node("Add", [count, "one"], [f"new_{count}"]),
        helper.make_node("Div", [f"new_{buffer}", f"new_{count}"], ["mean"]),
        helper.make_node("MatMul", ["mean", "weight"], ["logits"]),
    ]
    weight = np.random.default_rng(0).normal(size=(3, 600)).astype(np.float32)
    graph = model(
        nodes,
        {"image": [1, 1, 172, 172, 3], buffer: [1, 3], count: [1]},
        {"logits": [1, 600], f"new_{buffer}": [1, 3], f"new_{count}": [1]},
        {"weight": weight, "one": np.ones(1, np.float32)},
    )
    file = tmp_path / "movinet_a0_stream.onnx"
    file.write_bytes(graph.SerializeToString())
    found = described(file, examples[1])
    how, views = found.streams["rgb"].preprocessing, found.views
    assert (how.rate, how.every, how.frame_rate, how.crop) == (Fraction(25), 5, Fraction(5), 172)
    assert (views.window, views.clips, found.sizes.batch) == (50, 1, 1)
    x: Array = np.random.default_rng(1).random((1, 50, 172, 172, 3), np.float32)
    right = x.mean(axis=(1, 2, 3)) @ weight
    np.testing.assert_allclose(computed(loaded(file), x), right, atol=1e-4)

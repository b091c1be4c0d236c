"""Tensors that fit their architecture, or an error that lists what does not; random ones that are sane."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from actionbench.errors import WeightsError
from actionbench.models import parity
from actionbench.models.i3d import architecture as i3d
from actionbench.models.i3d import torch_modules as i3d_torch
from actionbench.models.i3d.tensors import stream_state
from actionbench.models.random_state import random_state
from actionbench.models.registry import find_model
from actionbench.models.resnext import architecture as resnext
from actionbench.models.resnext import torch_modules as resnext_torch
from actionbench.models.resnext.tensors import network_state
from actionbench.models.spec import Weights
from actionbench.models.state import check_state, classes_of
from actionbench.models.weights import resolve_weights, write_state

SHAPES: dict[str, tuple[int, ...]] = {f"a{n}": (2, n) for n in range(8)}


def state() -> dict[str, Any]:
    return {name: np.zeros(shape, np.float32) for name, shape in SHAPES.items()}


def test_state_that_fits_passes() -> None:
    check_state(state(), SHAPES, where="x")


def test_missing_tensors_are_listed_with_their_number() -> None:
    with pytest.raises(WeightsError) as error:
        check_state({}, SHAPES, where="weights.pt")
    assert str(error.value).startswith("weights.pt: ")
    assert "8 missing: a0, a1, a2, a3, a4, …" in str(error.value)


def test_extra_and_misshapen_tensors_are_listed() -> None:
    found = state() | {"b": np.zeros(1, np.float32), "a3": np.zeros((3, 2), np.float32)}
    with pytest.raises(WeightsError, match=r"1 extra: b; 1 misshapen: a3 \(3, 2\) for \(2, 3\)"):
        check_state(found, SHAPES, where="x")


def test_number_of_classes_is_the_length_of_the_head() -> None:
    assert classes_of({"fc.bias": np.zeros(9, np.float32)}, "fc.bias", where="x") == 9
    with pytest.raises(WeightsError, match=r"has no tensor fc\.bias"):
        classes_of(state(), "fc.bias", where="x")


HEAD = f"{i3d.HEAD}/conv_3d"


def flow_tensors(classes: int) -> dict[str, Any]:
    """Of the right shapes, which is what is looked at here; the last layer's differ from each other."""
    tensors = {name: np.zeros(shape, np.float32) for name, shape in i3d.tensor_shapes(2, classes).items()}
    weight = np.random.default_rng(0).normal(size=tensors[f"{HEAD}/w"].shape).astype(np.float32)
    return tensors | {f"{HEAD}/w": weight}


def flow_weights(path: Path, **changes: Any) -> Weights:
    description = replace(i3d.flow().streams["flow"], format="safetensors", **changes)
    return Weights("user", description, path=path)


def test_classes_of_the_file_are_those_of_the_labels(tmp_path: Path) -> None:
    path = tmp_path / "three.safetensors"
    written = flow_tensors(3)
    write_state(written, path, "safetensors", "flow")
    read = stream_state("flow", flow_weights(path, labels=("falling", "running", "walking")))
    assert read.keys() == written.keys()
    np.testing.assert_array_equal(read[f"{HEAD}/w"], written[f"{HEAD}/w"])
    with pytest.raises(
        WeightsError,
        match=r"expected 400 classes \(kinetics-400\); found 3 classes in Logits/Conv3d_0c_1x1/conv_3d/b"
        r".*three\.safetensors\.yaml: `labels: FILE\.txt`, a text file with 3 names",
    ):
        stream_state("flow", flow_weights(path))


def test_a_file_with_other_classes_names_the_labels_to_write_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "kinetics600.safetensors"
    write_state(flow_tensors(600), path, "safetensors", "flow")

    def read() -> Any:
        return stream_state("flow", resolve_weights("flow", i3d.flow().streams["flow"], path))

    with pytest.raises(WeightsError, match=r"into \S*kinetics600\S*\.yaml: `labels: kinetics-600` or"):
        read()
    (tmp_path / "kinetics600.safetensors.yaml").write_text("labels: kinetics-600")
    assert read()[f"{HEAD}/b"].shape == (600,)


def test_file_of_another_shape_is_an_error_that_lists_it(tmp_path: Path) -> None:
    path = tmp_path / "damaged.pth"
    damaged = {name: np.zeros(shape, np.float32) for name, shape in resnext.tensor_shapes(400).items()}
    damaged["layer2.1.conv1.weight"] = damaged["layer2.1.conv1.weight"][:5]
    del damaged["layer4.2.bn3.bias"]
    write_state(damaged, path, "hara", "rgb")
    weights = Weights("user", resnext.resnext().streams["rgb"], path=path)
    with pytest.raises(WeightsError, match=r"1 missing: layer4\.2\.bn3\.bias; 1 misshapen: layer2\.1\.conv1"):
        network_state(weights)


def test_weights_without_a_file_name_the_next_step() -> None:
    description = resnext.resnext().streams["rgb"]
    with pytest.raises(WeightsError, match="bench weights fetch"):
        network_state(Weights("published", description))


def test_random_tensors_depend_on_seed_and_name_only() -> None:
    shapes = i3d.tensor_shapes(2, 3)
    one, again = random_state(shapes, 4, {}), random_state(dict(reversed(shapes.items())), 4, {})
    assert all(np.array_equal(one[name], again[name]) for name in shapes)
    assert all(tensor.dtype == np.float32 for tensor in one.values())
    other = random_state(shapes, 5, {})
    assert not any(np.array_equal(one[name], other[name]) for name in shapes)
    assert all((one[name] > 0).all() for name in shapes if name.endswith("moving_variance"))


@pytest.mark.parametrize("name", ["i3d-rgb", "i3d-flow", "resnext"])
def test_random_networks_have_sane_logits(name: str) -> None:
    model = find_model(name).model
    ((stream, description),) = model.streams.items()
    side = description.preprocessing.crop
    x = parity.parity_inputs(model, 16, side, side, 1)[stream]
    weights = Weights("random", description, seed=5)
    net: torch.nn.Module
    if name == "resnext":
        net = resnext_torch.from_state(network_state(weights))
    else:
        net = i3d_torch.from_state(stream_state(stream, weights))
    with torch.inference_mode():
        logits = net(torch.from_numpy(x).permute(0, 4, 1, 2, 3))
    assert 0.5 < float(logits.std()) < 20

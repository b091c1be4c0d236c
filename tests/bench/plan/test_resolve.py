"""What does not go together or is not installed is refused before anything starts."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from actionbench import __version__
from actionbench.bench.plan import resolve
from actionbench.bench.plan.config import from_mapping
from actionbench.bench.plan.environment import Installed
from actionbench.bench.plan.plan import plan_models
from actionbench.bench.plan.resolve import flow_method
from actionbench.errors import BackendUnavailable, UsageError
from actionbench.models.registry import ModelRequest, find_model
from actionbench.models.spec import Weights


def weights(request: ModelRequest, **preprocessing: Any) -> Mapping[str, Weights]:
    descriptions = {
        stream: replace(description, preprocessing=replace(description.preprocessing, **preprocessing))
        for stream, description in request.model.streams.items()
    }
    return {stream: Weights("random", description) for stream, description in descriptions.items()}


def test_the_centre_is_enough_for_i3d_and_not_for_a_network_that_looks_at_more() -> None:
    request = find_model("i3d@torch")
    assert flow_method("i3d", request, weights(request), "tvl1-fast-crop") == "tvl1-fast-crop"
    with pytest.raises(UsageError, match=r"centre crop of 224×224.*found 240×240"):
        flow_method("i3d", request, weights(request, crop=240), "tvl1-fast-crop")
    assert flow_method("i3d", request, weights(request, crop=240), "tvl1-fast") == "tvl1-fast"


def test_torch_does_not_meet_tensorflow() -> None:
    request = find_model("i3d@tensorflow")
    with pytest.raises(UsageError, match=r"cannot be imported beside TensorFlow.*`--flow tvl1-balanced`"):
        flow_method("i3d", request, weights(request), "tvl1-balanced-torch")
    request = find_model("i3d@torch")
    assert flow_method("i3d", request, weights(request), "tvl1-balanced-torch") == "tvl1-balanced-torch"


def test_a_network_without_flow_has_no_method() -> None:
    request = find_model("resnext")
    assert flow_method("resnext", request, weights(request), "tvl1-torch") is None


@pytest.mark.parametrize("backend", ["torch", "onnx", "openvino"])
def test_packages_of_a_family_are_looked_for_first(monkeypatch: pytest.MonkeyPatch, backend: str) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    raw = {"models": [f"tv:s3d@{backend}"], "weights": "random", "device": "cpu"}
    with pytest.raises(BackendUnavailable) as caught:
        plan_models(from_mapping(raw, "test"), None)
    message = str(caught.value)
    assert f"tv:s3d@{backend} needs packages that are not installed: torchvision" in message
    assert sys.executable in message
    assert "pip install 'actionbench[torchvision]'" in message
    assert "--index-url https://download.pytorch.org/whl/cpu" in message
    assert f"--python {backend}=PATH" in message


def test_packages_are_looked_for_in_another_interpreter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    monkeypatch.setattr(resolve, "probe", lambda _: Installed(__version__))
    (tmp_path / "torchvision.py").touch()
    for name, path in (("with", f'PYTHONPATH="{tmp_path}"'), ("without", "")):
        python = tmp_path / name
        python.write_text(f'#!/bin/sh\n{path} exec "{sys.executable}" -S "$@"\n')
        python.chmod(0o755)
    (tmp_path / "torch.py").touch()
    raw = {"models": ["tv:s3d"], "weights": "random", "device": "cpu"}
    (planned,) = plan_models(from_mapping(raw | {"python": {"torch": str(tmp_path / "with")}}, "test"), None)
    assert planned.python == str(tmp_path / "with")
    with pytest.raises(BackendUnavailable, match="not installed: torch, torchvision"):
        plan_models(from_mapping(raw | {"python": {"torch": str(tmp_path / "without")}}, "test"), None)


def test_packages_of_a_users_own_network(tmp_path: Path) -> None:
    file = tmp_path / "net.py"
    file.write_text(
        "from dataclasses import replace\n"
        "from actionbench.models.resnext.architecture import resnext\n"
        "def net():\n"
        "    packages = {'no_such_package': 'ask its author'}\n"
        "    return replace(resnext(), backends={'mine': print}, packages=packages)\n"
    )
    raw = {"models": [f"{file}:net"], "weights": "random", "device": "cpu"}
    with pytest.raises(BackendUnavailable, match=r"not installed: no_such_package.*ask its author"):
        plan_models(from_mapping(raw, "test"), None)

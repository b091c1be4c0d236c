"""Which flow methods go with which networks: refused before anything starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from actionbench.bench.plan.resolve import flow_method
from actionbench.errors import UsageError
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

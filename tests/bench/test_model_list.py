"""What `bench models` lists, against what a report counts."""

from __future__ import annotations

import pytest

from actionbench.bench.model_list import model_list
from actionbench.models.registry import find_model


@pytest.mark.usefixtures("torchvision")
def test_published_operations_are_listed_in_the_unit_of_a_report() -> None:
    """Publishers count a multiplication and an addition as one operation, reports as two."""
    (listed,) = (model for model in model_list().models if model.name == "tv:r3d_18")
    assert listed.gflops_of == "one view of 16 frames, 112×112"
    count = find_model("tv:r3d_18").model.macs
    assert count is not None
    counted = count({"rgb": (16, 112, 112)}, 400)
    assert counted is not None
    assert listed.gflops == pytest.approx(2 * counted / 1e9, rel=0.001)

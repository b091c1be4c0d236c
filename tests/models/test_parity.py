"""Inputs and arithmetic of comparing backends."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from actionbench.models import parity
from actionbench.models.labels import labels
from actionbench.models.registry import find_model


def test_inputs_are_like_preprocessed_video() -> None:
    inputs = parity.parity_inputs(find_model("i3d").model, 17, 40, 50, 2, seed=3)
    assert inputs["rgb"].shape == (2, 17, 40, 50, 3)
    assert inputs["flow"].shape == (2, 17, 40, 50, 2)
    for array in inputs.values():
        assert array.dtype == np.float32
        assert -1 <= array.min() < -0.5 < 0.5 < array.max() <= 1
        neighbours = np.corrcoef(array[:, 1:].ravel(), array[:, :-1].ravel())[0, 1]
        assert 0.7 < neighbours < 0.99  # smooth in time, with noise
    again = parity.parity_inputs(find_model("i3d").model, 17, 40, 50, 2, seed=3)
    assert all(np.array_equal(inputs[stream], again[stream]) for stream in inputs)
    pixels = parity.parity_inputs(find_model("resnext").model, 3, 40, 50, 1)["rgb"] + np.array(
        [114.7748, 107.7354, 99.4750]
    )
    np.testing.assert_allclose(pixels, np.round(pixels), atol=1e-4)
    assert 0 <= pixels.min() + 1e-4 < 30 < 220 < pixels.max() <= 255 + 1e-4


def test_agreement() -> None:
    a = np.array([[3.0, 4.0], [1.0, 2.0]], np.float32)
    b = a.copy()
    b[1, 0] = 2.5
    agreement = parity.compare_logits(a, b)
    assert agreement.max_abs == 1.5
    assert agreement.relative_l2 == pytest.approx(1.5 / np.sqrt(30))
    assert agreement.top1 == 0.5
    assert agreement.verdict() == "other"
    assert parity.compare_logits(a, a + np.float32(9e-4)).verdict() == "same"


def test_half_precisions_may_be_off_by_three_times_their_yardstick() -> None:
    a = np.array([[3.0, 4.0]], np.float32)
    agreement = parity.compare_logits(a, a + np.float32(0.2))
    within, beyond = (parity.drift_limit(agreement.relative_l2 / times) for times in (2.9, 3.1))
    assert agreement.verdict("bf16", within) == "drifts"
    assert agreement.verdict("fp16", beyond) == "other"
    assert agreement.verdict("int8", parity.drift_limit(None)) == "drifts"
    assert agreement.verdict("fp32") == "other"
    assert parity.compare_logits(a, a).verdict("bf16", 0.0) == "same"


def test_rounding_is_that_of_the_formats() -> None:
    values = np.random.default_rng(0).normal(size=1000).astype(np.float32)
    values[:3] = 0, 1, -255
    x = {"rgb": values}
    in_torch = torch.from_numpy(values)
    bf16 = parity.rounded(x, "bf16")
    fp16 = parity.rounded(x, "fp16")
    assert bf16 is not None
    assert fp16 is not None
    np.testing.assert_array_equal(bf16["rgb"], in_torch.bfloat16().float().numpy())
    large = np.abs(values) > 1e-3  # below, float16 has fewer bits still
    np.testing.assert_array_equal(fp16["rgb"][large], in_torch.half().float().numpy()[large])
    assert parity.rounded(x, "fp32") is None


@pytest.mark.parametrize("other", [np.zeros((1, 3)), np.full((1, 2), np.nan), np.zeros(2)])
def test_logits_that_cannot_be_compared(other: np.ndarray) -> None:
    with pytest.raises(ValueError, match="logits"):
        parity.compare_logits(np.ones((1, 2), np.float32), other.astype(np.float32))


def test_published_example() -> None:
    names = labels("kinetics-400")
    logits = np.zeros((1, 400), np.float32)
    example = find_model("i3d").model.published
    assert example is not None
    for name, value in example.top:
        logits[0, names.index(name)] = value
    differences = parity.published_differences(example, logits, names)
    assert differences["playing cricket"] == pytest.approx(0, abs=1e-5)
    assert differences["norm"] == pytest.approx(np.sqrt(41.8137**2 + 21.4943**2 + 20.1341**2) - 138.468643)
    assert example.frames == 79

"""What tells a half precision's rounding from another network, with the rounding emulated in float32.

So on any machine: weights and what leaves each layer are rounded to bfloat16. Three mistakes that ports of
I3D are known for must stand out, in float32 and under that rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from actionbench.models import parity
from actionbench.models.backends.torch_layers import in_arithmetic, tuned_for
from actionbench.models.i3d import architecture as i3d
from actionbench.models.i3d import torch_modules as i3d_torch
from actionbench.models.i3d.tensors import stream_states
from actionbench.models.random_state import random_state
from actionbench.models.registry import find_model
from actionbench.models.residual import architecture as residual
from actionbench.models.resnext import architecture as resnext
from actionbench.models.resnext import torch_modules as resnext_torch
from actionbench.models.spec import FloatArray, LoadOptions, Model, Weights
from actionbench.models.state import State
from actionbench.models.weights.formats.readers import read_state

from .conftest import Draw

STEM = "Conv3d_1a_7x7"
MISTAKES = ("epsilon", "padding", "BGR")
SHAPE = (10, 194, 194, 1)  # even, as mistakes in padding want it

Logits = Callable[[FloatArray], FloatArray]


def half(x: torch.Tensor) -> torch.Tensor:
    return x.bfloat16().float()


def network(state: State, mistake: str = "", rounds: bool = False) -> Logits:
    """I3D with folded batch norms and perhaps a mistake; `rounds` as bfloat16 does."""
    if mistake == "BGR":
        state = state | {f"{STEM}/conv_3d/w": np.ascontiguousarray(state[f"{STEM}/conv_3d/w"][..., ::-1, :])}
    with pytest.MonkeyPatch.context() as patch:
        if mistake == "epsilon":
            patch.setattr(i3d, "BATCH_NORM_EPSILON", 1e-5)
        net = i3d_torch.folded(state, tuned_for(LoadOptions()))
    if mistake == "padding":
        net.units[STEM].padded = partial(functional.pad, pad=(3,) * 6)  # type: ignore[assignment]
    if rounds:
        net.units[STEM].register_forward_pre_hook(lambda _, arguments: half(arguments[0]))
        for unit in net.units.values():
            for parameter in unit.parameters():
                parameter.copy_(half(parameter))
            unit.register_forward_hook(lambda _, __, y: half(y))
    return partial(_logits, net)


@torch.inference_mode()
def _logits(net: torch.nn.Module, rgb: FloatArray | torch.Tensor) -> FloatArray:
    x = rgb if isinstance(rgb, torch.Tensor) else torch.from_numpy(rgb)
    logits: FloatArray = net(x.permute(0, 4, 1, 2, 3)).numpy()
    return logits


def limit(expected: FloatArray, of_rounded: FloatArray) -> float | None:
    return parity.drift_limit(parity.compare_logits(expected, of_rounded).relative_l2)


def judged(state: State, model: Model, shape: tuple[int, int, int, int]) -> dict[str, str]:
    """Network → verdict, in float32 and with bfloat16's rounding: "epsilon", …, "half", "half epsilon", …"""
    rgb = parity.parity_inputs(model, *shape)["rgb"]
    coarse = {name: parity.with_mantissa(tensor, 7) for name, tensor in state.items()}
    expected = network(state)(rgb)
    bound = limit(expected, network(coarse)(parity.with_mantissa(rgb, 7)))
    verdicts: dict[str, str] = {}
    for rounds, mistake in product((False, True), ("", *MISTAKES)):
        if not (rounds or mistake):
            continue
        found = parity.compare_logits(expected, network(state, mistake, rounds)(rgb))
        name = f"{'half ' if rounds else ''}{mistake}".strip()
        verdicts[name] = found.verdict("bf16" if rounds else "fp32", bound)
    return verdicts


WRONG = {**dict.fromkeys(MISTAKES, "other"), **{f"half {mistake}": "other" for mistake in MISTAKES}}


@pytest.mark.slow
def test_rounding_drifts_and_mistakes_are_another_network() -> None:
    model = find_model("i3d-rgb").model
    state = random_state(i3d.tensor_shapes(3, 400), 0, {})
    assert judged(state, model, SHAPE) == {"half": "drifts", **WRONG}


@pytest.mark.slow
def test_with_trained_weights_rounding_hides_only_what_is_smaller_than_itself(trained_weights: Path) -> None:
    """A wrong epsilon moves the trained network's logits by a tenth to a quarter of what bfloat16 does."""
    model = find_model("i3d-rgb").model
    state = read_state(trained_weights, "safetensors", "rgb")
    assert judged(state, model, (16, 224, 224, 1)) == {"half": "drifts", **WRONG, "half epsilon": "drifts"}


def test_resnext_in_torchs_own_bfloat16(draw: Draw, monkeypatch: pytest.MonkeyPatch) -> None:
    """On few pixels, where any processor computes it in scalar code."""
    rgb = parity.parity_inputs(find_model("resnext").model, 5, 33, 32, 1)["rgb"]
    state = draw(resnext.tensor_shapes(400), 5, resnext.random_gains())
    coarse = {name: parity.with_mantissa(tensor, 7) for name, tensor in state.items()}
    options = LoadOptions(precision="bf16")

    def in_half() -> Logits:
        net = resnext_torch.folded(state, tuned_for(options))
        net = in_arithmetic(net, options.precision, options.device)
        return lambda x: _logits(net, torch.from_numpy(x).bfloat16())

    expected = _logits(resnext_torch.from_state(state), rgb)
    bound = limit(expected, _logits(resnext_torch.from_state(coarse), parity.with_mantissa(rgb, 7)))
    right = in_half()
    monkeypatch.setattr(residual, "BATCH_NORM_EPSILON", 1e-3)
    found = {
        "right": right(rgb),
        "BGR": right(np.ascontiguousarray(rgb[..., ::-1])),
        "epsilon": in_half()(rgb),
    }
    agreements = {name: parity.compare_logits(expected, logits) for name, logits in found.items()}
    assert agreements["right"].relative_l2 > 1e-3, "this was not float32"
    verdicts = {name: each.verdict("bf16", bound) for name, each in agreements.items()}
    assert verdicts == {"right": "drifts", "BGR": "other", "epsilon": "other"}


def test_weights_are_rounded_when_they_are_read() -> None:
    model = find_model("i3d-rgb").model
    (exact,), (coarse,) = (
        stream_states({"rgb": Weights("random", model.streams["rgb"], mantissa=bits)}).values()
        for bits in (None, 7)
    )
    for name in (f"{STEM}/conv_3d/w", f"{STEM}/batch_norm/beta"):
        np.testing.assert_array_equal(half(torch.from_numpy(exact[name])).numpy(), coarse[name])
        assert not np.array_equal(exact[name], coarse[name])

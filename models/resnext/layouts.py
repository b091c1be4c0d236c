"""The formats of Hara's networks: the published one, and the same tensors as safetensors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ..state import State
from ..weights.formats.layout import Layout, Tensors, require
from ..weights.formats.safetensors_files import read_safetensors, write_safetensors
from ..weights.formats.torch_files import read_torch, write_torch

_ARCH: Final = "resnext-101"
# Tensors that only Hara's 3D ResNeXts and ResNets have, of any depth.
_TENSORS: Final = ("conv1.weight", "layer1.0.conv1.weight", "fc.weight", "fc.bias")


def _read(path: Path, _stream: str) -> State:
    state = read_torch(path)
    require(state, _TENSORS, path, "hara")
    return state


def _read_safetensors(path: Path, _stream: str) -> State:
    state = read_safetensors(path)
    require(state, _TENSORS, path, "hara-safetensors")
    return state


def _write_safetensors(state: Tensors, path: Path, _stream: str) -> None:
    require(state, _TENSORS, path, "hara-safetensors")
    write_safetensors(state, path)


def _write(state: Tensors, path: Path, _stream: str) -> None:
    require(state, _TENSORS, path, "hara")
    named = {f"module.{name}": tensor for name, tensor in state.items()}
    write_torch({"arch": _ARCH, "epoch": 0, "state_dict": named, "optimizer": {}}, path)


LAYOUTS: Final[Mapping[str, Layout]] = {
    "hara": Layout("torch", lambda names: _TENSORS[1] in names, _read, _write),
    # As networks that were trained here are kept.
    "hara-safetensors": Layout(
        "safetensors", lambda names: _TENSORS[1] in names, _read_safetensors, _write_safetensors
    ),
}
"""Format → how it is read and written."""

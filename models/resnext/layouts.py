"""The format that Hara's networks are published in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ..state import State
from ..weights.formats.layout import Layout, Tensors, require
from ..weights.formats.torch_files import read_torch, write_torch

_ARCH: Final = "resnext-101"
# Tensors that only Hara's 3D ResNeXts and ResNets have, of any depth.
_TENSORS: Final = ("conv1.weight", "layer1.0.conv1.weight", "fc.weight", "fc.bias")


def _read(path: Path, _stream: str) -> State:
    state = read_torch(path)
    require(state, _TENSORS, path, "hara")
    return state


def _write(state: Tensors, path: Path, _stream: str) -> None:
    require(state, _TENSORS, path, "hara")
    named = {f"module.{name}": tensor for name, tensor in state.items()}
    write_torch({"arch": _ARCH, "epoch": 0, "state_dict": named, "optimizer": {}}, path)


LAYOUTS: Final[Mapping[str, Layout]] = {
    "hara": Layout("torch", lambda names: _TENSORS[1] in names, _read, _write)
}
"""Format → how it is read and written."""

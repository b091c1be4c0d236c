"""The formats of torchvision's video networks: its state dicts, and the same tensors as safetensors."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from ...state import State
from ...weights.formats.layout import Layout, Tensors
from ...weights.formats.safetensors_files import read_safetensors, write_safetensors
from ...weights.formats.torch_files import read_torch, write_torch

_ONE_OF: Final = {
    "stem.0.weight",  # R3D, MC3, R(2+1)D
    "features.0.0.0.weight",  # S3D
    "pos_encoding.class_token",  # MViT
    "features.0.0.attn.relative_position_bias_table",  # Video Swin
}
"""A tensor of each architecture that no other format has."""


def _recognises(names: Collection[str]) -> bool:
    return not _ONE_OF.isdisjoint(names)


def _read(path: Path, _stream: str) -> State:
    return read_torch(path)


def _read_safetensors(path: Path, _stream: str) -> State:
    return read_safetensors(path)


def _write(state: Tensors, path: Path, _stream: str) -> None:
    write_torch(state, path)


def _write_safetensors(state: Tensors, path: Path, _stream: str) -> None:
    write_safetensors(state, path)


LAYOUTS: Final[Mapping[str, Layout]] = {
    "torchvision": Layout("torch", _recognises, _read, _write),
    "torchvision-safetensors": Layout("safetensors", _recognises, _read_safetensors, _write_safetensors),
}
"""Format → how it is read and written. Which of the networks a file is for, its loader checks."""

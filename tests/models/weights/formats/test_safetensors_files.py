"""The safetensors format of I3D's weights."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from actionbench.errors import WeightsError
from actionbench.models.state import State
from actionbench.models.weights import convert, detect_format, read_state, write_state
from actionbench.models.weights.formats.safetensors_files import read_safetensors


def test_written_and_read(i3d_state: State, tmp_path: Path) -> None:
    path, again = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    write_state(i3d_state, path, "safetensors", "rgb")
    write_state(dict(reversed(i3d_state.items())), again, "safetensors", "rgb")
    assert path.read_bytes() == again.read_bytes()
    assert detect_format(path) == "safetensors"
    state = read_state(path, "safetensors", "rgb")
    assert all(np.array_equal(state[name], i3d_state[name]) for name in i3d_state)
    convert(path, tmp_path / "c.pt", "piergiaj", "rgb")
    state = read_state(tmp_path / "c.pt", "piergiaj", "rgb")
    assert all(np.array_equal(state[name], i3d_state[name]) for name in i3d_state)


def test_half_precision_is_read_as_float32(i3d_state: State, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file({name: tensor.astype(np.float16) for name, tensor in i3d_state.items()}, path)
    state = read_state(path, "safetensors", "rgb")
    assert {tensor.dtype for tensor in state.values()} == {np.dtype(np.float32)}


@pytest.mark.parametrize("damage", ["header", "cut", "empty", "text", "page", "absent"])
def test_damaged_files(damage: str, i3d_state: State, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_state(i3d_state, path, "safetensors", "rgb")
    whole = path.read_bytes()
    contents = {
        "header": struct.pack("<Q", 2**62) + whole[8:],
        "cut": whole[: len(whole) // 2],
        "empty": b"",
        "text": b"not a file of weights",
        "page": b"<!doctype html>",
    }
    path.write_bytes(contents.get(damage, b""))
    if damage == "absent":
        path.unlink()
    for read in (detect_format, lambda p: read_state(p, "safetensors", "rgb")):
        with pytest.raises(WeightsError, match=r"a\.safetensors"):
            read(path)


def test_another_network_or_no_numbers(i3d_state: State, tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"layer.weight": np.zeros(3, np.float32)}, path)
    with pytest.raises(WeightsError, match="no known network"):
        detect_format(path)
    with pytest.raises(WeightsError, match="lacks tensors"):
        read_state(path, "safetensors", "rgb")
    save_file({name: tensor.astype(np.int32) for name, tensor in i3d_state.items()}, path)
    with pytest.raises(WeightsError, match="floating-point"):
        read_state(path, "safetensors", "rgb")


@pytest.mark.parametrize("kind", ["F8_E4M3", "BF16", "C64"])
def test_numbers_that_numpy_has_not_are_refused(kind: str, tmp_path: Path) -> None:
    path, sizes = tmp_path / "a.safetensors", {"F8_E4M3": 1, "BF16": 2, "C64": 8}
    header = json.dumps({"a": {"dtype": kind, "shape": [4], "data_offsets": [0, 4 * sizes[kind]]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4 * sizes[kind]))
    with pytest.raises(
        WeightsError, match=r"a\.safetensors: (is not a safetensors file|a is not a tensor of)"
    ):
        read_safetensors(path)


@pytest.mark.parametrize(
    "tensors",
    [
        {"a": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}},
        {"a": {"dtype": "F32", "shape": [1 << 62, 8], "data_offsets": [0, 0]}},
        {name: {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]} for name in "ab"},
    ],
    ids=["larger than the file", "larger than a number", "shared bytes"],
)
def test_a_header_that_lies_is_refused(tensors: dict[str, Any], tmp_path: Path) -> None:
    path, header = tmp_path / "a.safetensors", json.dumps(tensors).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(16))
    with pytest.raises(WeightsError, match="is not a safetensors file, or a damaged one"):
        read_safetensors(path)

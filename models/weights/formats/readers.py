"""Reads a network's tensors from every format of published weights, and writes some of the formats."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from pkgutil import resolve_name
from typing import Final

import numpy as np

from ....errors import WeightsError, unknown_name
from ...state import State
from .. import descriptions
from .layout import Container, Layout, Tensors, in_words
from .safetensors_files import SUFFIX, list_safetensors
from .tensor_bundle import HUB_VARIABLES, index_path, list_tensors, prefix_of
from .torch_files import read_torch

_NETWORKS: Final[tuple[Mapping[str, Layout], ...]] = tuple(map(resolve_name, descriptions.LAYOUTS))

LAYOUTS: Final[Mapping[str, Layout]] = {name: each for layouts in _NETWORKS for name, each in layouts.items()}
"""Format → how it is read and written."""

FORMATS: Final = tuple(LAYOUTS)
"""Formats that are read."""

WRITABLE: Final = tuple(name for name, layout in LAYOUTS.items() if layout.write is not None)
"""Formats that are written."""


def sibling_formats(format: str) -> Collection[str]:
    """The formats of the network that `format` is a format of; `format` alone if it is none of ours."""
    return next((layouts for layouts in _NETWORKS if format in layouts), (format,))


def read_state(path: Path, format: str, stream: str) -> State:
    """The tensors of one stream, under their canonical names, float32.

    - `path`: the file; for "tf1-checkpoint" the prefix (…/model.ckpt) or the index, for "tfhub" the folder.
    - `format`: one of `FORMATS`.
    - `stream`: "rgb" or "flow"; files with scoped names may hold both.

    I3D's names and shapes are those of DeepMind's checkpoints without the scope, convolutions (t, h, w, in,
    out), batch norm (C,); ResNeXt's are Hara's without `module.`. Shapes are not checked here
    (`models.state.check_state`). Raises WeightsError if the file is absent, damaged, unsafe, of another
    format or stream, lacks tensors, or holds numbers that are not finite.
    """
    if format not in LAYOUTS:
        raise unknown_name("format of weights", format, FORMATS)
    state = LAYOUTS[format].read(path, stream)
    broken = [name for name, tensor in state.items() if not np.isfinite(tensor).all()]
    if broken:
        raise WeightsError("holds numbers that are not finite", where=path, found=in_words(broken))
    return state


def write_state(state: Tensors, path: Path, format: str, stream: str) -> None:
    """Write tensors so that the code of the format's authors reads them.

    - `state`: canonical name → tensor.
    - `path`: the file; for "tf1-checkpoint" the prefix. A file is replaced as a whole or not at all.
    - `format`: one of `WRITABLE`.
    - `stream`: "rgb" or "flow".

    Raises WeightsError if the tensors are not those of the network that the format is for.
    """
    write = LAYOUTS[format].write if format in LAYOUTS else None
    if write is None:
        raise unknown_name("format to write", format, WRITABLE)
    write(state, path, stream)


def detect_format(path: Path) -> str:
    """The format of the weights at `path`, from their contents. Raises WeightsError if it is none."""
    container, names = _contents(path)
    for format, layout in LAYOUTS.items():
        if layout.container == container and layout.recognises(names):
            return format
    raise WeightsError(
        "contains tensors of no known network",
        where=path,
        expected=f"the names of one of the formats {', '.join(FORMATS)}",
        found=in_words(names),
    )


def _contents(path: Path) -> tuple[Container, Collection[str]]:
    """What kind of file `path` is, and the names of its tensors; none for a TF-Hub module."""
    if path.is_dir():
        if (path / "saved_model.pb").is_file() and index_path(path / HUB_VARIABLES).is_file():
            return "hub", ()
        raise WeightsError(
            "this folder is no TF-Hub module",
            where=path,
            remedy="Name the file of weights, or for a TensorFlow checkpoint its prefix or index",
        )
    if path.suffix == SUFFIX:
        return "safetensors", list_safetensors(path)
    prefix = prefix_of(path)
    if prefix != path or not path.exists():
        return "checkpoint", list_tensors(_existing(index_path(prefix), path))
    return "torch", read_torch(path)


def convert(source: Path, target: Path, to_format: str, stream: str) -> None:
    """Convert weights to another format.

    - `source`: weights of any format.
    - `target`: the new file; for "tf1-checkpoint" the prefix.
    - `to_format`: one of `WRITABLE`.
    - `stream`: "rgb" or "flow".

    Raises WeightsError if `target` exists, or as `read_state` and `write_state` do.
    """
    written = index_path(prefix_of(target)) if _is_checkpoint(to_format) else target
    if written.exists():
        raise WeightsError("exists already", where=written, remedy="Name a new file")
    write_state(read_state(source, detect_format(source), stream), target, to_format, stream)


def _is_checkpoint(format: str) -> bool:
    return format in LAYOUTS and LAYOUTS[format].container == "checkpoint"


def _existing(index: Path, given: Path) -> Path:
    if not index.exists():
        raise WeightsError("there are no such weights", where=given, expected=f"this file, or {index}")
    return index

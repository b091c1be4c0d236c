"""Files of torch, read without executing anything in them, and written.

Such a file is a pickle, which can run any code when it is loaded; `weights_only` accepts only tensors and
plain containers. Files of 2017 to 2019, in torch's older container and tagged `cuda:0`, are read too.
"""

from __future__ import annotations

import io
import pickle
import re
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ....atomic import replacing
from ....errors import WeightsError
from ...spec import FloatArray
from .impostors import refuse_impostor
from .layout import NOT_WEIGHTS

if TYPE_CHECKING:
    import torch


def read_torch(path: Path) -> dict[str, FloatArray]:
    """Name → float32 tensor of the state dict in `path`.

    The state dict may be the whole file or lie under "state_dict", beside an optimizer. The `module.` that
    DataParallel puts before every name is dropped, and so are the tensors of `NOT_WEIGHTS`. Raises
    WeightsError if the file is none of this, is damaged, or holds anything but data.
    """
    refuse_impostor(path)
    _refuse_bomb(path)
    state = _state_dict(_load(path), path)
    named = {_text(name): value for name, value in state.items()}
    prefix = "module." if named and all(name.startswith("module.") for name in named) else ""
    tensors = {
        name.removeprefix(prefix): _plain(value, name, path)
        for name, value in named.items()
        if not name.endswith(NOT_WEIGHTS)
    }
    _refuse_repetition(tensors.values(), path)
    return {name: _array(tensor) for name, tensor in tensors.items()}


def write_torch(contents: Mapping[str, Any], path: Path) -> None:
    """Write nested mappings of float32 arrays, numbers and strings as a torch file.

    The same contents give the same bytes: the name of the file does not go into it.
    """
    import torch

    buffer = io.BytesIO()
    torch.save(_with_tensors(contents), buffer)
    with replacing(path) as file:
        file.write(buffer.getbuffer())


def _with_tensors(contents: Mapping[str, Any]) -> dict[str, Any]:
    import torch

    plain: dict[str, Any] = {}
    for name, value in contents.items():
        if isinstance(value, Mapping):
            plain[name] = _with_tensors(value)
        elif isinstance(value, np.ndarray):
            plain[name] = torch.from_numpy(np.array(value, dtype=np.float32, order="C"))
        else:
            plain[name] = value
    return plain


def _refuse_bomb(path: Path) -> None:
    """Raise WeightsError for a zip archive whose unpacked size is larger than the file.

    torch.save never compresses, so torch did not write such a file; loading it could fill the memory.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except Exception:  # no zip archive, or a damaged one: torch says so
        return
    size = path.stat().st_size
    if unpacked > size:
        raise WeightsError(
            "was not written by torch: it is compressed, or its directory of entries is wrong",
            where=path,
            expected=f"entries of {size} bytes at most, which the file has",
            found=f"{unpacked} bytes",
            remedy="If you trust where it comes from, load it and save its state dict with torch.save",
        )


def _load(path: Path) -> Any:
    import torch

    try:
        with warnings.catch_warnings(), _unsearched():
            # Of an unusual protocol: it either loads as data, or ends in one of the errors below.
            warnings.filterwarnings("ignore", message="Detected pickle protocol")
            return torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, _NotData) as error:
        raise WeightsError(_unpickling(error), where=path, remedy=_REMEDY) from error
    except Exception as error:  # of torch, of the pickle machine, and of a library that torch leaves it to
        raise WeightsError(
            "is not a file of torch, or a damaged one",
            where=path,
            found=_first_line(error),
            remedy="Copy or fetch the file again",
        ) from error


class _NotData(Exception):
    """What torch's unpickler refuses."""


@contextmanager
def _unsearched() -> Iterator[None]:
    """Inside the block torch's unpickler raises `_NotData`, which torch leaves alone.

    It searches the messages of an UnpicklingError for a phrase, in a time that grows with the square of the
    longest word: a name of 100,000 characters in a file takes a minute.
    """
    import torch

    unpickler: Any = torch._weights_only_unpickler
    before = unpickler.UnpicklingError
    unpickler.UnpicklingError = _NotData
    try:
        yield
    finally:
        unpickler.UnpicklingError = before


_REMEDY: Final = (
    "Nothing in it was executed. If you trust where it comes from, save its state dict alone: "
    "torch.save(network.state_dict(), path)"
)


def _unpickling(error: Exception) -> str:
    # torch names the first thing that is not data, e.g. "unsupported GLOBAL posix.system".
    found = re.search(r"GLOBAL (\S+)", str(error))
    if found is None:
        return "is not a file of torch that holds tensors only"
    return f"asks for {found[1][:200]} to be loaded, which is no tensor and could run a program"


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__


def _state_dict(loaded: Any, path: Path) -> Mapping[Any, Any]:
    state = loaded
    if isinstance(loaded, Mapping):
        by_name = {_text(key): value for key, value in loaded.items()}
        state = by_name.get("state_dict", loaded)
    if not isinstance(state, Mapping) or not state:
        raise WeightsError(
            "holds no state dict",
            where=path,
            expected="names of tensors and their values",
            found=type(state).__name__ if not isinstance(state, Mapping) else "an empty one",
        )
    return state


def _text(key: object) -> str:
    # Python 2 wrote names as bytes.
    return key.decode("utf-8", "replace") if isinstance(key, bytes) else str(key)


def _plain(value: Any, name: str, path: Path) -> torch.Tensor:
    """The tensor that `value` is, its numbers all stored. Raises WeightsError for anything else."""
    import torch

    if not isinstance(value, torch.Tensor) or not value.is_floating_point():
        found = f"{value.dtype}" if isinstance(value, torch.Tensor) else type(value).__name__
        raise WeightsError(
            f"{name} is not a tensor of floating-point numbers",
            where=path,
            found=found,
            remedy="A file of weights is a state dict, or has one under 'state_dict'",
        )
    if value.layout != torch.strided or value.is_meta or value.is_quantized:
        raise WeightsError(
            f"{name} is not a plain tensor", where=path, found=f"{value.layout}, {value.dtype}"
        )
    if value.numel() * value.element_size() > value.untyped_storage().nbytes():
        raise WeightsError(
            f"{name} is larger than the numbers that are stored of it",
            where=path,
            expected=f"at most {value.untyped_storage().nbytes()} bytes",
            found=f"shape {tuple(value.shape)}, {value.dtype}",
        )
    return value


def _refuse_repetition(tensors: Iterable[torch.Tensor], path: Path) -> None:
    """Raise WeightsError for tensors that together are larger than the file.

    They are then parts of each other, as no network's here are; as arrays of their own they could fill the
    memory.
    """
    together = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    size = path.stat().st_size
    if together > size:
        raise WeightsError(
            "holds tensors that together are larger than the numbers that are stored of them",
            where=path,
            expected=f"at most {size} bytes, which the file has",
            found=f"{together} bytes",
            remedy="Save a state dict in which no tensor is a part of another.",
        )


def _array(tensor: torch.Tensor) -> FloatArray:
    import torch

    array: FloatArray = tensor.detach().to(torch.float32).contiguous().numpy()
    return array

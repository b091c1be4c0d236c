"""Pickled mappings of NumPy arrays, read without running anything in them.

A pickle can name any function and have it called. Here only the names are accepted that NumPy writes for an
array of float32, and they are mapped to classes of this file: NumPy's own code gets nothing from the pickle
but shapes and bytes that were checked.
"""

from __future__ import annotations

import math
import pickle
import pickletools
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np

from ....errors import WeightsError
from ...spec import FloatArray

# What the pickle machine raises on bytes that are no pickle, or a damaged one.
_DAMAGE: Final = (
    EOFError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    OverflowError,
    MemoryError,
    RecursionError,
    struct.error,
    pickle.UnpicklingError,
)


def read_pickled_arrays(file: BinaryIO, where: Path) -> dict[tuple[str, ...], FloatArray]:
    """The float32 arrays in a pickle of nested dicts: the keys that lead to an array → the array.

    - `file`: the pickle, seekable.
    - `where`: its path, for errors.

    Raises WeightsError for a damaged pickle, and for one with anything but dicts, strings, numbers and
    float32 arrays.
    """
    begin = file.tell()
    try:
        _refuse_sparse_memo(file)
        file.seek(begin)
        content = _ArraysOnly(file).load()
    except _Refused as refused:
        raise WeightsError(
            f"asks for {refused} to be loaded, which is no array and could run a program",
            where=where,
            remedy="Nothing in it was executed",
        ) from refused
    except _DAMAGE as error:
        raise WeightsError("is not a pickle of arrays, or a damaged one", where=where, found=error) from error
    arrays: dict[tuple[str, ...], FloatArray] = {}
    _flatten(content, (), arrays, where)
    return arrays


_PUTS: Final = ("PUT", "BINPUT", "LONG_BINPUT")
"""Instructions that keep an object under the number that is their argument."""


def _refuse_sparse_memo(file: BinaryIO) -> None:
    """Raise ValueError for an object that is kept under a number beyond those that a pickle needs.

    `pickle` makes room for all numbers below it: a file of a few bytes fills 64 GB by one of 2³².
    """
    for position, (opcode, number, _) in enumerate(pickletools.genops(file)):
        if opcode.name in _PUTS and number is not None and number > position:
            raise ValueError(f"keeps an object under the number {number}, the file's {position}. instruction")


def _flatten(
    content: Any, keys: tuple[str, ...], arrays: dict[tuple[str, ...], FloatArray], where: Path
) -> None:
    if isinstance(content, Mapping):
        for key, value in content.items():
            _flatten(value, (*keys, str(key)), arrays, where)
    elif isinstance(content, _Array) and content.values is not None:
        arrays[keys] = content.values
    else:
        raise WeightsError(
            "contains other objects than arrays",
            where=where,
            expected="dicts of float32 arrays",
            found=f"{type(content).__name__.strip('_')} under '{' / '.join(keys)}'",
        )


class _Refused(Exception):
    """A name in the pickle that is not accepted."""


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ADMITTED[module, name]
        except KeyError:
            raise _Refused(f"{module}.{name}") from None

    def persistent_load(self, pid: Any) -> Any:
        raise _Refused(f"the outside object {pid!r}")


class _Dtype:
    """In place of `numpy.dtype`: little-endian float32 or nothing."""

    def __init__(self, code: object, *_: object) -> None:
        if code != "f4":
            raise ValueError(f"an array of type {code!r}, not of float32")

    def __setstate__(self, state: tuple[object, ...]) -> None:
        # (version, byte order, …) as `numpy.dtype.__reduce__` gives it.
        if state[1] != "<":
            raise ValueError(f"an array of byte order {state[1]!r}, not '<'")


class _Array:
    """In place of what `_reconstruct` makes: gets its shape and bytes from `ndarray.__reduce__`'s state."""

    def __init__(self, *_: object) -> None:
        self.values: FloatArray | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _version, shape, dtype, fortran, data = state
        if not isinstance(dtype, _Dtype) or not isinstance(data, bytes) or not isinstance(shape, tuple):
            raise ValueError("an array without its type, its shape or its bytes")
        if any(not isinstance(side, int) or side < 0 for side in shape):
            raise ValueError(f"an array of shape {shape}")
        if len(data) != 4 * math.prod(shape):
            raise ValueError(f"{len(data)} bytes for an array of shape {shape}")
        self.values = np.frombuffer(data, "<f4").reshape(shape, order="F" if fortran else "C")


_ADMITTED: Final[Mapping[tuple[str, str], type]] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Dtype,
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
}
"""(module, name) in the pickle → what it gets. NumPy 2 writes `_core`."""

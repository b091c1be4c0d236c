"""Files in the safetensors format: names, shapes and numbers, and no code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from ....atomic import replacing
from ....errors import WeightsError
from ...spec import FloatArray
from .impostors import refuse_impostor
from .layout import NOT_WEIGHTS

SUFFIX: Final = ".safetensors"


def list_safetensors(path: Path) -> list[str]:
    """The names of the tensors in `path`. Raises WeightsError as `read_safetensors` does."""
    refuse_impostor(path)
    try:
        with safe_open(path, "numpy") as file:
            return list(file.keys())
    except (SafetensorError, OSError) as error:
        raise _damaged(path, error) from error


def read_safetensors(path: Path) -> dict[str, FloatArray]:
    """Name → tensor of `path`, as float32, without those in `NOT_WEIGHTS`.

    Raises WeightsError if the file is absent, damaged, or holds anything but floating-point tensors.
    """
    refuse_impostor(path)
    try:
        with safe_open(path, "numpy") as file:
            names = [name for name in file.keys() if not name.endswith(NOT_WEIGHTS)]  # noqa: SIM118  # no mapping
            tensors = {name: file.get_tensor(name) for name in names}
    except (SafetensorError, OSError, TypeError, AttributeError) as error:  # also: a type that NumPy has not
        raise _damaged(path, error) from error
    for name, tensor in tensors.items():
        if not np.issubdtype(tensor.dtype, np.floating):
            raise WeightsError(
                f"{name} is not a tensor of floating-point numbers", where=path, found=tensor.dtype
            )
    return {name: tensor.astype(np.float32, copy=False) for name, tensor in tensors.items()}


def write_safetensors(tensors: Mapping[str, FloatArray], path: Path) -> None:
    """Write `tensors` as `path`, whole or not at all. The same tensors give the same bytes."""
    contents = save({name: np.ascontiguousarray(tensor) for name, tensor in sorted(tensors.items())})
    with replacing(path) as file:
        file.write(contents)


def _damaged(path: Path, error: Exception) -> WeightsError:
    return WeightsError(
        "is not a safetensors file, or a damaged one",
        where=path,
        found=error,
        remedy="Copy or fetch the file again",
    )

"""Formats of published weights: each is a kind of file, with the tensors of one network in it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from ....errors import WeightsError
from ...state import State

Tensors = Mapping[str, npt.NDArray[np.float32]]
"""Name → values."""

Container = Literal["checkpoint", "hub", "safetensors", "torch"]
"""A TensorFlow checkpoint, the folder of a TF-Hub module, a safetensors file, a file of torch.save."""

NOT_WEIGHTS: Final = ("num_batches_tracked", "relative_position_index")
"""Ends of the names of integers in torch's state dicts that a network does not need: batch norm's counters,
and Swin's table of positions, which follows from the architecture."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A format of published weights.

    - `container`: the kind of file.
    - `recognises`: whether the names of a file's tensors are those of this format.
    - `read`: from the path and the stream to its tensors under their canonical names. Raises WeightsError as
      `readers.read_state` does.
    - `write`: canonical tensors, to a path, of a stream; None for a format that is not written. Raises
      WeightsError if the tensors are not those of the network that the format is for.
    """

    container: Container
    recognises: Callable[[Collection[str]], bool]
    read: Callable[[Path, str], State]
    write: Callable[[Tensors, Path, str], None] | None = None


def require(tensors: Iterable[str], names: Iterable[str], where: Path, format: str) -> None:
    """Raise WeightsError if tensors are missing.

    - `tensors`: names of the tensors in the file.
    - `names`: names that are needed.
    - `where`: the file, for the error.
    - `format`: name of the format, for the error.
    """
    held = set(tensors)
    missing = [name for name in names if name not in held]
    if missing:
        raise WeightsError(
            f"lacks tensors of the format {format}",
            where=where,
            expected=in_words(missing),
            found=in_words(sorted(held)),
        )


def in_words(names: Iterable[str]) -> str:
    """The first few names, and how many there are."""
    names = list(names)
    return ", ".join(names[:3]) + (f", … ({len(names)} in all)" if len(names) > 3 else "")

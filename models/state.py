"""The tensors of a network as one mapping, and whether they fit the architecture they are meant for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from ..errors import WeightsError

State = dict[str, npt.NDArray[np.float32]]
"""Canonical tensor name → values. The names are the architecture's (`tensor_shapes`)."""

Shapes = dict[str, tuple[int, ...]]
"""Canonical tensor name → shape."""

_NAMED = 5  # tensors named in a message, of each kind


def classes_of(state: Mapping[str, npt.NDArray[np.float32]], head: str, where: object) -> int:
    """Number of classes that a network was trained for: the length of the bias of its last layer.

    - `state`: tensor name → values.
    - `head`: name of the bias.
    - `where`: the file, for the error.

    Raises WeightsError if there is no such tensor.
    """
    if head not in state:
        raise WeightsError(
            f"has no tensor {head}",
            where=where,
            found=_first(list(state)),
            remedy="Is this a file of the network that is named?",
        )
    return int(state[head].shape[0])


def check_state(state: Mapping[str, npt.NDArray[np.float32]], shapes: Shapes, where: object) -> None:
    """Raise WeightsError, listing them, if tensors are missing, extra, or of another shape.

    - `state`: tensor name → values.
    - `shapes`: tensor name → the shape that the architecture needs.
    - `where`: the file, for the error.
    """
    missing = [name for name in shapes if name not in state]
    extra = [name for name in state if name not in shapes]
    misshapen = [
        f"{name} {tuple(state[name].shape)} for {shape}"
        for name, shape in shapes.items()
        if name in state and tuple(state[name].shape) != shape
    ]
    wrong = {"missing": missing, "extra": extra, "misshapen": misshapen}
    if any(wrong.values()):
        found = "; ".join(f"{len(names)} {kind}: {_first(names)}" for kind, names in wrong.items() if names)
        raise WeightsError(
            "tensors do not fit the network", where=where, expected=f"{len(shapes)} tensors", found=found
        )


def _first(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")

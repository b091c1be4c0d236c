"""The tensors of a network as one mapping, and whether they fit the architecture they are meant for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from ..errors import WeightsError
from .labels import labels
from .random_state import random_state
from .spec import Weights

State = dict[str, npt.NDArray[np.float32]]
"""Canonical tensor name → values. The names are the architecture's (`tensor_shapes`)."""

Shapes = dict[str, tuple[int, ...]]
"""Canonical tensor name → shape."""

_NAMED = 5  # tensors named in a message, of each kind


def load_state(
    weights: Weights,
    shapes: Callable[[int], Shapes],
    *,
    head: str,
    gains: Mapping[str, float] | None = None,
) -> State:
    """The tensors of one stream: read from `weights.path`, or drawn where the kind is "random".

    - `shapes`: number of classes → what the architecture needs.
    - `head`: name of the bias whose length is the number of classes.
    - `gains`: see `random_state`.

    Raises WeightsError if tensors are missing, extra or misshapen, or if the number of classes is not
    that of the labels.
    """
    names = labels(weights.description.labels)
    if weights.kind == "random":
        return random_state(shapes(len(names)), weights.seed, gains or {})
    if weights.path is None:
        raise WeightsError(
            f"{weights.kind} weights '{weights.description.name}' without a file",
            remedy="`bench weights fetch` gets published weights; `--weights random` serves for timing.",
        )
    from .weights.readers import read_state

    state = read_state(weights.path, weights.description.format, weights.description.stream)
    classes = classes_of(state, head, where=weights.path)
    check_state(state, shapes(classes), where=weights.path)
    if classes != len(names):
        raise WeightsError(
            "number of classes differs from the list of labels",
            where=weights.path,
            expected=f"{len(names)} classes ({_labels_in_words(weights.description.labels)})",
            found=f"{classes} classes in {head}",
            remedy="Name the list of labels that these weights were trained with.",
        )
    return state


def classes_of(state: Mapping[str, npt.NDArray[np.float32]], head: str, where: object) -> int:
    """Number of classes that `state` was trained for: the length of the bias `head`."""
    if head not in state:
        raise WeightsError(
            f"has no tensor {head}",
            where=where,
            found=_first(list(state)),
            remedy="Is this a file of the network that is named?",
        )
    return int(state[head].shape[0])


def check_state(state: Mapping[str, npt.NDArray[np.float32]], shapes: Shapes, where: object) -> None:
    """Raise WeightsError, listing them, if tensors are missing, extra, or of another shape."""
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


def _labels_in_words(source: str | tuple[str, ...]) -> str:
    return source if isinstance(source, str) else "the labels given"

"""Loads the tensors of weights and checks that they fit their architecture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from ..errors import WeightsError
from .labels import label_lists, labels
from .parity import with_mantissa
from .random_state import random_state
from .spec import Weights
from .state import Shapes, State, check_state, classes_of
from .weights.formats.readers import read_state
from .weights.sidecar import sidecar_path


def load_state(
    weights: Weights,
    shapes: Callable[[int], Shapes],
    *,
    head: str,
    gains: Mapping[str, float],
) -> State:
    """One stream's tensors, read from the weights' file, or random numbers where their kind is "random".

    - `weights`: of the stream; tensors are rounded where it has a `mantissa`.
    - `shapes`: number of classes → the shapes that the architecture needs.
    - `head`: name of the bias whose length is the number of classes.
    - `gains`: see `random_state`.

    Raises WeightsError if tensors are missing, extra or misshapen, or if the number of classes is not that of
    the labels.
    """
    state = _read(weights, shapes, head, gains)
    if (bits := weights.mantissa) is not None:
        state = {name: with_mantissa(tensor, bits) for name, tensor in state.items()}
    return state


def _read(weights: Weights, shapes: Callable[[int], Shapes], head: str, gains: Mapping[str, float]) -> State:
    names = labels(weights.description.labels)
    if weights.kind == "random":
        return random_state(shapes(len(names)), weights.seed, gains)
    if weights.path is None:
        raise WeightsError(
            f"{weights.kind} weights '{weights.description.name}' without a file",
            remedy="`bench weights fetch` gets published weights; `--weights random` serves for timing.",
        )
    state = read_state(weights.path, weights.description.format, weights.description.stream)
    classes = classes_of(state, head, where=weights.path)
    check_state(state, shapes(classes), where=weights.path)
    if classes != len(names):
        raise WeightsError(
            "number of classes differs from the list of labels",
            where=weights.path,
            expected=f"{len(names)} classes ({_labels_in_words(weights.description.labels)})",
            found=f"{classes} classes in {head}",
            remedy=_labels_remedy(classes, weights.path),
        )
    return state


def _labels_remedy(classes: int, path: Path) -> str:
    """What to write, and where, so that weights with this number of classes get the names of theirs."""
    fitting = [f"`labels: {name}`" for name in label_lists() if len(labels(name)) == classes]
    what = " or ".join([*fitting, f"`labels: FILE.txt`, a text file with {classes} names, one a line"])
    return f"Write the classes that these weights were trained on into {sidecar_path(path)}: {what}"


def _labels_in_words(source: str | tuple[str, ...]) -> str:
    return source if isinstance(source, str) else "the labels given"

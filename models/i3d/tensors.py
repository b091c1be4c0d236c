"""I3D's tensors, out of the weights that a run uses."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from ..loading import load_state
from ..spec import Weights
from ..state import State
from . import architecture as i3d


def stream_state(stream: str, weights: Weights) -> State:
    """The tensors of one stream (`i3d.tensor_shapes`). Raises as `load_state` does."""
    shapes = partial(i3d.tensor_shapes, i3d.CHANNELS[stream])
    return load_state(weights, shapes, head=f"{i3d.HEAD}/conv_3d/b", gains={})


def stream_states(weights: Mapping[str, Weights]) -> dict[str, State]:
    """The tensors of each stream in `weights`."""
    return {stream: stream_state(stream, each) for stream, each in weights.items()}

"""The networks that can be named on the command line, and how a name becomes a loaded network.

Nothing here imports a framework before `load_network` does.
"""

from .loading import load_network, require, require_packages
from .names import (
    DEFAULT_MODELS,
    DEFAULT_TRAINED,
    MODEL_IN_WORDS,
    MODELS,
    SETS,
    SETS_IN_WORDS,
    model_names,
    set_members,
)
from .request import ModelRequest, absolute_model, find_model, keep_importable

__all__ = [
    "DEFAULT_MODELS",
    "DEFAULT_TRAINED",
    "MODELS",
    "MODEL_IN_WORDS",
    "SETS",
    "SETS_IN_WORDS",
    "ModelRequest",
    "absolute_model",
    "find_model",
    "keep_importable",
    "load_network",
    "model_names",
    "require",
    "require_packages",
    "set_members",
]

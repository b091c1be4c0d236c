"""The networks and the sets of networks that the command line names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...errors import unknown_name
from ...registry import Registry
from ..families.registry import FAMILIES

MODELS = {
    "i3d": "actionbench.models.i3d.architecture:two_stream",
    "i3d-rgb": "actionbench.models.i3d.architecture:rgb",
    "i3d-flow": "actionbench.models.i3d.architecture:flow",
    "resnext": "actionbench.models.resnext.architecture:resnext",
    "resnext-64f": "actionbench.models.resnext.architecture:resnext_64f",
    "resnet18": "actionbench.models.resnet.architecture:resnet18",
}
"""Name → "module:attribute" of a function without arguments that returns a `Model`."""

SETS: Mapping[str, tuple[str, ...]] = {
    "realtime": (
        "resnet18",
        "resnext",
        "i3d-rgb",
        "tv:mc3_18",
        "tv:r2plus1d_18",
        "tv:s3d",
        "tv:mvit_v2_s",
        "tv:swin3d_t",
    ),
}
"""Name ("realtime" of "@realtime") → the models that it stands for; docs/models.md says why each is in it."""

MODEL_IN_WORDS = (
    f"{', '.join(MODELS)}, another name that `bench models` lists, "
    f"{', '.join(f'`{form}`' for family in FAMILIES.values() for form in family.forms)}, "
    "`FILE.py:FACTORY`, or a folder of `bench finetune`; `:K=32` may follow a name (windows of 32 frames), "
    "and `@BACKEND:PRECISION:VARIANT`"
)
"""How one model is named, in every command that takes one (`find_model`)."""

SETS_IN_WORDS = f"a set, {', '.join(f'`@{name}`' for name in SETS)}, stands for several"
"""What else a command takes that compares models (`set_members`)."""

DEFAULT_MODELS = ("i3d", "resnext")
"""Models that are run if none is named; the first has several backends, which `bench parity` compares."""

DEFAULT_TRAINED = "i3d-rgb"
"""What is trained where no model is named: the one whose trained weights anyone can fetch."""

_REGISTRY = Registry("model", "actionbench.models", MODELS)


def model_names() -> dict[str, str]:
    """Name → "module:attribute" of all models: ours and those of installed packages."""
    return _REGISTRY.references()


def model_function(name: str) -> Callable[..., Any]:
    """The function that makes the `Model` of a name. Raises as `Registry.load` does."""
    return _REGISTRY.load(name)


def set_members(request: str) -> tuple[str, ...] | None:
    """The models that a request such as "@realtime" stands for (`SETS`); None if it names no set.

    Raises UsageError for a set that is unknown.
    """
    if not request.startswith("@"):
        return None
    if (name := request[1:]) not in SETS:
        raise unknown_name("set of models", name, SETS)
    return SETS[name]

"""Families: networks that are named by a prefix, `family:name`. Nothing here imports a framework."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from ...registry import LOAD_REMEDY, load


@dataclass(frozen=True, slots=True)
class Family:
    """Networks that are named by a prefix.

    - `forms`: how one is named on the command line, with capitals for what is to be filled in.
    - `reference`: "module:attribute" of a function that takes the name behind the colon, without
      `@backend:precision:variant`, and returns a `Model`; UsageError if the name is unknown.

    The function's module, which imports no framework, may have `NAMES`, a tuple of the names that it knows,
    and `PACKAGES`, what all its networks declare as `Model.packages`.
    """

    forms: tuple[str, ...]
    reference: str

    @property
    def module(self) -> ModuleType:
        """That of the function; this imports it."""
        return importlib.import_module(self.reference.partition(":")[0])


FAMILIES: Mapping[str, Family] = {
    "hf": Family(
        ("hf:OWNER/NAME[@REVISION]", "hf:FOLDER"), "actionbench.models.families.hugging_face.model:model"
    ),
    "onnx": Family(("onnx:FILE",), "actionbench.models.families.onnx_file.model:model"),
    "tv": Family(("tv:NAME",), "actionbench.models.families.torchvision_video.model:model"),
}
"""Prefix ("tv" of "tv:r3d_18") → the family."""


def family_of(request: str) -> str | None:
    """The family that a request names a network of (`FAMILIES`), None if it names none."""
    family = request.partition(":")[0]
    return family if family in FAMILIES else None


def family_function(family: str) -> Callable[..., Any]:
    """The function that makes the `Model` of a family's network from its name.

    - `family`: a key of `FAMILIES`.

    Raises BackendUnavailable if it cannot be imported.
    """
    return load(FAMILIES[family].reference, f"the networks of '{family}:'", LOAD_REMEDY)


def family_names(family: str) -> tuple[str, ...]:
    """The networks of a family, as they are named on the command line; empty if they are no fixed list.

    - `family`: a key of `FAMILIES`.
    """
    names = getattr(FAMILIES[family].module, "NAMES", ())
    return tuple(f"{family}:{name}" for name in names)


def family_packages(family: str) -> Mapping[str, str]:
    """The packages that all networks of a family need, as `Model.packages` has them.

    - `family`: a key of `FAMILIES`.
    """
    packages: Mapping[str, str] = getattr(FAMILIES[family].module, "PACKAGES", {})
    return packages

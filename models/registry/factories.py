"""Makes a `Model`: that of a name, of a family's network, of a user's folder or of a user's file."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from ...errors import ActionBenchError, UsageError, unknown_name
from ..families.registry import family_function
from ..finetuning.finetuned import BASELINE, finetuned_model, is_finetuned, named_base
from ..network_files import execute, neighbours_importable
from ..spec import Model
from .names import model_function


def named_model(name: str) -> Model:
    """The model called `name`, ours or that of an installed package.

    Raises UsageError if there is none or its function fails, BackendUnavailable if it cannot be imported.
    """
    return _checked(call(model_function(name), f"model '{name}'"), name)


def family_model(family: str, name: str) -> Model:
    """The network `name` of a family.

    - `family`: a key of `FAMILIES`.

    Raises UsageError if there is none, and what the family raises for a file or folder that it refuses.
    """
    return _checked(call(partial(family_function(family), name), f"{family}:{name}"), f"{family}:{name}")


def model_in_folder(folder: Path) -> Model:
    """The network that `bench finetune` trained into a folder. Raises UsageError if it holds none."""
    if (folder / BASELINE).is_file():
        raise UsageError(
            "holds the predictions of a baseline, which is no network and cannot be run",
            where=folder,
            remedy="Name the folder of a training: `bench finetune` without --baseline.",
        )
    if not is_finetuned(folder):
        raise UsageError(
            "this folder holds no network",
            where=folder,
            expected="a result of `bench finetune`, or the name of a network",
        )
    base = named_base(folder)
    try:
        found = named_model(base)
    except ActionBenchError as error:
        raise UsageError(
            f"was trained from a network that cannot be had: {base}", where=folder, found=error
        ) from error
    return finetuned_model(folder, found)


def model_in_file(path: Path, factory: str | None) -> Model:
    """The model that a function of a user's Python file returns.

    - `factory`: name of the function, which takes no arguments.

    Raises UsageError if there is no such file or function, and for whatever either raises.
    """
    if not path.is_file():
        raise UsageError("there is no such file", where=path)
    if not factory:
        raise UsageError("names no factory", where=path, remedy=f"Write {path}:FUNCTION.")
    with neighbours_importable(path):
        module = call(partial(execute, path), path)
        if not callable(getattr(module, factory, None)):
            raise unknown_name(f"factory in {path}", factory, _factories(module))
        return _checked(call(getattr(module, factory), path), f"{path}:{factory}")


def _factories(module: ModuleType) -> list[str]:
    """Names of a module's own functions that can be called without an argument, as a factory is."""
    own = [
        (name, value)
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__ and not name.startswith("_")
    ]
    return [
        name
        for name, value in own
        if all(
            p.default is not p.empty or p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
            for p in inspect.signature(value).parameters.values()
        )
    ]


def call(function: Callable[[], Any], where: object) -> Any:
    """Run code that may be a user's: whatever it raises becomes a UsageError that names `where`."""
    try:
        return function()
    except ActionBenchError:
        raise
    except Exception as error:
        raise UsageError(f"fails with {type(error).__name__}: {error}", where=where) from error


def _checked(model: object, where: str) -> Model:
    if not isinstance(model, Model):
        raise UsageError(
            "factory gave no model",
            where=where,
            expected="actionbench.models.spec.Model",
            found=type(model).__name__,
        )
    if not model.backends or not model.streams:
        raise UsageError("the model has no backend or no stream", where=where)
    return model

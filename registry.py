"""Functions by name: ours, and those that installed packages add by entry points."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from .errors import BackendUnavailable, UsageError, unknown_name


@dataclass(frozen=True, slots=True)
class Registry:
    """Functions by the names that a user writes; a module is imported when its function is loaded.

    - `kind`: what is named, for messages: "flow method".
    - `group`: of the entry points by which other packages add names.
    - `ours`: name → "module:attribute".
    - `remedy`: what to do if a function cannot be loaded, for messages.
    """

    kind: str
    group: str
    ours: Mapping[str, str]
    remedy: str = "Repair the package that provides it, or uninstall it"

    def references(self) -> dict[str, str]:
        """Name → "module:attribute" of all functions.

        Raises UsageError if a package adds a name that is in use: a name must mean one function.
        """
        references = dict(self.ours)
        for point in added(self.group):
            if references.setdefault(point.name, point.value) != point.value:
                raise UsageError(
                    f"the {self.kind} '{point.name}' is provided twice",
                    where=f"entry points '{self.group}'",
                    found=f"{references[point.name]} and {point.value}",
                    remedy="Rename one of them, or uninstall its package",
                )
        return references

    def load(self, name: str) -> Callable[..., Any]:
        """The function called `name`.

        Raises UsageError if there is none or more than one, BackendUnavailable if it cannot be imported.
        """
        references = self.references()
        if name not in references:
            raise unknown_name(self.kind, name, references)
        return load(references[name], f"the {self.kind} '{name}'", self.remedy)


@cache
def added(group: str) -> tuple[EntryPoint, ...]:
    """The entry points of a group. They are read once: it takes as long as there are packages."""
    return tuple(entry_points(group=group))


LOAD_REMEDY = "Install what it needs, or repair it"
"""Remedy for a function of a network that cannot be loaded."""


def load(reference: str | Callable[..., Any], what: str, remedy: str) -> Callable[..., Any]:
    """The function of a reference.

    - `reference`: "module:attribute", or the function itself.
    - `what`: what it is, for the message.
    - `remedy`: what to do if it cannot be loaded, for the message.

    Raises BackendUnavailable, whatever its import raises: it may be in another package.
    """
    if callable(reference):
        return reference
    try:
        function = EntryPoint(name="", value=reference, group="").load()
        if not callable(function):
            raise TypeError(f"{function!r} is not a function")
    except Exception as error:
        raise BackendUnavailable(
            f"{what} cannot be loaded",
            where=reference,
            found=f"{type(error).__name__}: {error}",
            remedy=remedy,
        ) from error
    named: Callable[..., Any] = function
    return named

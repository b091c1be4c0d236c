"""A data set composed from several sources, and its examples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..clip import Clip
from ..sources.split_lists import Side


@dataclass(frozen=True, slots=True)
class Example:
    """A clip of a composed set.

    - `clip`: its `label` is one of the set's labels, or None if it is not known.
    - `source`: name of its source in the recipe.
    - `group`: "SOURCE/NAME" of the film, subject or event; never on two sides of a split.
    - `original_label`: the class as the source has it; empty if it has none.
    - `official`: side of the split that the source publishes; None if it lists the clip on none.
    """

    clip: Clip
    source: str
    group: str
    original_label: str
    official: Side | None


@dataclass(frozen=True, slots=True)
class ComposedSet:
    """Examples in a fixed order.

    - `labels`: in the recipe's order, which is that of a network's classes.
    - `licences`: source → licence.
    - `recipe_sha256`: of the recipe's text; None if the set was not made from a recipe.
    """

    name: str
    labels: tuple[str, ...]
    examples: tuple[Example, ...]
    licences: Mapping[str, str]
    recipe_sha256: str | None = None

"""What a composed set is made of and what was measured of it: from the command that composes to reports."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Member:
    """A clip of the set.

    - `official`: "train", "validation" or "test" in its source's own list; None if that has it on no side.
    - `parts`: "train", "validation" or "test" in each of the splits; None where it is left out.
    """

    label: str
    source: str
    group: str
    official: str | None
    parts: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Shortcut:
    """How well something other than the action predicts the class.

    - `feature`: the only input of the prediction: "source", "length" or "brightness".
    - `truth`, `predicted`: label of each clip, predicted by a classifier that was fitted on other groups.
    - `groups`: of each clip. `labels`: all there are.
    """

    feature: str
    labels: tuple[str, ...]
    truth: tuple[str, ...]
    predicted: tuple[str, ...]
    groups: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Two clips with the same content.

    - `first`, `second`: their ids. `same_bytes`: whether their bytes are equal, or only their pictures.
    - `in_two_groups`: whether their groups differ.
    """

    first: str
    second: str
    same_bytes: bool
    in_two_groups: bool


@dataclass(frozen=True, slots=True)
class Composition:
    """- `splits`: names, in the order of `Member.parts`.
    - `shortcuts`: those that were measured: by "source" if there are several, by "length" and "brightness" if
      the clips were decoded; none with fewer than two groups.
    - `pictures_compared`: whether `duplicates` holds those with other bytes too.
    - `notes`: what was left out, and how the splits differ from what was asked for.
    """

    name: str
    labels: tuple[str, ...]
    splits: tuple[str, ...]
    members: tuple[Member, ...]
    shortcuts: tuple[Shortcut, ...]
    duplicates: tuple[Duplicate, ...]
    pictures_compared: bool
    notes: tuple[str, ...]

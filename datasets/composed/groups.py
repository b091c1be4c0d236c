"""Which clips belong together: those of one film, one subject, one event are never divided by a split."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from ...errors import ClipError, UsageError, did_you_mean
from ..sources.csv_rows import csv_rows
from ..sources.hmdb51 import parse_name
from .readers import Listed
from .recipe import GroupRule


def group_names(rule: GroupRule, listed: Sequence[Listed], where: str, base: Path) -> list[str]:
    """The group of each clip of a source.

    - `where`: what errors name. `base`: folder that the rule's file is relative to.

    Raises UsageError if the rule gives a clip no group: a clip whose group is not known could be trained on
    and tested.
    """
    if rule.kind == "pattern":
        names = _by_pattern(rule.argument, listed, where)
    elif rule.kind == "csv":
        by_file = read_groups(base / rule.argument)
        names = [by_file.get(_absolute(each.clip.path)) for each in listed]
    elif rule.kind == "column":
        names = [each.columns.get(rule.argument) for each in listed]
        if not any(names):
            there = sorted({name for each in listed for name in each.columns})
            raise UsageError(
                f"no clip has the column '{rule.argument}' to group by",
                where=where,
                found=", ".join(there) or "a source without columns",
                remedy=did_you_mean(rule.argument, there).strip() or None,
            )
    else:
        names = [_NAMED[rule.kind](each.place) for each in listed]
    without = [each.place for each, name in zip(listed, names, strict=True) if not name]
    if without:
        raise UsageError(
            f"`groups` gives no group to {len(without)} of {len(listed)} clips",
            where=where,
            expected=f"{rule.kind} {rule.argument}".strip(),
            found=f"e.g. {without[0]}",
            remedy="Widen the rule, or leave such files out with `exclude`",
        )
    return [str(name) for name in names]


def _film(place: str) -> str | None:
    name = parse_name(PurePosixPath(place).stem)
    return None if name is None else name.whole_film


def _folder(place: str) -> str | None:
    return PurePosixPath(place).parent.as_posix()


def _video(place: str) -> str | None:
    return place


_NAMED = {"film": _film, "folder": _folder, "video": _video}


def _by_pattern(pattern: str, listed: Sequence[Listed], where: str) -> list[str | None]:
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise UsageError(
            "`groups` is no regular expression", where=where, found=f"{pattern}: {error}"
        ) from None
    if "group" not in expression.groupindex:
        raise UsageError(
            "`groups` names no part of the path",
            where=where,
            expected="a named group, e.g. (?P<group>fall-[0-9]+)",
            found=pattern,
        )
    matches = [expression.search(each.place) for each in listed]
    return [None if match is None else match["group"] for match in matches]


def read_groups(path: Path) -> dict[str, str]:
    """File → group, from a CSV with the columns `path`, relative to it, and `group`. Raises ClipError."""
    groups: dict[str, str] = {}
    _, rows = csv_rows(path, ("path", "group"), "list of groups")
    for line, row in rows:
        place, group = row["path"].strip(), row["group"].strip()
        file = _absolute(path.parent / place)
        if place and group and groups.setdefault(file, group) != group:
            raise ClipError(
                "two groups for one file", where=f"{path}:{line}", found=f"{groups[file]} and {group}"
            )
    return groups


def _absolute(path: Path) -> str:
    """The path without links to be followed: a list names files as they lie there."""
    return os.path.abspath(path)  # noqa: PTH100 - Path.absolute keeps ".."

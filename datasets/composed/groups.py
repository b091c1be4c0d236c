"""Which clips belong together: those of one film, one subject, one event are never divided by a split."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ...errors import ClipError, UsageError, did_you_mean
from ..clip import Clip
from ..sources.hmdb51 import parse_name

NAMED = ("film", "folder", "video")
PARAMETRISED = ("pattern", "csv", "column")


@dataclass(frozen=True, slots=True)
class GroupRule:
    """How a source's clips group, as a recipe says it.

    - `kind`: "film" (of HMDB51's file names, whichever part of it), "folder" (the one a file lies in),
      "video" (the file: clips that are cut from it stay together);
      "pattern" (a regular expression, searched in the path within the source, whose group `group` is the
      name), "csv" (a file with the columns `path` and `group`, paths relative to it), "column" (of the list
      that the clips come from).
    - `argument`: the expression, the file or the column.
    """

    kind: str
    argument: str = ""


def parse_rule(value: Any) -> GroupRule:
    """The rule that a recipe's plain value describes. Raises ValueError for what is none."""
    if isinstance(value, str) and value in NAMED:
        return GroupRule(value)
    if not isinstance(value, Mapping) or len(value) != 1:
        raise ValueError
    kind, argument = next(iter(value.items()))
    if kind not in PARAMETRISED or not isinstance(argument, str):
        raise ValueError
    return GroupRule(kind, argument)


def group_names(
    rule: GroupRule, clips: Sequence[Clip], columns: Sequence[Mapping[str, str]], where: str, base: Path
) -> list[str]:
    """The group of each clip.

    - `columns`: of each clip the line of the list it comes from; empty where it comes from none.
    - `where`: what errors name. `base`: folder that the rule's file is relative to.

    Raises UsageError if the rule gives a clip no group: a clip whose group is not known could be trained on
    and tested.
    """
    if rule.kind == "pattern":
        names = _by_pattern(rule.argument, clips, where)
    elif rule.kind == "csv":
        by_file = _read_csv(base / rule.argument)
        names = [by_file.get(_place(clip.path)) for clip in clips]
    elif rule.kind == "column":
        names = [row.get(rule.argument) for row in columns]
        if not any(names):
            there = sorted({name for row in columns for name in row})
            raise UsageError(
                f"no clip has the column '{rule.argument}' to group by",
                where=where,
                found=", ".join(there) or "a source without columns",
                remedy=did_you_mean(rule.argument, there).strip() or None,
            )
    else:
        names = [_NAMED[rule.kind](clip) for clip in clips]
    without = [clip for clip, name in zip(clips, names, strict=True) if not name]
    if without:
        raise UsageError(
            f"`groups` gives no group to {len(without)} of {len(clips)} clips",
            where=where,
            expected=f"{rule.kind} {rule.argument}".strip(),
            found=f"e.g. {without[0].id}",
            remedy="Widen the rule, or leave such files out with `exclude`",
        )
    return [str(name) for name in names]


def _film(clip: Clip) -> str | None:
    name = parse_name(clip.path.stem)
    return None if name is None else name.whole_film


def _folder(clip: Clip) -> str | None:
    return PurePosixPath(clip.id).parent.as_posix()


def _video(clip: Clip) -> str | None:
    return clip.id.partition("#")[0]


_NAMED = {"film": _film, "folder": _folder, "video": _video}


def _by_pattern(pattern: str, clips: Sequence[Clip], where: str) -> list[str | None]:
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
    matches = [expression.search(clip.id) for clip in clips]
    return [None if match is None else match["group"] for match in matches]


def _read_csv(path: Path) -> dict[str, str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ClipError(f"the list of groups cannot be read: {error.strerror}", where=path) from None
    except UnicodeDecodeError:
        raise ClipError("not a text file", where=path, expected="CSV in UTF-8") from None
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    groups: dict[str, str] = {}
    try:
        if not {"path", "group"} <= set(reader.fieldnames or ()):
            raise ClipError(
                "not a list of groups",
                where=f"{path}:1",
                expected="columns path and group",
                found=",".join(reader.fieldnames or ()) or "an empty file",
            )
        for row in reader:
            place, group = (row["path"] or "").strip(), (row["group"] or "").strip()
            file = _place(path.parent / place)
            if place and group and groups.setdefault(file, group) != group:
                raise ClipError(
                    "two groups for one file",
                    where=f"{path}:{reader.line_num}",
                    found=f"{groups[file]} and {group}",
                )
    except csv.Error as error:
        raise ClipError("not CSV", where=f"{path}:{reader.line_num}", found=error) from None
    return groups


def _place(path: Path) -> str:
    """The path without links to be followed: a list names files as they lie there."""
    return os.path.abspath(path)  # noqa: PTH100 - Path.absolute keeps ".."

"""The recipe: a YAML file that describes a composed set."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import UsageError, did_you_mean
from ...parsing import parse_yaml
from ...settings import NAMES, PAIRS, TEXT, Kind, from_mapping, setting
from ..sources.split_lists import SIDES

SEGMENTS = ("segments", "omnifall")
NEED_LISTS = ("kinetics", *SEGMENTS)
"""Kinds of sources whose clips are those of a list."""

OWN_SPLITS = ("hmdb51", "kinetics", "manifest")
"""Kinds of sources whose list, or manifest, has the official side of a clip already."""

DROP = "drop"
"""In place of a label: such clips are left out."""

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
    """The rule that a plain value of the recipe describes. Raises ValueError for any other value."""
    if isinstance(value, str) and value in NAMED:
        return GroupRule(value)
    if not isinstance(value, Mapping) or len(value) != 1:
        raise ValueError
    kind, argument = next(iter(value.items()))
    if kind not in PARAMETRISED or not isinstance(argument, str):
        raise ValueError
    return GroupRule(kind, argument)


_RULE = Kind(
    "rule",
    f"{', '.join(NAMED)}, or one of {', '.join(f'{{{kind}: …}}' for kind in PARAMETRISED)}",
    str,
    None,
    parse_rule,
)


@dataclass(frozen=True, slots=True)
class SourceRecipe:
    """One source of the recipe, with unparsed values; what has a default is optional."""

    kind: str = setting(
        TEXT,
        "how it is read: `folder`, `hmdb51`, `kinetics`, `segments`, `omnifall`, `manifest`, or a source "
        "that a package adds",
        "folder",
    )
    path: str | None = setting(
        TEXT, "folder of the videos, or the manifest; relative to the recipe; always needed", None
    )
    list: str | None = setting(
        TEXT,
        "the list: a Kinetics CSV, a CSV of segments, or a folder of HMDB51's split lists "
        "(`FOLDER/*_test_split2.txt` for another split than the first)",
        None,
    )
    lists: Mapping[str, str] | None = setting(
        PAIRS,
        "split lists, of kinds whose `list` says nothing of sides: `{train: FILE, validation: FILE, test: "
        "FILE}`, or some of them",
        None,
    )
    licence: str | None = setting(TEXT, "of the videos, as you would cite it; always needed", None)
    classes: Mapping[str, str] | None = setting(
        PAIRS,
        "their class: our label, or `drop`; by default a class that is called like a label has that label",
        None,
    )
    groups: GroupRule | None = setting(  # noqa: RUF009
        _RULE,
        "what belongs together: `film` (of HMDB51's names), `folder`, `video`, "
        "`{pattern: (?P<group>…)}` searched in the file's path, `{csv: FILE}` with the columns path and "
        "group, `{column: NAME}` of a list; always needed",
        None,
    )
    include: tuple[str, ...] = setting(
        NAMES, "only files that fit one of these, e.g. `hmdb51_*`; with a `/`, of the path in the folder", ()
    )
    exclude: tuple[str, ...] = setting(NAMES, "no files that fit one of these", ())
    also_shows: Mapping[str, str] | None = setting(
        PAIRS,
        "their class: our labels that it also shows, e.g. `{walk: [running]}`; such a class is refused",
        None,
    )
    columns: Mapping[str, str] | None = setting(
        PAIRS, "of a list of segments: `path`, `label`, `start` or `end`: what its column is called", None
    )


@dataclass(frozen=True, slots=True)
class Recipe:
    """A checked recipe.

    - `labels`: the set's, in their order. `other`: the label of classes that a source maps to nothing; None:
      they are left out.
    - `sources`: name → source, in their order. `folder`: that paths are relative to.
    - `sha256`: of the file.
    """

    path: Path
    labels: tuple[str, ...]
    other: str | None
    sources: Mapping[str, SourceRecipe]
    sha256: str

    @property
    def folder(self) -> Path:
        return self.path.parent

    def where(self, source: str) -> str:
        """What an error about a source names."""
        return f"{self.path}, source '{source}'"


def read_recipe(path: Path) -> Recipe:
    """Read and check a recipe. Raises UsageError that names the file, the source and the key."""
    content = _load(path)
    _only_known(content, ("labels", "other", "sources"), str(path))
    labels = _labels(content.get("labels"), path)
    other = content.get("other", DROP)
    if other not in (*labels, DROP):
        raise UsageError(
            "`other` is none of the labels", where=path, expected=f"{', '.join(labels)}, {DROP}", found=other
        )
    raw = content.get("sources")
    if not isinstance(raw, dict) or not raw:
        raise UsageError("`sources` is missing", where=path, expected="`name:` and its keys, for each source")
    sources = {}
    for name, values in raw.items():
        sources[str(name)] = _source(path, str(name), values, labels)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Recipe(path, labels, None if other == DROP else other, sources, digest)


def _load(path: Path) -> dict[str, Any]:
    try:
        content = parse_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"the recipe cannot be read: {error.strerror}", where=path) from None
    except ValueError as error:
        raise UsageError("is not YAML that can be read", where=path, found=error) from None
    if not isinstance(content, dict):
        raise UsageError("is no recipe", where=path, expected="the keys labels and sources")
    return content


def _only_known(values: Mapping[Any, Any], known: tuple[str, ...], where: str) -> None:
    for key in values:
        if key not in known:
            raise UsageError(
                f"unknown key '{key}'",
                where=where,
                remedy=f"{did_you_mean(str(key), known)}Known: {', '.join(known)}",
            )


def _labels(value: Any, path: Path) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) < 2 or not all(isinstance(item, str) for item in value):
        raise UsageError(
            "`labels` are missing", where=path, expected="a list of at least two names", found=repr(value)
        )
    if len(set(value)) < len(value) or DROP in value or "" in value:
        raise UsageError("`labels` are not different names", where=path, found=", ".join(value))
    return tuple(value)


def _source(path: Path, name: str, values: Any, labels: tuple[str, ...]) -> SourceRecipe:
    where = f"{path}, source '{name}'"
    if not isinstance(values, dict):
        raise UsageError("has no keys", where=where, expected="path, licence, groups, …", found=repr(values))
    source = from_mapping(SourceRecipe, {str(key): value for key, value in values.items()}, where)
    if "/" in name:
        raise UsageError("a source's name holds no '/'", where=where)
    for key in ("path", "licence", "groups"):
        if getattr(source, key) is None:
            raise UsageError(f"`{key}` is missing", where=where)
    if source.kind in NEED_LISTS and source.list is None:
        raise UsageError(f"`list` is missing, which the kind {source.kind} needs", where=where)
    if source.kind not in (*NEED_LISTS, "hmdb51") and source.list is not None:
        raise UsageError(f"`list` does not apply to kind {source.kind}", where=where, found=source.list)
    if source.kind not in SEGMENTS and source.columns is not None:
        raise UsageError(f"`columns` does not apply to kind {source.kind}", where=where)
    if source.kind in OWN_SPLITS and source.lists is not None:
        raise UsageError(f"`lists` does not apply to kind {source.kind}", where=where)
    _only_known(source.lists or {}, SIDES, f"{where}, `lists`")
    for theirs, ours in (source.classes or {}).items():
        if ours not in (*labels, DROP):
            raise UsageError(
                f"`classes` maps '{theirs}' to what is no label",
                where=where,
                expected=f"{', '.join(labels)}, {DROP}",
                found=ours,
                remedy=did_you_mean(ours, labels).strip() or None,
            )
    return source

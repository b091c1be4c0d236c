"""A composed set as a manifest, and beside it a small YAML file with what belongs to the whole set.

The manifest has the columns of `datasets.sources.manifest`, so that it can be used as any other, and
`source`, `group`, `original_label` and `official`. The file beside it, `NAME.set.yaml` of `NAME.csv`, holds
the labels in their order, the licence of each source, and the sha256 of the recipe.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...atomic import replacing
from ...errors import ClipError
from ...parsing import parse_yaml, to_yaml
from ..sources import manifest
from ..sources.split_lists import SIDES
from .example import ComposedSet, Example

COLUMNS = (*manifest.COLUMNS, "source", "group", "original_label", "official")


def description_of(path: Path) -> Path:
    """The file beside the manifest `path` that describes the whole set."""
    return path.with_suffix(".set.yaml")


def write_composed(path: Path, composed: ComposedSet) -> None:
    """Write the manifest, CSV or JSON Lines by suffix, and its description; digests not known are computed.

    Raises ClipError if a clip's file is not there, or a file cannot be written.
    """
    rows = [
        manifest.row_of_clip(path, example.clip)
        | {
            "source": example.source,
            "group": example.group,
            "original_label": example.original_label,
            "official": example.official,
        }
        for example in composed.examples
    ]
    description = {
        "labels": list(composed.labels),
        "licences": dict(composed.licences),
        "recipe_sha256": composed.recipe_sha256,
    }
    text = to_yaml(description)
    beside = description_of(path)
    try:
        with replacing(beside) as file:
            file.write(text.encode())
    except OSError as error:
        raise ClipError("cannot be written", where=beside, found=error) from error
    manifest.write_rows(path, COLUMNS, rows)


def read_composed(path: Path) -> ComposedSet:
    """The set that `write_composed` wrote.

    Raises ClipError, with file and line or key, for what is malformed, for a label that the description
    does not list, and if a clip's file is not there.
    """
    rows = list(manifest.manifest_rows(path))
    labels, licences, recipe = _description(description_of(path))
    examples: list[Example] = []
    lines: dict[str, int] = {}
    for line, row in rows:
        example = _example(path, line, row)
        manifest.refuse_repeated_id(path, line, example.clip.id, lines)
        where = f"{path}:{line}"
        if example.clip.label is not None and example.clip.label not in labels:
            raise ClipError(
                "label is not one of the set's",
                where=where,
                expected=", ".join(labels),
                found=example.clip.label,
                remedy=f"Labels and their order are those in {description_of(path).name}",
            )
        if example.source not in licences:
            raise ClipError("source is not one of the set's", where=where, found=example.source)
        examples.append(example)
    if not examples:
        raise ClipError("the manifest lists no clips", where=path)
    absent = [example.clip for example in examples if not example.clip.path.is_file()]
    if absent:
        raise ClipError(
            f"{len(absent)} of the {len(examples)} clips are not there",
            where=path,
            found=f"no file {absent[0].path}",
            remedy="Put the videos back in their place, or compose the set again",
        )
    return ComposedSet(path.stem, labels, tuple(examples), licences, recipe)


def _example(path: Path, line: int, row: Mapping[str, Any]) -> Example:
    where = f"{path}:{line}"
    clip = replace(manifest.clip_of_row(path, line, row), source="composed")
    source, group = (manifest.text_of_row(row, key, where) for key in ("source", "group"))
    if source is None or group is None:
        raise ClipError(
            "no source or no group",
            where=where,
            remedy="A composed set is written by `bench data compose`",
        )
    official = manifest.text_of_row(row, "official", where)
    side = next((side for side in SIDES if side == official), None)
    if official is not None and side is None:
        raise ClipError(
            "official is not a side", where=where, expected=f"{', '.join(SIDES)} or nothing", found=official
        )
    original = manifest.text_of_row(row, "original_label", where) or ""
    return Example(clip, source, group, original, side)


def _description(path: Path) -> tuple[tuple[str, ...], dict[str, str], str | None]:
    try:
        content = parse_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ClipError(
            f"cannot be read: {error.strerror}",
            where=path,
            remedy="It belongs to the manifest of a composed set; `bench data compose` writes both",
        ) from None
    except ValueError as error:
        raise ClipError("is not YAML that can be read", where=path, found=error) from None
    values = content if isinstance(content, dict) else {}
    labels, licences, recipe = (values.get(key) for key in ("labels", "licences", "recipe_sha256"))
    if (
        not isinstance(labels, list)
        or not all(isinstance(label, str) for label in labels)
        or not isinstance(licences, dict)
        or not all(isinstance(text, str) for pair in licences.items() for text in pair)
        or not isinstance(recipe, str | None)
    ):
        raise ClipError("does not describe a set", where=path, expected="labels, licences and recipe_sha256")
    return tuple(labels), licences, recipe

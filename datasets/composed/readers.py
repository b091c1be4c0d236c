"""Reading the sources of a recipe: clips with the class that the source gives them, and what it says more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

from ...errors import UsageError
from ..clip import Clip
from ..sources import hmdb51, kinetics, manifest, segments
from ..sources.registry import load_clips
from ..sources.split_lists import SIDES, Side, Sides, listed_paths, read_split_lists
from .recipe import SEGMENTS, SourceRecipe


@dataclass(frozen=True, slots=True)
class Listed:
    """A clip of a source: `clip.label` is the source's own class.

    - `place`: path of its file within the source, as the source names it.
    - `official`: side in the source's own split list. `columns`: of the line it comes from, if it does.
    """

    clip: Clip
    place: str
    official: Side | None = None
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a source holds.

    - `notes`: what could not be used, and how much. `in_split_lists`: whether sides were looked up in lists.
    """

    listed: tuple[Listed, ...]
    notes: tuple[str, ...] = ()
    in_split_lists: bool = False


def read_source(source: SourceRecipe, folder: Path, where: str) -> Reading:
    """The clips of a source that its `include` and `exclude` select, in the source's order.

    - `folder`: that the recipe's paths are relative to. `where`: what errors name.

    Raises ClipError or UsageError for what cannot be read, and if nothing is selected.
    """
    path = folder / str(source.path)
    listing = None if source.list is None else folder / source.list
    read = _READERS.get(source.kind)
    reading = _registered(source.kind, path) if read is None else read(source, path, listing)
    chosen = [each for each in reading.listed if _selected(each.place, source)]
    if not chosen:
        raise UsageError(
            "no clip is selected",
            where=where,
            expected=f"clips in {path}, include {', '.join(source.include) or '*'}",
            found=f"{len(reading.listed)} clips before selection",
        )
    sides = _split_lists(source, folder)
    if not sides:
        return Reading(tuple(chosen), reading.notes)
    listed, notes = _with_sides(chosen, sides, exactly=source.kind in SEGMENTS)
    return Reading(listed, (*reading.notes, *notes), in_split_lists=True)


def _selected(place: str, source: SourceRecipe) -> bool:
    included = not source.include or _fits(place, source.include)
    return included and not _fits(place, source.exclude)


def _fits(place: str, patterns: Iterable[str]) -> bool:
    """Whether a path fits one of the patterns, which are about its last part unless they hold a "/"."""
    name = PurePosixPath(place).name
    return any(fnmatchcase(place if "/" in pattern else name, pattern) for pattern in patterns)


def _split_lists(source: SourceRecipe, folder: Path) -> Sides:
    """Path of a video → its side, of a source whose split is in lists of paths."""
    if source.kind == "hmdb51" and source.list is not None:
        return hmdb51.read_split_lists(folder / source.list)
    lists = source.lists or {}
    return read_split_lists({side: folder / lists[side] for side in SIDES if side in lists})


def _with_sides(
    listed: Sequence[Listed], sides: Sides, *, exactly: bool
) -> tuple[tuple[Listed, ...], tuple[str, ...]]:
    """The clips with their sides; and notes on what only the folder, or only the lists have.

    - `exactly`: whether they have the lists' own paths; otherwise a file's name is enough.
    """
    places = [each.place for each in listed]
    paths = [place if place in sides else None for place in places]
    if not exactly:
        paths = listed_paths(places, sides)
    unlisted = [place for place, path in zip(places, paths, strict=True) if path is None]
    absent = sorted(set(sides) - set(paths))
    found = tuple(
        replace(each, official=None if path is None else sides[path])
        for each, path in zip(listed, paths, strict=True)
    )
    return found, (
        *_counted(len(unlisted), "clips that are in none of the split lists", unlisted),
        *_counted(len(absent), "videos of the split lists that are not among its clips", absent),
    )


def _read_kinetics(source: SourceRecipe, path: Path, listing: Path | None) -> Reading:  # noqa: ARG001
    found = kinetics.load_kinetics(str(listing), vocabulary=(), videos=path)
    splits = {note.name: note.split for note in kinetics.read_annotations(Path(str(listing)))}
    listed = [
        Listed(clip, clip.path.relative_to(path).as_posix(), _KINETICS_SIDES.get(splits[clip.id]))
        for clip in found
    ]
    return Reading(tuple(listed), _counted(len(found.missing), "annotated videos that are not there"))


_KINETICS_SIDES: Mapping[str, Side] = {
    "train": "train",
    "val": "test",
    "validate": "test",
    "validation": "test",
    "test": "test",
}
"""Results on Kinetics are published for the validation list: the test list's labels were long withheld."""


def _read_segments(source: SourceRecipe, path: Path, listing: Path | None) -> Reading:
    classes = segments.OMNIFALL_CLASSES if source.kind == "omnifall" else ()
    found = segments.read_segments(Path(str(listing)), path, source.columns, classes)
    notes = [
        *_counted(len(found.missing), "segments of videos that are not there"),
        *_counted(len(found.unusable), "lines with an invalid time range", found.unusable),
    ]
    listed = [Listed(each.clip, each.place, None, each.columns) for each in found.segments]
    return Reading(tuple(listed), tuple(notes))


def _read_manifest(source: SourceRecipe, path: Path, listing: Path | None) -> Reading:  # noqa: ARG001
    listed = []
    missing = 0
    lines: dict[str, int] = {}
    for line, row in manifest.manifest_rows(path):
        clip = manifest.clip_of_row(path, line, row)
        manifest.refuse_repeated_id(path, line, clip.id, lines)
        if not clip.path.is_file():
            missing += 1
            continue
        side = next((side for side in SIDES if side == row.get("official")), None)
        listed.append(Listed(clip, str(row["path"]), side, _texts(row)))
    return Reading(tuple(listed), _counted(missing, "clips of the manifest that are not there"))


def _texts(row: Mapping[str, Any]) -> dict[str, str]:
    return {key: str(value) for key, value in row.items() if value not in (None, "")}


def _registered(kind: str, path: Path) -> Reading:
    found = load_clips(f"{kind}:{path}", vocabulary=())
    notes = _counted(len(found.missing), "listed videos that are not there")
    return Reading(tuple(Listed(clip, clip.id) for clip in found), notes)


def _counted(number: int, what: str, examples: Sequence[str] = ()) -> tuple[str, ...]:
    if not number:
        return ()
    return (f"{what}: {number}{f', e.g. {examples[0]}' if examples else ''}",)


_READERS: Mapping[str, Callable[[SourceRecipe, Path, Path | None], Reading]] = {
    "kinetics": _read_kinetics,
    "manifest": _read_manifest,
    "omnifall": _read_segments,
    "segments": _read_segments,
}
"""Kinds that say more of a clip than its class; all others are sources of the registry."""

"""Lists of segments: CSV files that say what happens from when to when in which video.

A line is a clip. Columns are `path` (or `video`), `label` (or `class`), `start` and `end` in seconds from the
video's first frame (or `start_s`, `end_s`); others are kept for whoever groups by them. OmniFall publishes
its labels so (https://huggingface.co/datasets/simplexsigil2/omnifall), with numbers for classes and paths
without an ending.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from ...errors import ClipError
from ..clip import Clip, ClipSet
from ..labels import LabelMatcher
from .csv_rows import Row, csv_rows
from .walk import VIDEO_SUFFIXES, media_files

NAMES: Mapping[str, tuple[str, ...]] = {
    "path": ("path", "video"),
    "label": ("label", "class"),
    "start": ("start", "start_s"),
    "end": ("end", "end_s"),
}
"""What is needed → the names that its column may have."""

OMNIFALL_CLASSES = (
    *("walk", "fall", "fallen", "sit_down", "sitting", "lie_down", "lying", "stand_up", "standing", "other"),
    *("kneel_down", "kneeling", "squat_down", "squatting", "crawl", "jump"),
)
"""By number: `labels/label2id.csv` of OmniFall's repository."""

OMNIFALL_ALSO_SHOWS: Mapping[str, tuple[str, ...]] = {"walk": ("run", "running", "jog", "jogging")}
"""Class → what it also shows: "walk: move around, including jogging and running", LABELS.md of OmniFall."""

_MOST_DIGITS = 9
"""Of a class's number; Python refuses to read one of thousands."""


@dataclass(frozen=True, slots=True)
class Segment:
    """`clip`: its label as the list has it. `place`: path of its video, as listed. `columns`: the line."""

    clip: Clip
    place: str
    columns: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SegmentList:
    """The segments whose video is there; those whose video is not; and lines with an invalid time range.

    - `unusable`: one text a line, "FILE:LINE: 3 s to 2 s". Published lists have a few of them.
    """

    segments: tuple[Segment, ...]
    missing: tuple[Clip, ...]
    unusable: tuple[str, ...]


def read_segments(
    path: Path, videos: Path, columns: Mapping[str, str] | None = None, classes: Sequence[str] = ()
) -> SegmentList:
    """The list's segments, in its order.

    - `videos`: folder that the paths are relative to; a path may lack the file's ending.
    - `columns`: "path", "label", "start" or "end" → the column's name, where it is none of `NAMES`.
    - `classes`: names of classes that the list gives by number.

    Raises ClipError, with the line, for a column that is missing, a time that is no number, a path that
    leaves the folder, a number without a class, and a segment that has two labels.
    """
    rows, chosen = _rows(path, columns or {})
    files = _index(videos)
    segments: dict[str, Segment] = {}
    missing: list[Clip] = []
    unusable: list[str] = []
    for line, row in rows:
        where = f"{path}:{line}"
        place, label = row[chosen["path"]].strip(), _label(row[chosen["label"]].strip(), classes, where)
        start_s, end_s = (_seconds(row[chosen[key]], where) for key in ("start", "end"))
        if not place or place.startswith("/") or ".." in PurePosixPath(place).parts:
            raise ClipError(
                "not a path in the folder of videos", where=where, expected=f"in {videos}", found=place
            )
        if not 0 <= start_s < end_s:
            unusable.append(f"{where}: {start_s:g} s to {end_s:g} s")
            continue
        name = f"{place}#{start_s:g}-{end_s:g}"
        file = files.get(PurePosixPath(place).as_posix())
        clip = Clip(name, file or videos / place, label, start_s, end_s, source="segments")
        if file is None:
            missing.append(clip)
        elif (earlier := segments.setdefault(name, Segment(clip, place, row))).clip.label != label:
            raise ClipError(
                "the same segment has two labels", where=where, expected=earlier.clip.label, found=label
            )
    return SegmentList(tuple(segments.values()), tuple(missing), tuple(unusable))


def load_segments(argument: str, *, vocabulary: Sequence[str], videos: Path | None = None) -> ClipSet:
    """`read_segments` as a source: `argument` is the list, `videos` by default its folder.

    Raises ClipError as it does, and if none of the videos is there.
    """
    path = Path(argument)
    found = read_segments(path, videos or path.parent)
    if not found.segments:
        raise ClipError("none of the videos is there", where=path, expected=f"in {videos or path.parent}")
    matcher = LabelMatcher(vocabulary)
    labels = {str(segment.clip.label) for segment in found.segments}
    clips = [replace(s.clip, label=matcher(str(s.clip.label)) or s.clip.label) for s in found.segments]
    unknown = sorted(label for label in labels if matcher(label) is None)
    return ClipSet(path.stem, tuple(clips), found.missing, tuple(unknown), len(found.unusable))


def _rows(path: Path, columns: Mapping[str, str]) -> tuple[Iterator[tuple[int, Row]], dict[str, str]]:
    """The lines with their numbers; and which column is the path, the label, the start, the end."""
    header, rows = csv_rows(path, (), "list of segments")
    chosen = {}
    for key, names in NAMES.items():
        accepted = (columns[key],) if key in columns else names
        found = [name for name in accepted if name in header]
        if len(found) != 1:
            raise ClipError(
                f"no column for the {key}" if not found else f"two columns for the {key}",
                where=f"{path}:1",
                expected=" or ".join(accepted),
                found=",".join(header) or "an empty file",
            )
        chosen[key] = found[0]
    return rows, chosen


def _label(text: str, classes: Sequence[str], where: str) -> str:
    if not text:
        raise ClipError("no label", where=where)
    if not classes or text in classes:
        return text
    if not text.isdecimal() or len(text) > _MOST_DIGITS or int(text) >= len(classes):
        raise ClipError(
            "not a class of this list", where=where, expected=f"0 to {len(classes) - 1}", found=text
        )
    return classes[int(text)]


def _seconds(text: str, where: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds):
        raise ClipError("not a time", where=where, expected="seconds", found=text)
    return seconds


def _index(videos: Path) -> dict[str, Path]:
    """Path under the folder, with and without the file's ending → the file."""
    if not videos.is_dir():
        raise ClipError("no such folder of videos", where=videos)
    files: dict[str, Path] = {}
    for path in media_files(videos, VIDEO_SUFFIXES)[0]:
        relative = path.relative_to(videos)
        files[relative.as_posix()] = path
        bare = relative.with_suffix("").as_posix()
        if files.setdefault(bare, path) != path:
            raise ClipError(
                "two videos with one name", where=videos, found=f"{files[bare].name} and {path.name}"
            )
    return files

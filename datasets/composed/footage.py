"""Annotated videos: the files that the clips of a labelled set lie in, each with all that happens in it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import UsageError
from ..clip import Clip
from ..sources.manifest import SUFFIXES
from ..sources.registry import load_clips
from .manifest import description_of, read_composed

ANNOTATIONS = (".vott", ".json")
"""Files that `bench data cut` reads, and whose actions have no end yet."""


@dataclass(frozen=True, slots=True)
class AnnotatedVideo:
    """A video file.

    - `name`: for reading. `group`: the film, person or event that it belongs to.
    - `actions`: what is annotated in it: a clip from start to end each; without them, the whole video.
    """

    name: str
    path: Path
    group: str
    actions: tuple[Clip, ...]


@dataclass(frozen=True, slots=True)
class Footage:
    """Annotated videos, at least one, no file twice.

    - `name`: of the set.
    - `grouped`: whether the set says which videos belong together; otherwise each is a group of its own.
    - `missing`: names of annotated videos that are not there.
    - `ignored`: number of files or lines of the set that cannot be used.
    - `licences`: source → licence, where the set says it.
    """

    name: str
    videos: tuple[AnnotatedVideo, ...]
    grouped: bool
    missing: tuple[str, ...] = ()
    ignored: int = 0
    licences: Mapping[str, str] = field(default_factory=dict)


def read_footage(data: str, folder: Path | None = None) -> Footage:
    """The videos of a set.

    - `data`: a composed set, or what else `load_clips` reads. `folder`: of the videos of a list, as there.

    Raises UsageError or ClipError for what is malformed, and if none of the videos is there.
    """
    path = Path(data)
    if path.suffix.lower() in ANNOTATIONS and path.is_file():
        raise UsageError(
            "are annotations of frames, not actions with start and end",
            where=f"--data {data}",
            remedy=f"Make a manifest of them and name that: `bench data cut {data} --min-frames 1 --out "
            "actions.csv`.",
        )
    if path.suffix.lower() in SUFFIXES and description_of(path).is_file():
        composed = read_composed(path)
        clips = [each.clip for each in composed.examples]
        videos = _videos(clips, [each.group for each in composed.examples])
        return Footage(composed.name, videos, grouped=True, licences=composed.licences)
    found = load_clips(data, vocabulary=(), videos=folder)
    missing = tuple(dict.fromkeys(clip.path.name for clip in found.missing))
    if not found.clips:
        raise UsageError(
            "none of the annotated videos is there", where=f"--data {data}", found=", ".join(missing) or None
        )
    videos = _videos(found.clips, [str(clip.path) for clip in found.clips])
    return Footage(found.name, videos, grouped=False, missing=missing, ignored=found.ignored)


def _videos(clips: Sequence[Clip], groups: Sequence[str]) -> tuple[AnnotatedVideo, ...]:
    of_file: dict[Path, list[tuple[Clip, str]]] = {}
    for clip, group in zip(clips, groups, strict=True):
        of_file.setdefault(clip.path.resolve(), []).append((clip, group))
    common = Path(os.path.commonpath([path.parent for path in of_file]))
    return tuple(
        AnnotatedVideo(
            path.relative_to(common).as_posix(), path, found[0][1], tuple(clip for clip, _ in found)
        )
        for path, found in of_file.items()
    )

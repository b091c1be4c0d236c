"""Clips from a folder: `class/video`, `split/class/video`, or videos without a class."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from ...errors import ClipError
from ..clip import Clip, ClipSet, require_file
from ..labels import LabelMatcher
from .arrays import ARRAY_SUFFIXES, input_pair
from .walk import MEDIA_SUFFIXES, media_files

SPLITS = frozenset({"train", "training", "val", "valid", "validate", "validation", "test", "testing"})


def load_folder(argument: str, *, vocabulary: Sequence[str], videos: Path | None = None) -> ClipSet:  # noqa: ARG001
    """The videos and arrays under a folder, in the order of their paths; or the one file that is named.

    - `argument`: path of the folder or file.
    - `vocabulary`: the class names.
    - `videos`: not used.

    The class of a file is the nearest parent folder whose name is in the vocabulary, otherwise the folder
    that contains it; a file directly in the root, or in a folder named like a split, has none. Raises
    ClipError if there is no video.
    """
    return _load(argument, vocabulary, "folder", MEDIA_SUFFIXES)


def load_arrays(argument: str, *, vocabulary: Sequence[str], videos: Path | None = None) -> ClipSet:  # noqa: ARG001
    """As `load_folder`, array files only."""
    return _load(argument, vocabulary, "arrays", ARRAY_SUFFIXES)


def _load(argument: str, vocabulary: Sequence[str], source: str, suffixes: Iterable[str]) -> ClipSet:
    root = Path(argument)
    if root.is_file():
        return ClipSet(root.name, (Clip(root.name, root, source=source),))
    if not root.exists():
        raise ClipError("no such folder or file", where=root)
    if not root.is_dir():
        require_file(root)
    paths, ignored = media_files(root, suffixes)
    matcher = LabelMatcher(vocabulary)
    clips = []
    unknown = set()
    for path in paths:
        pair = input_pair(path)
        if pair and path != pair["rgb"] and pair["rgb"].is_file():
            continue  # the second file of a pair of arrays
        relative = path.relative_to(root)
        label, known = _label([_readable(part) for part in relative.parts[:-1]], matcher)
        if label is not None and not known:
            unknown.add(label)
        clips.append(Clip(_readable(relative.as_posix()), path, label, source=source))
    if not clips:
        raise ClipError(
            "no videos in this folder",
            where=root,
            expected="class/video or split/class/video",
            found=f"{ignored} other files",
        )
    return ClipSet(root.resolve().name, tuple(clips), unknown_labels=tuple(sorted(unknown)), ignored=ignored)


def _label(folders: Sequence[str], matcher: LabelMatcher) -> tuple[str | None, bool]:
    """The class that a file's folders (outermost first) give it, and whether the vocabulary knows it."""
    for folder in reversed(folders):
        name = matcher(folder)
        if name is not None:
            return name, True
    if not folders or folders[-1].lower() in SPLITS:
        return None, False
    return folders[-1], False


def _readable(name: str) -> str:
    """The name with bytes that are not UTF-8 written as \\xNN, so that it can be printed and stored."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")

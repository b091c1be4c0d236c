"""Finding the video and array files under a folder."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from .arrays import ARRAY_SUFFIXES

VIDEO_SUFFIXES = (
    *(".3gp", ".asf", ".avi", ".flv", ".gif", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4"),
    *(".mpeg", ".mpg", ".mts", ".mxf", ".ogv", ".ts", ".webm", ".wmv"),
)
MEDIA_SUFFIXES = (*VIDEO_SUFFIXES, *ARRAY_SUFFIXES)


def media_files(root: Path, suffixes: Iterable[str] = MEDIA_SUFFIXES) -> tuple[list[Path], int]:
    """Files in a folder and its subfolders with one of the suffixes, sorted; and the number of other files.

    - `root`: the folder.
    - `suffixes`: with the dot, in lower case.

    Links are followed; a folder is entered once even if several links lead to it. Hidden folders are not
    entered; hidden files count as others.
    """
    wanted = set(suffixes)
    found: list[Path] = []
    others = 0
    entered = {os.path.realpath(root)}
    for folder, folders, files in os.walk(root, followlinks=True):
        kept = []
        for name in sorted(folders):
            real = os.path.realpath(os.path.join(folder, name))  # noqa: PTH118 - as os.walk gives it
            if not name.startswith(".") and real not in entered:
                entered.add(real)
                kept.append(name)
        folders[:] = kept
        for name in files:
            path = Path(folder, name)
            if not name.startswith(".") and path.suffix.lower() in wanted:
                found.append(path)
            else:
                others += 1
    return sorted(found), others

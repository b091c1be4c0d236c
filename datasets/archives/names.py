"""Names of files in archives, none of which is trusted."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Final

from ...plain_text import plain

_DRIVE: Final = re.compile(r"[A-Za-z]:")


def normal_name(name: str) -> str:
    """A member's name without `.` and doubled slashes: "./a//b.mp4" is "a/b.mp4"."""
    return str(PurePosixPath(name))


def unsafe_name(name: str) -> str | None:
    """Why a file of this name, in any folder, may lie outside it, or mislead who reads it; None if it cannot.

    - `name`: with `/` between folders.
    """
    path = PurePosixPath(name)
    if not path.parts:
        return "has no name"
    if path.is_absolute() or _DRIVE.match(name):
        return "has an absolute path"
    if ".." in path.parts:
        return "leads out of its folder by '..'"
    if "\\" in name:
        return "has a backslash in its name"
    if "\n" in name or plain(name) != name:
        return "has characters in its name that are not text"
    return None

"""A member of an archive as a file: complete, inside its folder, or not at all."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from ...atomic import NO_SPACE, replacing
from ...downloads.space import disk_full, require_space
from ...errors import ActionBenchError, ArchiveError, FullDisk
from ...plain_text import plain_line
from .members import Member
from .names import unsafe_name

_REMEDY: Final = "choose another folder"


def require_inside(path: Path, folder: Path) -> None:
    """Raise ArchiveError if `path`, below `folder`, leads out of it by a link that lies there."""
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ArchiveError("leads out of its folder by a link", where=path, found=path.resolve())


def write_member(member: Member, folder: Path, name: str) -> Path:
    """Write a member's content to a file, which appears when it is complete; returns its path.

    - `member`: its content is read.
    - `folder`: is made if it does not exist.
    - `name`: path of the file inside the folder, with `/` between folders; a file of that name is replaced.

    Raises ArchiveError if the name leads out of the folder, also by a link that lies there, if the file
    cannot be written, or for what reading the content raises; FullDisk if the disk is full.
    """
    path = folder / name
    if (reason := unsafe_name(name)) is not None:
        raise ArchiveError(f"cannot be written: {reason}", where=plain_line(name))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        require_inside(path, folder)
        require_space(folder, member.size, FullDisk, _REMEDY)
        with replacing(path) as file:
            shutil.copyfileobj(member.content, file)
    except OSError as error:
        raise refused(path, error) from error
    return path


def refused(path: Path, error: OSError) -> ActionBenchError:
    """The error for a file, at `path`, that the disk does not take."""
    if error.errno in NO_SPACE:
        return disk_full(path.parent, FullDisk, _REMEDY)
    return ArchiveError("cannot be written", where=error.filename or path, found=error.strerror)

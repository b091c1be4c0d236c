"""Atomic writing, here and nowhere else: a file is either the old one or the complete new one."""

from __future__ import annotations

import errno
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

TEMPORARY = ".tmp"
"""Suffix of a file that is being written; a process that is killed leaves it behind."""


NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
"""`errno` of a write for which the disk, or the user's share of it, has no room."""

FREE_SPACE = "Free some space, then give the command again."
"""The remedy for that, of commands that begin anew or go on where they were."""

_OF_WRITES = NO_SPACE | {errno.EFBIG}

_ABANDONED = re.compile(rf"\..+\.[0-9a-f]{{8}}{re.escape(TEMPORARY)}", re.DOTALL)
"""Names of such files: see `replacing`."""

_STREAMS = ("/dev/std", "/dev/fd/", "/proc/")
"""Beginnings of paths that name what a process has open, which may be a file that its output goes to."""


@contextmanager
def replacing(path: Path, *, sync: bool = True) -> Iterator[BinaryIO]:
    """A binary file to write, which replaces `path` when the block ends without an error.

    - `path`: the file; its folder is created if it does not exist. A link stays, and the file that it leads
      to is replaced. A pipe, /dev/stdout and the like cannot be replaced: they are written to.
    - `sync`: flush the bytes to the disk first. Without it a power failure may leave a damaged file, which is
      acceptable for files that can be made again.

    Raises OSError if it cannot be written, with the name of the file where it cannot be made or the disk is
    full; an existing file is then unchanged.
    """
    if str(path).startswith(_STREAMS) or (path.exists() and not path.is_file()):
        with path.open("ab") as stream:
            yield stream
        return
    path = path.resolve() if path.is_symlink() else path
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{TEMPORARY}")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            if sync:
                os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        # The name that the user knows; the error of a write names no file.
        if error.filename == str(temporary) or (error.filename is None and error.errno in _OF_WRITES):
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write_file(path: Path, content: str | bytes, *, sync: bool = True) -> Path:
    """Write `content`, a text as UTF-8, in place of the file `path`, which is returned; see `replacing`."""
    with replacing(path, sync=sync) as file:
        file.write(content if isinstance(content, bytes) else content.encode())
    return path


def is_abandoned(path: Path) -> bool:
    """Whether a file of a folder that nobody writes now was being written by a process that was killed."""
    return _ABANDONED.fullmatch(path.name) is not None


def remove_abandoned(folder: Path) -> None:
    """Remove what killed processes were writing in a folder, and below it, which nobody else writes now."""
    for path in filter(is_abandoned, folder.rglob(f".*{TEMPORARY}")):
        path.unlink(missing_ok=True)


def file_and_reason(error: OSError) -> str:
    """For a message: the file of an error that names one, what is wrong, and the remedy for a full disk."""
    remedy = f". {FREE_SPACE}" if error.errno in NO_SPACE else ""
    return f"{error.filename}: {error.strerror}{remedy}"

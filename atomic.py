"""Atomic writing, here and nowhere else: a file is either the old one or the complete new one."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

TEMPORARY = ".tmp"
"""Suffix of a file that is being written; a process that is killed leaves it behind."""


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

    Raises OSError if it cannot be written; an existing file is then unchanged.
    """
    if str(path).startswith(_STREAMS) or (path.exists() and not path.is_file()):
        with _naming(path), path.open("ab") as stream:
            yield stream
        return
    path = path.resolve() if path.is_symlink() else path
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{TEMPORARY}")
    try:
        with _naming(path, instead_of=temporary):
            with temporary.open("xb") as file:
                yield file
                file.flush()
                if sync:
                    os.fsync(file.fileno())
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _naming(path: Path, instead_of: Path | None = None) -> Iterator[None]:
    """Give errors the name of the file that the user knows: a disk that is full says none."""
    try:
        yield
    except OSError as error:
        if error.filename is None or error.filename == str(instead_of):
            error.filename = str(path)
        raise


def write_file(path: Path, content: str | bytes, *, sync: bool = True) -> Path:
    """Write `content`, a text as UTF-8, in place of the file `path`, which is returned; see `replacing`."""
    with replacing(path, sync=sync) as file:
        file.write(content if isinstance(content, bytes) else content.encode())
    return path


def remove_abandoned(folder: Path) -> None:
    """Remove what killed processes were writing in a folder, and below it, which nobody else writes now."""
    for path in folder.rglob(f".*{TEMPORARY}"):
        if _ABANDONED.fullmatch(path.name):
            path.unlink(missing_ok=True)

"""A file that is either the old one or the whole new one."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

TEMPORARY = ".tmp"
"""Suffix of what is being written; a process that is killed leaves it behind."""


@contextmanager
def replacing(path: Path, *, sync: bool = True) -> Iterator[BinaryIO]:
    """A binary file to write, which takes the place of `path` when the block ends without an error.

    - `path`: the file; its folder is made if it is missing.
    - `sync`: have the bytes on the disk before they take the place; without it a loss of power may leave a
      torn file, which will do for what can be made again.

    Raises OSError if it cannot be written; what was there stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{TEMPORARY}")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            if sync:
                os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)

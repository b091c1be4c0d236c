"""A folder that one process at a time may use."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Self

from filelock import FileLock, Timeout

from ..errors import MeasurementError, UsageError

LOCK, HOLDER = "lock", "lock-holder"

LOCK_FILES = frozenset({LOCK, HOLDER})
"""Files of a folder that is, or was, locked."""


def is_unreleased(folder: Path) -> bool:
    """Whether a process holds the folder's lock, or was killed while it held it."""
    return (folder / HOLDER).exists()


class FolderLock:
    """The lock of a folder; a context manager. It is released when the process ends, also by kill -9."""

    def __init__(self, folder: Path, refusal: str, *, remedy: str, where: Path | None = None) -> None:
        """Take the lock; the folder is created if it is missing.

        - `folder`: the folder to lock.
        - `refusal`, `remedy`: texts of the UsageError that is raised if another process holds the lock; it
          also names that process.
        - `where`: what that error names in place of the folder.

        Raises OSError, with the name of the file, if the folder cannot be written.
        """
        folder.mkdir(parents=True, exist_ok=True)
        # A file of its own: not every system lets others read a file that is locked.
        self._holder = folder / HOLDER
        self._lock = FileLock(folder / LOCK)
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise UsageError(
                refusal, where=where or folder, found=self._read_holder(), remedy=remedy
            ) from None
        try:
            # Unbuffered: bytes that a full disk refused would be refused again where the file is closed.
            self._open_holder = os.fdopen(_opened(self._holder), "wb", buffering=0)
        except BaseException:
            self._lock.release()
            raise
        try:
            self._open_holder.write(f"process {os.getpid()} on {platform.node()}".encode())
        except BaseException as error:
            self.release()
            if isinstance(error, OSError):
                error.filename = str(self._holder)
            raise

    def _read_holder(self) -> str | None:
        try:
            return self._holder.read_text(encoding="utf-8") or None
        except OSError:  # that process has just taken the lock, or just released it
            return None

    def require_in_place(self, resume: str) -> None:
        """Raise MeasurementError if the folder has been moved or removed since the lock was taken.

        `resume`: the command that continues what is in the folder.
        """
        try:
            in_place = os.path.samestat(os.fstat(self._open_holder.fileno()), self._holder.stat())
        except OSError:
            in_place = False
        if not in_place:
            raise MeasurementError(
                "was moved or removed while it was written",
                where=self._holder.parent,
                remedy="The last record is lost; all earlier ones are in the folder, wherever it is now. "
                f"Move it back, then `{resume}`, or give that command its new path.",
            )

    def release(self) -> None:
        """Release the lock, so that another process can take it."""
        self._open_holder.close()
        self._holder.unlink(missing_ok=True)
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _opened(path: Path) -> int:
    """A file to write, emptied; an error if it is a link, which may lead to any file of the user's."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0), 0o666)

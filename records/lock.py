"""A folder that one process at a time may use."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Self

from filelock import FileLock, Timeout

from ..errors import MeasurementError, UsageError


class FolderLock:
    """The lock of a folder; a context manager. The system frees it when its process ends, even by kill -9."""

    def __init__(self, folder: Path, refusal: str, *, remedy: str, where: Path | None = None) -> None:
        """Take it; the folder is made if need be.

        `refusal`, `remedy`: what the UsageError says if another process has it, beside which one. `where`:
        what it names instead of the folder.
        """
        folder.mkdir(parents=True, exist_ok=True)
        # A file of its own: not every system lets others read a file that is locked.
        self._holder = folder / "lock-holder"
        self._lock = FileLock(folder / "lock")
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise UsageError(
                refusal, where=where or folder, found=self._read_holder(), remedy=remedy
            ) from None
        try:
            self._open_holder = self._holder.open("w", encoding="utf-8")
        except BaseException:
            self._lock.release()
            raise
        try:
            self._open_holder.write(f"process {os.getpid()} on {platform.node()}")
            self._open_holder.flush()
        except BaseException:
            self.release()
            raise

    def _read_holder(self) -> str | None:
        try:
            return self._holder.read_text(encoding="utf-8") or None
        except OSError:  # it has just begun, or just ended
            return None

    def require_in_place(self, resume: str) -> None:
        """Raise MeasurementError if the folder has been moved or removed since the lock was taken.

        `resume`: the command that goes on with what is in the folder.
        """
        try:
            in_place = os.path.samestat(os.fstat(self._open_holder.fileno()), self._holder.stat())
        except OSError:
            in_place = False
        if not in_place:
            raise MeasurementError(
                "was moved or removed while it was written",
                where=self._holder.parent,
                remedy="The record that was to be added is lost; all before it are in the folder, wherever "
                f"it is now. Move it back, then `{resume}`, or name its new place there.",
            )

    def release(self) -> None:
        self._open_holder.close()
        self._holder.unlink(missing_ok=True)
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

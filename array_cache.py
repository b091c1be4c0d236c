"""Arrays on disk that cost much to compute: flow, features."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .atomic import TEMPORARY, replacing

ABANDONED_S = 3600.0
"""A temporary file this old belongs to a process that died while writing."""

_UNCOUNTED = 0.01
"""Share of the bound that is written before the folder is looked through again: that takes time."""


class ArrayCache:
    """float32 arrays in the files of a folder, at most `max_bytes` of them; the least recently used go first.

    Arrays are kept exactly. Each file is a NumPy archive whose CRC-32 is checked on reading. Files appear
    under their name only when complete, so several processes may share the folder; a hundredth of the bound
    may be written over it before each notices.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        self._uncounted: float | None = None  # bytes written since the folder was looked through
        folder.mkdir(parents=True, exist_ok=True)

    def __contains__(self, key: str) -> bool:
        return self._path(key).is_file()

    def get(self, key: str) -> npt.NDArray[np.float32] | None:
        """The array kept under `key`, or None. A damaged file is removed."""
        path = self._path(key)
        try:
            opened = path.open("rb")
        except FileNotFoundError:
            return None
        with opened as file:
            try:
                with np.load(file, allow_pickle=False) as archive:
                    array: npt.NDArray[np.float32] = archive["array"]
            except Exception:  # of NumPy, zipfile and tokenize, which have no class in common
                path.unlink(missing_ok=True)
                return None
        with suppress(OSError):  # another process has just removed it, or the folder may not be written
            os.utime(path)
        return array

    def put(self, key: str, array: npt.NDArray[np.float32]) -> None:
        """Keep `array` under `key`. One larger than the whole cache is not kept."""
        if array.nbytes > self.max_bytes:
            return
        with replacing(self._path(key), sync=False) as file:
            np.savez(file, array=array)
        if self._uncounted is not None:
            self._uncounted += array.nbytes
        if self._uncounted is None or self._uncounted > _UNCOUNTED * self.max_bytes:
            self._trim()
            self._uncounted = 0.0

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.npz"

    def _trim(self) -> None:
        """Remove what is over `max_bytes`, oldest use first, and what dead processes left behind."""
        entries = []
        for path in self.folder.iterdir():
            # Another process may remove a file between any two lines here.
            with suppress(FileNotFoundError):
                status = path.stat()
                if path.suffix == ".npz":
                    entries.append((status.st_mtime_ns, status.st_size, path))
                elif path.suffix == TEMPORARY and time.time() - status.st_mtime > ABANDONED_S:
                    path.unlink()
        excess = sum(size for _, size, _ in entries) - self.max_bytes
        for _, size, path in sorted(entries):
            if excess <= 0:
                break
            path.unlink(missing_ok=True)
            excess -= size

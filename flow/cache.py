"""Flow fields on disk, so that the same flow is not computed twice.

For accuracy only. Time is never measured with the cache, because flow has to be computed for new video.
Callers that measure time do not use it.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..atomic import TEMPORARY, replacing
from .method import FlowMethod

FORMAT = 1
"""Version of the key and of the files; raised when old entries must not be found any more."""

ABANDONED_S = 3600.0
"""A temporary file this old was left by a process that died while writing."""


def cache_key(grey: npt.NDArray[np.uint8], method: FlowMethod) -> str:
    """Name of the flow that `method` computes from the frames `grey` (T, H, W) uint8: a sha256, in hex."""
    identity = {
        "format": FORMAT,
        "method": method.describe(),
        "shape": grey.shape,
        "dtype": str(grey.dtype),
    }
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode())
    digest.update(np.ascontiguousarray(grey).data)
    return digest.hexdigest()


class FlowCache:
    """Flow fields in the files of a folder, at most `max_bytes` of them; the least recently used go first.

    Fields are kept exactly, as float32. Compression does not pay: deflate takes TV-L1 flow to 0.92 of its
    size, at 30 MB a second. Each file is a NumPy archive whose CRC-32 is checked on reading. Files appear
    under their name only when complete, so several processes may share the folder.
    """

    def __init__(self, folder: Path, max_bytes: int = 4 * 10**9) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        folder.mkdir(parents=True, exist_ok=True)

    def get(self, key: str) -> npt.NDArray[np.float32] | None:
        """The flow (T−1, H, W, 2) float32 kept under `key`, or None. A damaged file is removed."""
        path = self._path(key)
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                flow: npt.NDArray[np.float32] = archive["flow"]
            os.utime(path)
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, EOFError, zipfile.BadZipFile):
            path.unlink(missing_ok=True)
            return None
        return flow

    def put(self, key: str, flow: npt.NDArray[np.float32]) -> None:
        """Keep `flow` (T−1, H, W, 2) float32 under `key`. One larger than the whole cache is not kept."""
        if flow.nbytes > self.max_bytes:
            return
        with replacing(self._path(key), sync=False) as file:
            np.savez(file, flow=flow)
        self._trim()

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

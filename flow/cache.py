"""Flow fields on disk, so that the same flow is not computed twice.

For accuracy only. Time is never measured with the cache, because flow has to be computed for new video.
Callers that measure time do not use it.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..array_cache import ArrayCache
from .method import FlowMethod

FORMAT = 2
"""Version of the key and of the files; raised when old entries must not be found any more."""


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


class FlowCache(ArrayCache):
    """Flow fields (T−1, H, W, 2) on disk. Compression does not pay: deflate takes TV-L1 flow to 0.92 of its
    size, at 30 MB a second."""

    def __init__(self, folder: Path, max_bytes: int = 4 * 10**9) -> None:
        super().__init__(folder, max_bytes)

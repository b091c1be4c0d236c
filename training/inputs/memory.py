"""Arrays that are held in memory, decoded frames and features alike, as far as one bound allows."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy.typing as npt


class HeldArrays:
    """Arrays by key, at most `max_bytes` of them: one that would exceed that is not held.

    Epochs go over all clips in turn, so dropping the oldest in favour of the newest would gain nothing.
    """

    def __init__(self, max_bytes: float) -> None:
        self._max_bytes = max_bytes
        self._arrays: dict[Hashable, npt.NDArray[Any]] = {}
        self.bytes = 0

    def get(self, key: Hashable) -> npt.NDArray[Any] | None:
        """The array that is held under `key`, or None; not to be changed."""
        return self._arrays.get(key)

    def hold(self, key: Hashable, array: npt.NDArray[Any]) -> None:
        """Hold `array` under `key`, which holds none yet, if there is room for it."""
        if self.bytes + array.nbytes <= self._max_bytes:
            self._arrays[key] = array
            self.bytes += array.nbytes

    def release(self) -> None:
        """Hold nothing any more."""
        self._arrays.clear()
        self.bytes = 0

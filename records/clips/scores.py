"""Rows of `scores.bin`, read when they are asked for: of a million clips and 400 classes they are 1.6 GB."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from ...errors import UsageError

CHUNK = 4096
"""Rows that are in memory at once where something goes through all of them."""


class ScoreRows:
    """The probabilities of one model, row by row as in its `ClipColumns`.

    They are read, not mapped: a mapped file that somebody cuts off ends the process.
    """

    def __init__(self, opened: Callable[[], BinaryIO], offsets: npt.NDArray[np.int64], classes: int) -> None:
        """Rows of float32, little-endian.

        - `opened`: opens the file that they are in.
        - `offsets`: (n,) byte where each row begins, -1 for a row without scores.
        - `classes`: values of a row.
        """
        self._opened, self._offsets, self._classes = opened, offsets, classes

    @property
    def known(self) -> npt.NDArray[np.bool_]:
        """(n,): rows that have scores."""
        mask: npt.NDArray[np.bool_] = self._offsets >= 0
        return mask

    def rows(self, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.float32]:
        """Probabilities (k, classes), 0–1, of k rows that have scores. Raises UsageError, OSError."""
        return self._read(self._offsets[rows], self._classes)

    def of_class(self, rows: npt.NDArray[np.intp], number: int) -> npt.NDArray[np.float32]:
        """Probabilities (k,), 0–1, of one class, by its number in the model's labels. Raises as `rows`."""
        return self._read(self._offsets[rows] + 4 * number, 1)[:, 0]

    def _read(self, offsets: npt.NDArray[np.int64], values: int) -> npt.NDArray[np.float32]:
        found = np.empty((len(offsets), values), "<f4")
        if not len(offsets):
            return found
        with self._opened() as file:
            for offset, row in zip(offsets.tolist(), found, strict=True):
                file.seek(offset)
                if file.readinto(row) != row.nbytes:  # type: ignore[attr-defined]
                    raise UsageError("was cut off while it was read", where=getattr(file, "name", None))
            if not np.isfinite(found).all():
                raise UsageError(
                    "is damaged: it holds probabilities that are no numbers",
                    where=getattr(file, "name", None),
                    remedy="Copy the whole run directory again, or start a new run.",
                )
        return found

"""Which frames of a video are read, and the size that they are resized to."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from ..models.spec import Filter, Preprocessing, Rounding
from .pixels import resize_to, resized_size


@dataclass(frozen=True, slots=True)
class Geometry:
    """What streams must have in common so that their frames are decoded and resized once.

    The fields are those of `Preprocessing`.
    """

    rate: Fraction | None
    every: int
    short_side: int | None
    long_side: Rounding
    stretch: tuple[int, int] | None
    filter: Filter

    @classmethod
    def of(cls, how: Preprocessing) -> Geometry:
        """That of a stream."""
        return cls(how.rate, how.every, how.short_side, how.long_side, how.stretch, how.resize)

    def resized(self, frame: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """A frame (H, W, 3) uint8 in the streams' size; the frame itself if it has that size."""
        if self.stretch is not None:
            height, width = self.stretch
            return resize_to(frame, (width, height), self.filter)
        assert self.short_side is not None, "a description has one of the two"
        height, width = frame.shape[:2]
        size = resized_size(width, height, self.short_side, self.long_side)
        return resize_to(frame, size, self.filter)

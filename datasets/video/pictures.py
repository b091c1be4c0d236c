"""Decoded frames as upright RGB pictures with square pixels.

Rules where formats are ambiguous:

- Orientation: the display matrix is applied (quarter turns and mirrorings).
- Aspect: pixels that are more than 1 % from square are made square by scaling the width, height kept.
- Colour: RGB by libswscale with the matrix and range the frame is tagged with; untagged pictures of any
  size are taken as BT.601, limited range, as FFmpeg and OpenCV do. Interlaced pictures are not
  deinterlaced.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from av.sidedata.sidedata import Type as SideData
from av.video.reformatter import VideoReformatter

from ...errors import ClipError
from .sampling import Pixels

MAX_PIXELS = 100_000_000
SQUARE_TOLERANCE = 0.01
MAX_ASPECT = 10


class Converter:
    """Converts the frames of a video to (H, W, 3) uint8 RGB, all of the size of the first one.

    - `where`: the video, for errors.
    - `aspect`: width of a pixel divided by its height, as the video states it; None or 0 where it does not.
    - `threads`: of the conversion.
    - `notes`: gets a note on each irregularity.
    """

    def __init__(self, where: object, aspect: Fraction | None, threads: int, notes: list[str]) -> None:
        self._where, self._aspect, self._threads, self._notes = where, aspect, threads, notes
        self._shape: _Shape | None = None
        self._reformatter = VideoReformatter()

    @property
    def coded(self) -> tuple[int, int] | None:
        """Width and height of the first frame, as decoded; None before it."""
        return None if self._shape is None else self._shape.coded

    def __call__(self, frame: av.VideoFrame) -> Pixels:
        """The picture. Raises ClipError if it is too large or cannot be converted."""
        check_pixels(self._where, frame.width, frame.height)
        if self._shape is None:
            self._shape = self._shape_of(frame)
        shape = self._shape
        if (frame.width, frame.height) != shape.coded:
            note = "frame size changes within the file; scaled to that of the first frame"
            if note not in self._notes:
                self._notes.append(note)
        try:
            rgb = self._reformatter.reformat(
                frame,
                width=shape.width,
                height=shape.height,
                format="rgb24",
                interpolation="BICUBIC",
                # Left to itself it takes all cores, and three times the CPU time for frames of this size.
                threads=self._threads,
            )
        except (av.FFmpegError, ValueError):
            raise ClipError(
                "pictures cannot be converted to RGB", where=self._where, found=frame.format.name
            ) from None
        return shape.upright(np.ascontiguousarray(rgb.to_ndarray(), dtype=np.uint8))

    def _shape_of(self, frame: av.VideoFrame) -> _Shape:
        width = frame.width
        aspect = self._aspect
        if aspect and abs(aspect - 1) > SQUARE_TOLERANCE:
            if 1 / MAX_ASPECT <= aspect <= MAX_ASPECT:
                width = max(1, round(width * aspect))
                self._notes.append(f"pixels are {aspect.numerator}:{aspect.denominator}, made square")
                check_pixels(self._where, width, frame.height)
            else:
                self._notes.append(f"impossible pixel aspect {aspect} ignored")
        matrix = frame.side_data.get(SideData.DISPLAYMATRIX)
        orientation = (False, False, False)
        if matrix is not None:
            a, b, _, c, d = struct.unpack("5i", bytes(matrix)[:20])
            if (a and d and not b and not c) or (b and c and not a and not d):
                orientation = (bool(b), a < 0 or c < 0, d < 0 or b < 0)
            else:
                self._notes.append("rotation that is not a quarter turn ignored")
        return _Shape((frame.width, frame.height), width, frame.height, *orientation)


@dataclass(frozen=True, slots=True)
class _Shape:
    """How decoded pictures become upright ones with square pixels.

    - `coded`: width and height as decoded; `width`, `height`: with square pixels.
    - `transposed`, then `mirrored` (left–right) and `flipped` (top–bottom).
    """

    coded: tuple[int, int]
    width: int
    height: int
    transposed: bool
    mirrored: bool
    flipped: bool

    def upright(self, pixels: Pixels) -> Pixels:
        if not (self.transposed or self.mirrored or self.flipped):
            return pixels
        if self.transposed:
            pixels = pixels.transpose(1, 0, 2)
        return np.ascontiguousarray(pixels[:: -1 if self.flipped else 1, :: -1 if self.mirrored else 1])


def check_pixels(where: object, width: int, height: int) -> None:
    """Raise ClipError if a picture of this size has more than MAX_PIXELS pixels."""
    if width * height > MAX_PIXELS:
        raise ClipError(
            "pictures too large",
            where=where,
            expected=f"at most {MAX_PIXELS // 1_000_000} million pixels",
            found=f"{width}x{height}",
        )

"""Where numbers lie in memory: image planes with margins, and the solver's fields in chunks.

A *plane* is one field of one pyramid level, row after row, with margins for what lies beyond the edges.
The solver's ten fields lie together: a *chunk* holds LANES pixels of each, one after the other, so that
one pointer walks through memory in one direction (two with the row above), which is what the hardware
prefetches. A level of C chunks in a row begins with one row of zeros, the dual variable above the image.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .jit import inlined
from .simd import LANES

FloatArray = npt.NDArray[np.float32]

U1, U2, P11, P12, P21, P22, RHO, NX, NY, LIMIT = (LANES * field for field in range(10))
"""Offsets in a chunk: flow (x, y); dual variable of each, (x, y); the data term's residual, direction and
threshold (see warp.py)."""

CHUNK = 10 * LANES
"""Numbers in a chunk."""

ROWS_AROUND = 2
"""Margin above and below, pixels: what a 5×5 median looks at beyond the edge."""

LEFT = 16
"""Margin to the left, pixels: two are needed, 16 keep rows aligned to a cache line."""


@inlined
def chunks(width: int) -> int:
    """Chunks that a row of `width` pixels takes."""
    return -(-width // LANES)


@inlined
def plane_stride(width: int) -> int:
    """Numbers from one row of a plane to the next."""
    return LEFT + -(-width // 16) * 16 + 16


@inlined
def plane_size(height: int, width: int) -> int:
    """Numbers in a plane."""
    return (height + 2 * ROWS_AROUND) * plane_stride(width)


def aligned(size: int) -> FloatArray:
    """`size` zeros that begin at a multiple of 64 bytes, a cache line and the widest register."""
    raw = np.zeros(size + 16, np.float32)
    offset = -(raw.ctypes.data // 4) % 16
    return raw[offset : offset + size]


IN_IMAGE, HAS_RIGHT, LANE_NUMBERS, EDGES = (LANES * part for part in range(4))
"""Offsets in what `edges` writes, and its length."""


@inlined
def edges(width: int, into: FloatArray) -> None:
    """About the last chunk of a row: which lanes are in the image (1 or 0), which have a neighbour in it to
    the right (1 or 0), and the lanes' numbers."""
    last = (chunks(width) - 1) * LANES
    for lane in range(LANES):
        into[IN_IMAGE + lane] = last + lane < width
        into[HAS_RIGHT + lane] = last + lane < width - 1
        into[LANE_NUMBERS + lane] = lane


@inlined
def fill(array: FloatArray, begin: int, end: int) -> None:
    """Zeros to array[begin:end]."""
    for index in range(begin, end):
        array[index] = 0


@inlined
def row_in_plane(y: int, stride: int) -> int:
    """Index of pixel (0, y) in a plane."""
    return (y + ROWS_AROUND) * stride + LEFT


@inlined
def row_in_chunks(y: int, chunks_in_row: int) -> int:
    """Index of the first chunk of row y."""
    return (y + 1) * chunks_in_row * CHUNK

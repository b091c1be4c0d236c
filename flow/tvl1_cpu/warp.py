"""The data term: the second frame, warped by the flow and linearised there.

OpenCV's threshold step (Zach et al. 2007, equation 12) takes the residual ρ(u) = ρ₀ + ∇I·u and moves u
along ∇I by −ρ/|∇I|², but no further than λθ|∇I|. With n = ∇I/|∇I| that is u − clip(e, ±limit)·n for
e = ρ₀/|∇I| + n·u: neither a branch nor a division is left to the iterations.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .jit import inlined
from .layout import (
    CHUNK,
    IN_IMAGE,
    LANE_NUMBERS,
    LIMIT,
    NX,
    NY,
    RHO,
    U1,
    U2,
    FloatArray,
    aligned,
    chunks,
    fill,
    plane_stride,
    row_in_chunks,
    row_in_plane,
)
from .simd import LANES, floor, maximum, minimum, reciprocal_root, splat
from .simd_memory import load, load_interleaved, store, store_interleaved, store_whole, weigh_4x4

BORDER = 4
"""Texels of zeros around a frame. Beyond it OpenCV's warp reads zeros too (cv2.remap, BORDER_CONSTANT);
four are as many as a cubic of four taps can meet that is pulled no further than two pixels out."""

FRACTION = 9
"""Bits after the point in the places where the second frame is read; OpenCV's warp has 5 (INTER_BITS)."""

POSITIONS = 1 << FRACTION
"""Such places between two pixels."""

CUBIC = -0.75
"""The free parameter of the cubic convolution kernel (Keys 1981), OpenCV's choice."""

NO_GRADIENT = np.float32(1e-9)
"""Added to |∇I|², so that an even area has a direction, and no weight."""


@inlined
def texel_stride(width: int) -> int:
    """Numbers from one row of texels to the next."""
    return 4 * (-(-width // 16) * 16 + 2 * BORDER)


def texel_size(height: int, width: int) -> int:
    """Numbers in the texels of a level, with what a vector may reach beyond."""
    return (height + 2 * BORDER + 1) * texel_stride(width) + 64


@inlined
def make_texels(pyramid: FloatArray, start: int, height: int, width: int, texels: FloatArray) -> None:
    """Brightness, its central differences in x and y, and 0, side by side, in a border of zeros."""
    stride, texel_row = plane_stride(width), texel_stride(width)
    half = np.float32(0.5)
    zero = splat(np.float32(0))
    fill(texels, 0, BORDER * texel_row)
    for y in range(height):
        row = start + row_in_plane(y, stride)
        to = (y + BORDER) * texel_row
        fill(texels, to, to + 4 * BORDER)
        to += 4 * BORDER
        for x in range(0, width, LANES):
            here = row + x
            across = (load(pyramid, here + 1) - load(pyramid, here - 1)) * half
            down = (load(pyramid, here + stride) - load(pyramid, here - stride)) * half
            store_interleaved(texels, to + 4 * x, (load(pyramid, here), across, down, zero))
        fill(texels, to + 4 * width, to - 4 * BORDER + texel_row)
    fill(texels, (height + BORDER) * texel_row, (height + 2 * BORDER + 1) * texel_row)


def cubic_table() -> FloatArray:
    """Weights of the four taps around a point, for each of POSITIONS places between the second and the third:
    Keys' cubic convolution kernel. POSITIONS × 4 numbers."""
    t = np.arange(POSITIONS) / POSITIONS
    near = [(CUBIC + 2) * d**3 - (CUBIC + 3) * d**2 + 1 for d in (t, 1 - t)]
    far = [CUBIC * (d**3 - 5 * d**2 + 8 * d - 4) for d in (1 + t, 2 - t)]
    table = aligned(4 * POSITIONS)
    table[:] = np.stack([far[0], near[0], near[1], far[1]], axis=1).reshape(-1)
    return table


@inlined
def warp(
    fields: FloatArray,
    pyramid: FloatArray,
    start: int,
    height: int,
    width: int,
    texels: FloatArray,
    threshold: np.float32,
    shorten: np.float32,
    edge: FloatArray,
    cubic: FloatArray,
    line: FloatArray,
    places: npt.NDArray[np.int32],
) -> None:
    """Write the data term at the flow in `fields` to `fields`.

    - `pyramid`, `start`: the first frame's plane; `texels`: the second frame's
    - `threshold`: λθ, or what the solver has in its place; `shorten`: factor of all of the term
    - `edge`, `cubic`: see layout.edges and cubic_table
    - `line`, `places` (int32): 4 and 2 rows of scratch

    Each row in three passes, so that what one stores in one width, the next may load in another.
    """
    in_row = chunks(width)
    stride, texel_row = plane_stride(width), texel_stride(width)
    scale, half = np.float32(POSITIONS), np.float32(0.5)
    lowest = splat(np.float32(-2))
    rightmost, bottom = splat(np.float32(width + 1)), splat(np.float32(height + 1))
    length = in_row * LANES
    numbers = load(edge, LANE_NUMBERS)
    for y in range(height):
        first = row_in_chunks(y, in_row)
        for x in range(0, width, LANES):
            chunk = first + x // LANES * CHUNK
            x_to = load(fields, chunk + U1) + numbers + np.float32(x)
            y_to = load(fields, chunk + U2) + np.float32(y)
            x_to = minimum(maximum(x_to, lowest), rightmost)
            y_to = minimum(maximum(y_to, lowest), bottom)
            store_whole(places, x, floor(x_to * scale + half))
            store_whole(places, length + x, floor(y_to * scale + half))
        for x in range(width):
            across, down = np.int64(places[x]), np.int64(places[length + x])
            corner = ((down >> FRACTION) + BORDER - 1) * texel_row + 4 * ((across >> FRACTION) + BORDER - 1)
            across, down = across & (POSITIONS - 1), down & (POSITIONS - 1)
            weigh_4x4(texels, corner, texel_row, cubic, 4 * across, 4 * down, line, 4 * x)
        row = start + row_in_plane(y, stride)
        for x in range(0, width, LANES):
            chunk = first + x // LANES * CHUNK
            u1, u2 = load(fields, chunk + U1), load(fields, chunk + U2)
            brightness, gx, gy, _ = load_interleaved(line, 4 * x)
            squared = gx * gx + gy * gy + NO_GRADIENT
            inverse = reciprocal_root(squared) * shorten
            if x + LANES >= width:
                inverse = inverse * load(edge, IN_IMAGE)
            nx, ny = gx * inverse, gy * inverse
            residual = (brightness - load(pyramid, row + x)) * inverse
            store(fields, chunk + RHO, residual - nx * u1 - ny * u2)
            store(fields, chunk + NX, nx)
            store(fields, chunk + NY, ny)
            store(fields, chunk + LIMIT, squared * inverse * threshold)

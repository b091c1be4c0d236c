"""The data term: the second frame, warped by the flow and linearised there.

OpenCV's threshold step (Zach et al. 2007, equation 12) takes the residual ρ(u) = ρ₀ + ∇I·u and moves u
along ∇I by −ρ/|∇I|², but no further than λθ|∇I|. With n = ∇I/|∇I| that is u − clip(e, ±limit)·n for
e = ρ₀/|∇I| + n·u: neither a branch nor a division is left to the iterations.
"""

from __future__ import annotations

import numpy as np

from .jit import inlined
from .layout import CHUNK, IN_IMAGE, LANE_NUMBERS, LIMIT, NX, NY, RHO, U1, U2, chunks, plane_stride, row_in_chunks, row_in_plane
from .simd import (
    LANES,
    floor,
    load,
    load_interleaved,
    maximum,
    minimum,
    reciprocal_root,
    splat,
    store,
    store_interleaved,
    store_whole,
    weigh_4x4,
)

BORDER = 4
"""Texels of zeros around a frame. Beyond it OpenCV's warp reads zeros too (cv2.remap, BORDER_CONSTANT);
four are as many as a cubic of four taps can meet that is pulled no further than two pixels out."""

CUBIC = np.float32(-0.75)
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
def make_texels(pyramid, start, height, width, texels):
    """Brightness, its central differences in x and y, and 0, side by side, in a border of zeros."""
    stride, texel_row = plane_stride(width), texel_stride(width)
    half = np.float32(0.5)
    zero = splat(np.float32(0))
    texels[: BORDER * texel_row] = 0
    for y in range(height):
        row = start + row_in_plane(y, stride)
        to = (y + BORDER) * texel_row
        texels[to : to + 4 * BORDER] = 0
        to += 4 * BORDER
        for x in range(0, width, LANES):
            here = row + x
            across = (load(pyramid, here + 1) - load(pyramid, here - 1)) * half
            down = (load(pyramid, here + stride) - load(pyramid, here - stride)) * half
            store_interleaved(texels, to + 4 * x, (load(pyramid, here), across, down, zero))
        texels[to + 4 * width : to - 4 * BORDER + texel_row] = 0
    texels[(height + BORDER) * texel_row : (height + 2 * BORDER + 1) * texel_row] = 0


@inlined
def cubic_weights(t):
    """Weights of the four taps around a point `t` (0…1) after the second."""
    a, one = CUBIC, np.float32(1)
    s, r = t + one, one - t
    first = ((s * a - np.float32(5) * a) * s + np.float32(8) * a) * s - np.float32(4) * a
    second = (t * (a + np.float32(2)) - (a + np.float32(3))) * t * t + one
    third = (r * (a + np.float32(2)) - (a + np.float32(3))) * r * r + one
    return first, second, third, one - first - second - third


@inlined
def warp(fields, pyramid, start, height, width, texels, threshold, shorten, edge, line, places):
    """Write the data term at the flow in `fields` to `fields`.

    - `pyramid`, `start`: the first frame's plane; `texels`: the second frame's
    - `threshold`: λθ, or what the solver has in its place; `shorten`: factor of all of the term
    - `edge`: see layout.edges
    - `line`: at least 12 × LANES, for weights and samples; `places`: int32, 2 × LANES
    """
    in_row = chunks(width)
    stride, texel_row = plane_stride(width), texel_stride(width)
    lowest = splat(np.float32(-2))
    rightmost, bottom = splat(np.float32(width + 1)), splat(np.float32(height + 1))
    across, down, samples = 0, 4 * LANES, 8 * LANES
    numbers = load(edge, LANE_NUMBERS)
    for y in range(height):
        chunk = row_in_chunks(y, in_row)
        row = start + row_in_plane(y, stride)
        for c in range(in_row):
            u1, u2 = load(fields, chunk + U1), load(fields, chunk + U2)
            x_to = minimum(maximum(u1 + numbers + np.float32(c * LANES), lowest), rightmost)
            y_to = minimum(maximum(u2 + np.float32(y), lowest), bottom)
            x_whole, y_whole = floor(x_to), floor(y_to)
            store_interleaved(line, across, cubic_weights(x_to - x_whole))
            store_interleaved(line, down, cubic_weights(y_to - y_whole))
            store_whole(places, 0, x_whole)
            store_whole(places, LANES, y_whole)
            for k in range(LANES):
                corner = (places[LANES + k] + BORDER - 1) * texel_row + 4 * (places[k] + BORDER - 1)
                weigh_4x4(texels, corner, texel_row, line, across + 4 * k, down + 4 * k, samples + 4 * k)
            brightness, gx, gy, _ = load_interleaved(line, samples)
            squared = gx * gx + gy * gy + NO_GRADIENT
            inverse = reciprocal_root(squared)
            if c == in_row - 1:
                inverse = inverse * load(edge, IN_IMAGE)
            inverse = inverse * shorten
            nx, ny = gx * inverse, gy * inverse
            store(fields, chunk + RHO, (brightness - load(pyramid, row)) * inverse - nx * u1 - ny * u2)
            store(fields, chunk + NX, nx)
            store(fields, chunk + NY, ny)
            store(fields, chunk + LIMIT, squared * inverse * threshold)
            chunk += CHUNK
            row += LANES

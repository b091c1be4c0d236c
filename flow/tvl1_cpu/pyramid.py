"""Resampling: the pyramid of a frame, and what a level hands to the next finer one.

Both are a weighted sum of a few neighbouring rows, then of a few neighbouring columns; which ones, tables
say that are made once for a frame size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .jit import entry_point, inlined
from .layout import LEFT, ROWS_AROUND, FloatArray, chunks, plane_size, plane_stride, row_in_plane
from .simd import LANES, gather, load, splat, store

Axis = tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]
"""Of each number to be made: the first one it takes (n,), and the weights from there on (taps, n)."""


class Tables(NamedTuple):
    """How each step between two levels resamples; level first, padded to the longest.

    - `rows`, `columns`: index of the first row or column taken, (levels, n) int32
    - `row_weights`, `column_weights`: (levels, taps, n) float32
    """

    rows: npt.NDArray[np.int32]
    row_weights: FloatArray
    columns: npt.NDArray[np.int32]
    column_weights: FloatArray


class Geometry(NamedTuple):
    """A pyramid's levels, finest first: sizes, where each plane starts, and the way from level to level.

    `down[l]` leads from level l to l + 1, `up[l]` from l + 1 to l.
    """

    heights: npt.NDArray[np.int64]
    widths: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    down: Tables
    up: Tables


def area(source: int, target: int) -> Axis:
    """Each of `target` numbers is the mean over its share of `source` numbers (OpenCV's INTER_AREA)."""
    ratio = source / target
    taps = min(int(np.ceil(ratio)) + 1, source)
    begin = np.arange(target) * ratio
    first = np.minimum(np.floor(begin).astype(np.int32), source - taps)
    number = first + np.arange(taps)[:, None]
    covered = np.minimum(begin + ratio, number + 1) - np.maximum(begin, number)
    weights = np.maximum(covered, 0)
    return first, (weights / weights.sum(axis=0)).astype(np.float32)


def bilinear(source: int, target: int) -> Axis:
    """Linear interpolation at pixel centres, the outermost number beyond the edge (OpenCV's INTER_LINEAR)."""
    position = np.clip((np.arange(target) + 0.5) * source / target - 0.5, 0, source - 1)
    first = np.minimum(np.floor(position).astype(np.int32), source - 2)
    second = (position - first).astype(np.float32)
    return first, np.stack([1 - second, second])


def geometry(levels: Sequence[tuple[int, int]]) -> Geometry:
    """Geometry of a pyramid whose levels have these heights and widths, finest first."""
    heights, widths = np.array(levels, np.int64).T
    sizes = [plane_size(height, width) for height, width in levels]
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    finer, coarser = levels[:-1], levels[1:]
    return Geometry(
        heights=np.ascontiguousarray(heights),
        widths=np.ascontiguousarray(widths),
        starts=starts,
        down=_tables(area, finer, coarser),
        up=_tables(bilinear, coarser, finer),
    )


def _tables(
    kind: Callable[[int, int], Axis], sources: Sequence[tuple[int, int]], targets: Sequence[tuple[int, int]]
) -> Tables:
    axes = [
        [kind(source[axis], target[axis]) for source, target in zip(sources, targets, strict=True)]
        for axis in (0, 1)
    ]
    return Tables(*_stacked(axes[0]), *_stacked(axes[1]))


def _stacked(axes: Sequence[Axis]) -> tuple[npt.NDArray[np.int32], FloatArray]:
    """One array for all levels; a vector may be read at any column, so they are padded to whole vectors."""
    longest = LANES * chunks(max((len(first) for first, _ in axes), default=1))
    taps = max((len(weights) for _, weights in axes), default=1)
    firsts = np.zeros((len(axes), longest), np.int32)
    every = np.zeros((len(axes), taps, longest), np.float32)
    for level, (first, weights) in enumerate(axes):
        firsts[level, : len(first)] = first
        every[level, : len(weights), : len(first)] = weights
    return firsts, every


@inlined
def resize(
    source, start, stride, width, target, target_start, target_row, target_vector, height_to, width_to,
    tables, level, factor, line,
):
    """Resample a plane that starts at source[start] to `height_to` × `width_to`, times `factor`.

    Row y of the result begins at target[target_start + y·target_row]; its next vectors follow at
    distances of `target_vector`. `line` holds a row, with a vector to spare.
    """
    rows, row_weights = tables.rows[level], tables.row_weights[level]
    columns, column_weights = tables.columns[level], tables.column_weights[level]
    row_taps, taps, longest = len(row_weights), len(column_weights), len(columns)
    column_weights = column_weights.reshape(taps * longest)
    for y in range(height_to):
        first = start + row_in_plane(rows[y], stride)
        for x in range(0, width, LANES):
            mixed = load(source, first + x) * (factor * row_weights[0, y])
            for tap in range(1, row_taps):
                mixed = mixed + load(source, first + tap * stride + x) * row_weights[tap, y] * factor
            store(line, x, mixed)
        to = target_start + y * target_row
        for x in range(0, width_to, LANES):
            mixed = gather(line, 0, columns, x) * load(column_weights, x)
            for tap in range(1, taps):
                mixed = mixed + gather(line, tap, columns, x) * load(column_weights, tap * longest + x)
            store(target, to, mixed)
            to += target_vector


@inlined
def extend(plane, start, height, width):
    """Fill a plane's margins with the nearest pixel of the image, as far as a 5×5 median looks."""
    stride = plane_stride(width)
    for y in range(height):
        row = start + row_in_plane(y, stride)
        for x in range(1, 1 + ROWS_AROUND):
            plane[row - x] = plane[row]
            plane[row + width - 1 + x] = plane[row + width - 1]
    top, bottom = start + row_in_plane(0, stride) - LEFT, start + row_in_plane(height - 1, stride) - LEFT
    for y in range(1, 1 + ROWS_AROUND):
        plane[top - y * stride : top - y * stride + stride] = plane[top : top + stride]
        plane[bottom + y * stride : bottom + y * stride + stride] = plane[bottom : bottom + stride]


@entry_point
def build_pyramid(frame, scale, geometry, line, pyramid):
    """Write the pyramid of `frame` (H, W), times `scale`, to `pyramid`."""
    height, width = frame.shape
    stride = plane_stride(width)
    for y in range(height):
        row = row_in_plane(y, stride)
        for x in range(width):
            pyramid[row + x] = np.float32(frame[y, x]) * scale
    extend(pyramid, 0, height, width)
    for level in range(1, len(geometry.heights)):
        finer, start = geometry.starts[level - 1], geometry.starts[level]
        width_from = geometry.widths[level - 1]
        height, width = geometry.heights[level], geometry.widths[level]
        stride = plane_stride(width)
        resize(
            pyramid, finer, plane_stride(width_from), width_from,
            pyramid, start + row_in_plane(0, stride), stride, LANES, height, width,
            geometry.down, level - 1, np.float32(1), line,
        )  # fmt: skip
        extend(pyramid, start, height, width)

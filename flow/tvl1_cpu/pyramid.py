"""Resampling: the pyramid of a frame, and what a level hands to the next finer one.

Both are a weighted sum of a few neighbouring rows, then of a few neighbouring columns; which ones, tables
say that are made once for a frame size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..resampling import Axis, bilinear, to_coarser
from ..schedule import Schedule
from .jit import entry_point, inlined
from .layout import (
    CHUNK,
    LEFT,
    ROWS_AROUND,
    FloatArray,
    chunks,
    plane_size,
    plane_stride,
    row_in_chunks,
    row_in_plane,
)
from .simd import LANES, splat
from .simd_memory import gather, gather_near, load, store


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


def geometry(schedule: Schedule, height: int, width: int) -> Geometry:
    """Geometry of the pyramid that `schedule` has for frames of this size."""
    levels = schedule.levels(height, width)
    heights, widths = np.array(levels, np.int64).T
    sizes = [plane_size(*level) for level in levels]
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    finer, coarser = levels[:-1], levels[1:]
    return Geometry(
        heights=np.ascontiguousarray(heights),
        widths=np.ascontiguousarray(widths),
        starts=starts,
        down=_tables(to_coarser(schedule), finer, coarser),
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
def shrink(
    source: FloatArray,
    start: int,
    width: int,
    target: FloatArray,
    target_start: int,
    height_to: int,
    width_to: int,
    tables: Tables,
    level: int,
    line: FloatArray,
) -> None:
    """Resample the plane at source[start] to that at target[target_start], `height_to` × `width_to`.

    `line` holds a row of the source.
    """
    rows, row_weights = tables.rows[level], tables.row_weights[level]
    columns, column_weights = tables.columns[level], tables.column_weights[level]
    stride, stride_to = plane_stride(width), plane_stride(width_to)
    for y in range(height_to):
        first = start + row_in_plane(rows[y], stride)
        for x in range(0, width, LANES):
            mixed = splat(np.float32(0))
            for tap in range(len(row_weights)):
                mixed = mixed + load(source, first + tap * stride + x) * row_weights[tap, y]
            store(line, x, mixed)
        to = target_start + row_in_plane(y, stride_to)
        for x in range(0, width_to, LANES):
            mixed = splat(np.float32(0))
            for tap in range(len(column_weights)):
                mixed = mixed + gather(line, tap, columns, x) * load(column_weights[tap], x)
            store(target, to + x, mixed)


@inlined
def magnify(
    source: FloatArray,
    start: int,
    width: int,
    fields: FloatArray,
    field: int,
    height_to: int,
    width_to: int,
    tables: Tables,
    level: int,
    factor: np.float32,
    line: FloatArray,
) -> None:
    """Resample the plane at source[start], times `factor`, to one field of chunks, `height_to` × `width_to`.

    Bilinear, and to a size that is larger by a tenth at least. `line` holds a row of the source.
    """
    rows, second_row = tables.rows[level], tables.row_weights[level, 1]
    columns, second_column = tables.columns[level], tables.column_weights[level, 1]
    stride, in_row = plane_stride(width), chunks(width_to)
    for y in range(height_to):
        first = start + row_in_plane(rows[y], stride)
        for x in range(0, width, LANES):
            upper, lower = load(source, first + x), load(source, first + stride + x)
            store(line, x, (upper + (lower - upper) * second_row[y]) * factor)
        to = row_in_chunks(y, in_row) + field
        for x in range(0, width_to, LANES):
            left, right = gather_near(line, 0, columns, x), gather_near(line, 1, columns, x)
            store(fields, to + x // LANES * CHUNK, left + (right - left) * load(second_column, x))


@inlined
def extend(plane: FloatArray, start: int, height: int, width: int) -> None:
    """Fill a plane's margins with the nearest pixel of the image, as far as a 5×5 median looks."""
    stride = plane_stride(width)
    for y in range(height):
        row = start + row_in_plane(y, stride)
        for x in range(1, 1 + ROWS_AROUND):
            plane[row - x] = plane[row]
            plane[row + width - 1 + x] = plane[row + width - 1]
    top, bottom = start + row_in_plane(0, stride) - LEFT, start + row_in_plane(height - 1, stride) - LEFT
    for y in range(1, 1 + ROWS_AROUND):
        for x in range(stride):
            plane[top - y * stride + x] = plane[top + x]
            plane[bottom + y * stride + x] = plane[bottom + x]


@entry_point
def build_pyramid(
    frame: npt.NDArray[Any], scale: np.float32, geometry: Geometry, line: FloatArray, pyramid: FloatArray
) -> None:
    """Write the pyramid of `frame` (H, W), times `scale`, to `pyramid`."""
    height, width = frame.shape
    stride = plane_stride(width)
    for y in range(height):
        row = row_in_plane(y, stride)
        for x in range(width):
            pyramid[row + x] = np.float32(frame[y, x]) * scale
    extend(pyramid, 0, height, width)
    for level in range(1, len(geometry.heights)):
        start, height, width = geometry.starts[level], geometry.heights[level], geometry.widths[level]
        shrink(
            pyramid, geometry.starts[level - 1], geometry.widths[level - 1], pyramid, start, height, width,
            geometry.down, level - 1, line,
        )  # fmt: skip
        extend(pyramid, start, height, width)

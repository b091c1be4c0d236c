"""Median filters of the flow, 3×3 and 5×5, by the networks of flow/sorting_networks.py."""

from __future__ import annotations

from ..sorting_networks import MEDIAN_AT, SELECT, SORT
from .jit import inlined
from .layout import (
    CHUNK,
    IN_IMAGE,
    LEFT,
    U1,
    U2,
    FloatArray,
    chunks,
    plane_stride,
    row_in_chunks,
    row_in_plane,
)
from .pyramid import extend
from .simd import LANES, Vector, sorting_network
from .simd_memory import load, store

sort_3 = sorting_network(3, SORT[3], (0, 1, 2))
sort_5 = sorting_network(5, SORT[5], (0, 1, 2, 3, 4))
median_of_3_columns = sorting_network(9, SELECT[3], (MEDIAN_AT[3],))
median_of_5_columns = sorting_network(25, SELECT[5], (MEDIAN_AT[5],))


@inlined
def flow_to_plane(
    fields: FloatArray, field: int, height: int, width: int, plane: FloatArray, start: int
) -> None:
    """Copy one field of all chunks to a plane, and extend it into the margins."""
    in_row, stride = chunks(width), plane_stride(width)
    for y in range(height):
        chunk = row_in_chunks(y, in_row) + field
        row = start + row_in_plane(y, stride)
        for c in range(in_row):
            store(plane, row + c * LANES, load(fields, chunk + c * CHUNK))
    extend(plane, start, height, width)


@inlined
def column_3(plane: FloatArray, at: int, stride: int) -> tuple[Vector, Vector, Vector]:
    """The three numbers around plane[at] in its column, sorted, for LANES columns."""
    above, here, below = sort_3((load(plane, at - stride), load(plane, at), load(plane, at + stride)))
    return above, here, below


@inlined
def median_row_3(
    plane: FloatArray,
    row: int,
    stride: int,
    width: int,
    lines: FloatArray,
    fields: FloatArray,
    chunk: int,
    edge: FloatArray,
) -> None:
    """Medians of the windows around one row, to the chunks from `chunk` on."""
    length = stride
    for x in range(-LEFT, stride - LEFT, LANES):
        a, b, c = column_3(plane, row + x, stride)
        at = LEFT + x
        store(lines, at, a)
        store(lines, at + length, b)
        store(lines, at + 2 * length, c)
    in_row = chunks(width)
    for c in range(in_row):
        at = LEFT + c * LANES - 1
        k, m = length, 2 * length
        (median,) = median_of_3_columns((
            load(lines, at), load(lines, at + k), load(lines, at + m),
            load(lines, at + 1), load(lines, at + 1 + k), load(lines, at + 1 + m),
            load(lines, at + 2), load(lines, at + 2 + k), load(lines, at + 2 + m),
        ))  # fmt: skip
        if c == in_row - 1:
            median = median * load(edge, IN_IMAGE)
        store(fields, chunk + c * CHUNK, median)


@inlined
def column_of(lines: FloatArray, at: int, length: int) -> tuple[Vector, Vector, Vector, Vector, Vector]:
    """One sorted column of five, for LANES columns."""
    return (
        load(lines, at),
        load(lines, at + length),
        load(lines, at + 2 * length),
        load(lines, at + 3 * length),
        load(lines, at + 4 * length),
    )


@inlined
def median_row_5(
    plane: FloatArray,
    row: int,
    stride: int,
    width: int,
    lines: FloatArray,
    fields: FloatArray,
    chunk: int,
    edge: FloatArray,
) -> None:
    """Medians of the windows around one row, to the chunks from `chunk` on."""
    length = stride
    for x in range(-LEFT, stride - LEFT, LANES):
        above, here, below = row + x - stride, row + x, row + x + stride
        sorted_column = sort_5((
            load(plane, above - stride), load(plane, above), load(plane, here), load(plane, below),
            load(plane, below + stride),
        ))  # fmt: skip
        for k in range(5):
            store(lines, LEFT + x + k * length, sorted_column[k])
    in_row = chunks(width)
    for c in range(in_row):
        at = LEFT + c * LANES - 2
        (median,) = median_of_5_columns(
            column_of(lines, at, length)
            + column_of(lines, at + 1, length)
            + column_of(lines, at + 2, length)
            + column_of(lines, at + 3, length)
            + column_of(lines, at + 4, length)
        )
        if c == in_row - 1:
            median = median * load(edge, IN_IMAGE)
        store(fields, chunk + c * CHUNK, median)


@inlined
def median_filter(
    fields: FloatArray,
    height: int,
    width: int,
    side: int,
    plane: FloatArray,
    lines: FloatArray,
    edge: FloatArray,
) -> None:
    """Replace the flow in `fields` by its medians over `side` × `side` windows, the edge repeated outward.

    `plane` is scratch of the level's size, `lines` five of its rows.
    """
    in_row, stride = chunks(width), plane_stride(width)
    for field in (U1, U2):
        flow_to_plane(fields, field, height, width, plane, 0)
        for y in range(height):
            row, chunk = row_in_plane(y, stride), row_in_chunks(y, in_row) + field
            if side == 3:
                median_row_3(plane, row, stride, width, lines, fields, chunk, edge)
            else:
                median_row_5(plane, row, stride, width, lines, fields, chunk, edge)

"""Median filters of the flow, 3×3 and 5×5, as sorting networks.

Columns are sorted first, and serve every window that they are part of. A second network then takes the
median from the sorted columns. Both are proven by the 0–1 principle (Knuth, vol. 3, 5.3.4) in the tests:
there are only (side + 1)^side ways to fill sorted columns with zeros and ones.
"""

from __future__ import annotations

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
from .simd import LANES, Vector, load, sorting_network, store

SORT_3 = ((0, 2), (0, 1), (1, 2))
SORT_5 = ((0, 3), (1, 4), (0, 2), (1, 3), (0, 1), (2, 4), (1, 2), (3, 4), (2, 3))
"""Optimal networks that sort a column (Knuth, vol. 3, 5.3.4)."""

MEDIAN_3 = ((0, 3), (3, 6), (1, 4), (4, 7), (1, 4), (2, 5), (2, 8), (4, 6), (2, 4), (4, 6))
MEDIAN_5 = (
    (0, 15), (5, 20), (0, 10), (10, 20), (5, 10), (15, 20), (10, 15), (1, 16), (1, 11), (6, 16), (1, 6),
    (11, 21), (6, 11), (16, 21), (11, 16), (2, 17), (7, 22), (2, 12), (7, 17), (2, 7), (12, 22), (7, 12),
    (17, 22), (12, 17), (3, 18), (8, 23), (3, 13), (8, 18), (3, 8), (13, 23), (8, 13), (13, 18), (4, 19),
    (9, 24), (4, 14), (9, 19), (4, 9), (14, 24), (9, 14), (7, 11), (3, 15), (12, 20), (8, 4), (11, 15),
    (12, 8), (20, 4), (16, 9), (21, 17), (20, 8), (16, 13), (15, 20), (20, 8), (20, 21), (15, 20),
    (8, 16), (20, 8),
)  # fmt: skip
"""Compare-exchanges that leave the median of sorted columns at MEDIAN_3_AT or MEDIAN_5_AT; input 5i + j (or
3i + j) is number j of column i. Found by taking away from a network that sorts the rows, then what can
still be the median, whatever the tests' proof does not need."""

MEDIAN_3_AT = 4
MEDIAN_5_AT = 8

sort_3 = sorting_network(3, SORT_3, (0, 1, 2))
sort_5 = sorting_network(5, SORT_5, (0, 1, 2, 3, 4))
median_of_3_columns = sorting_network(9, MEDIAN_3, (MEDIAN_3_AT,))
median_of_5_columns = sorting_network(25, MEDIAN_5, (MEDIAN_5_AT,))


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

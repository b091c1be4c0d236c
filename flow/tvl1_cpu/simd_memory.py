"""Vectors from arrays and to them, as numba code: loads, stores, gathers, and numbers that lie interleaved.

Arrays are one-dimensional, float32 where nothing else is said; indices count elements and are not checked.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types

from .simd import (
    AVX2,
    AVX512,
    FAST,
    FLOAT,
    INDICES,
    INT32,
    INT64,
    LANES,
    VECTOR,
    broadcast,
    call,
    instruction,
    tuple_of,
    vector,
)


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, index: Any, into: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index], inbounds=True), into.as_pointer())


@instruction
def load(_typing: Any, array: Any, index: Any) -> Any:
    """The vector at array[index : index + LANES]."""

    def emit(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        loaded = builder.load(_pointer(context, builder, sig.args[0], values[0], values[1], VECTOR))
        loaded.align = 4
        return loaded

    return vector(array, types.int64), emit


@instruction
def store(_typing: Any, array: Any, index: Any, value: Any) -> Any:
    """Write `value` to array[index : index + LANES]."""

    def emit(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        stored = builder.store(
            values[2], _pointer(context, builder, sig.args[0], values[0], values[1], VECTOR)
        )
        stored.align = 4
        return context.get_constant_generic(builder, types.none, None)

    return types.none(array, types.int64, vector), emit


@instruction
def gather(_typing: Any, array: Any, start: Any, indices: Any, index: Any) -> Any:
    """array[start + i] for the LANES indices i at indices[index], an int32 array."""

    def emit(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        source = _pointer(context, builder, sig.args[0], values[0], values[1], FLOAT)
        where = builder.load(_pointer(context, builder, sig.args[2], values[2], values[3], INDICES))
        where.align = 4
        pointers = builder.gep(source, [where], source_etype=FLOAT)
        # A vector index makes a vector of pointers, which llvmlite does not know.
        pointers.type = ir.VectorType(source.type, LANES)
        name = f"llvm.masked.gather.v{LANES}f32.v{LANES}p0"
        mask = ir.Constant(ir.VectorType(ir.IntType(1), LANES), [1] * LANES)
        return call(
            builder,
            name,
            VECTOR,
            [pointers, ir.Constant(INT32, 4), mask, ir.Constant(VECTOR, ir.Undefined)],
        )

    return vector(array, types.int64, indices, types.int64), emit


@instruction
def gather_near(_typing: Any, array: Any, start: Any, indices: Any, index: Any) -> Any:
    """`gather` for indices of which none lies more than LANES − 1 after the first: one load and a shuffle.

    Where one does, that lane's result is any of the numbers loaded.
    """

    def emit(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        array, start, indices, index = values
        where = builder.load(_pointer(context, builder, sig.args[2], indices, index, INDICES))
        where.align = 4
        first = builder.extract_element(where, ir.Constant(INT32, 0))
        start = builder.add(start, builder.sext(first, INT64))
        window = builder.load(_pointer(context, builder, sig.args[0], array, start, VECTOR))
        window.align = 4
        within = builder.sub(where, broadcast(builder, first, INDICES))
        within = builder.and_(within, broadcast(builder, ir.Constant(INT32, LANES - 1), INDICES))
        return _permuted(builder, window, within)

    return vector(array, types.int64, indices, types.int64), emit


def _permuted(builder: Any, window: Any, lanes: Any) -> Any:
    """The lanes of `window` that `lanes` number."""
    if AVX512:
        return call(builder, "llvm.x86.avx512.permvar.sf.512", VECTOR, [window, lanes])
    if AVX2:
        return call(builder, "llvm.x86.avx2.permps", VECTOR, [window, lanes])
    permuted = ir.Constant(VECTOR, ir.Undefined)
    for lane in range(LANES):
        number = ir.Constant(INT32, lane)
        picked = builder.extract_element(window, builder.extract_element(lanes, number))
        permuted = builder.insert_element(permuted, picked, number)
    return permuted


@instruction
def store_whole(_typing: Any, array: Any, index: Any, value: Any) -> Any:
    """Write the lanes of `value`, whole numbers, to the int32 array[index : index + LANES]."""

    def emit(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        whole = builder.fptosi(values[2], INDICES)
        stored = builder.store(whole, _pointer(context, builder, sig.args[0], values[0], values[1], INDICES))
        stored.align = 4
        return context.get_constant_generic(builder, types.none, None)

    return types.none(array, types.int64, vector), emit


def _lanes(first: int, step: int, count: int) -> Any:
    return ir.Constant(ir.VectorType(INT32, count), [first + step * lane for lane in range(count)])


@instruction
def store_interleaved(_typing: Any, array: Any, index: Any, values: Any) -> Any:
    """Write four vectors so that lane i of all four lies at array[index + 4i : index + 4i + 4]."""

    def emit(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        a, b, c, d = (builder.extract_value(arguments[2], k) for k in range(4))
        side_by_side = _lanes(0, 1, 2 * LANES)
        ab, cd = builder.shuffle_vector(a, b, side_by_side), builder.shuffle_vector(c, d, side_by_side)
        order = [field * LANES + lane for lane in range(LANES) for field in range(4)]
        mixed = builder.shuffle_vector(ab, cd, ir.Constant(ir.VectorType(INT32, 4 * LANES), order))
        where = _pointer(context, builder, sig.args[0], arguments[0], arguments[1], mixed.type)
        builder.store(mixed, where).align = 4
        return context.get_constant_generic(builder, types.none, None)

    return types.none(array, types.int64, tuple_of(4)), emit


@instruction
def store_pairs(_typing: Any, array: Any, index: Any, first: Any, second: Any) -> Any:
    """Write two vectors so that lane i of both lies at array[index + 2i : index + 2i + 2]."""

    def emit(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        array, index, first, second = arguments
        order = [field * LANES + lane for lane in range(LANES) for field in range(2)]
        mixed = builder.shuffle_vector(first, second, ir.Constant(ir.VectorType(INT32, 2 * LANES), order))
        builder.store(mixed, _pointer(context, builder, sig.args[0], array, index, mixed.type)).align = 4
        return context.get_constant_generic(builder, types.none, None)

    return types.none(array, types.int64, vector, vector), emit


@instruction
def load_interleaved(_typing: Any, array: Any, index: Any) -> Any:
    """Four vectors: of lane i, the numbers at array[index + 4i : index + 4i + 4]."""

    def emit(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        wide = ir.VectorType(FLOAT, 4 * LANES)
        mixed = builder.load(_pointer(context, builder, sig.args[0], arguments[0], arguments[1], wide))
        mixed.align = 4
        fields = [builder.shuffle_vector(mixed, mixed, _lanes(field, 4, LANES)) for field in range(4)]
        return context.make_tuple(builder, sig.return_type, fields)

    return tuple_of(4)(array, types.int64), emit


@instruction
def weigh_4x4(
    _typing: Any,
    texels: Any,
    start: Any,
    stride: Any,
    weights: Any,
    across: Any,
    down: Any,
    sums: Any,
    to: Any,
) -> Any:
    """Write Σⱼ Σᵢ weights[down + j] · weights[across + i] · texel(i, j) to sums[to : to + 4].

    texel(i, j) are the four numbers at texels[start + j·stride + 4i]: a row of four is one load.
    """

    def emit(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        texels, start, stride, weights, across, down, sums, to = arguments
        row_type, quad = ir.VectorType(FLOAT, 16), ir.VectorType(FLOAT, 4)

        def read(array: Any, kind: Any, index: Any, into: Any) -> Any:
            loaded = builder.load(_pointer(context, builder, kind, array, index, into))
            loaded.align = 4
            return loaded

        rows = None
        for j in range(4):
            offset = ir.Constant(INT64, j)
            row = read(texels, sig.args[0], builder.add(start, builder.mul(stride, offset)), row_type)
            weight = read(weights, sig.args[3], builder.add(down, offset), FLOAT)
            weighted = builder.fmul(row, broadcast(builder, weight, row_type), flags=FAST)
            rows = weighted if rows is None else builder.fadd(rows, weighted, flags=FAST)
        columns = read(weights, sig.args[3], across, quad)
        each_four_times = ir.Constant(ir.VectorType(INT32, 16), [lane // 4 for lane in range(16)])
        rows = builder.fmul(rows, builder.shuffle_vector(columns, columns, each_four_times), flags=FAST)
        for half in (8, 4):
            low = builder.shuffle_vector(rows, rows, _lanes(0, 1, half))
            high = builder.shuffle_vector(rows, rows, _lanes(half, 1, half))
            rows = builder.fadd(low, high, flags=FAST)
        builder.store(rows, _pointer(context, builder, sig.args[6], sums, to, quad)).align = 4
        return context.get_constant_generic(builder, types.none, None)

    index = types.int64
    return types.none(texels, index, index, weights, index, index, sums, index), emit

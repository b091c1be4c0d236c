"""Vectors of float32 as values in numba code, so that a kernel says what is one instruction.

LLVM's own vectoriser needs to prove that arrays do not overlap, which it cannot for a stencil that works in
place, and stays at half the width of the registers that this engine can use. `load`, arithmetic and `store`
on vectors of LANES leave it nothing to prove. Where the hardware's registers are narrower, LLVM splits the
vectors.

Arrays are one-dimensional, float32 where nothing else is said; indices count elements and are not checked.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import llvmlite.binding
import numba
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.typing.templates import ConcreteTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model


def _compiles_for(feature: str) -> bool:
    """Whether numba's code may use this feature: the processor's, or what NUMBA_CPU_FEATURES says instead."""
    if numba.config.CPU_FEATURES is not None:
        return f"+{feature}" in numba.config.CPU_FEATURES.split(",")
    return bool(llvmlite.binding.get_host_cpu_features().get(feature))


AVX512 = _compiles_for("avx512f")
AVX2 = _compiles_for("avx2")
AVX = _compiles_for("avx")

LANES = 16 if AVX512 else 8
"""Numbers in a vector: a 512-bit register, or the 256 bits that everything since AVX does well."""

FAST = ("fast",)
"""Let LLVM contract a·b + c to one instruction and reorder sums."""

_FLOAT = ir.FloatType()
_INT32 = ir.IntType(32)
_VECTOR = ir.VectorType(_FLOAT, LANES)
_INDICES = ir.VectorType(_INT32, LANES)
_INT64 = ir.IntType(64)


def instruction(typed: Callable[..., Any]) -> Any:
    """Make a function for compiled code from `typed`, which numba gives the arguments' types.

    It returns the signature and what writes the instructions to LLVM.
    """
    return intrinsic(typed)


class VectorType(types.Type):
    """LANES of float32, by value."""

    def __init__(self) -> None:
        super().__init__(name=f"float32x{LANES}")


vector = VectorType()

Vector = Any
"""How Python annotates a `vector`."""


def _tuple_of(count: int) -> Any:
    return types.containers.UniTuple(vector, count)


@register_model(VectorType)
class _VectorModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, numba_type: Any) -> None:
        super().__init__(manager, numba_type, _VECTOR)


def _broadcast(builder: Any, scalar: Any, into: Any = _VECTOR) -> Any:
    undefined = ir.Constant(into, ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(_INT32, 0))
    return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(_INT32, into.count), None))


def _register_arithmetic(function: Any, emit: Callable[..., Any]) -> None:
    """`function` on two vectors, or on a vector and a float32, is `emit(builder, a, b)`."""
    cases = [(vector, vector), (vector, types.float32), (types.float32, vector)]

    class Arithmetic(ConcreteTemplate):  # type: ignore[misc]
        key = function

    Arithmetic.cases = [signature(vector, *case) for case in cases]
    infer_global(function)(Arithmetic)

    def lower(_context: Any, builder: Any, sig: Any, values: Any) -> Any:
        operands = [
            value if argument == vector else _broadcast(builder, value)
            for value, argument in zip(values, sig.args, strict=True)
        ]
        return emit(builder, *operands)

    for case in cases:
        lower_builtin(function, *case)(lower)


def minimum(a: Vector, b: Vector) -> Vector:
    """The smaller of each pair of lanes."""
    raise NotImplementedError("for compiled code only")


def maximum(a: Vector, b: Vector) -> Vector:
    """The larger of each pair of lanes."""
    raise NotImplementedError("for compiled code only")


_register_arithmetic(operator.add, lambda builder, a, b: builder.fadd(a, b, flags=FAST))
_register_arithmetic(operator.sub, lambda builder, a, b: builder.fsub(a, b, flags=FAST))
_register_arithmetic(operator.mul, lambda builder, a, b: builder.fmul(a, b, flags=FAST))
_register_arithmetic(
    minimum, lambda builder, a, b: builder.select(builder.fcmp_ordered("<", a, b, flags=FAST), a, b)
)
_register_arithmetic(
    maximum, lambda builder, a, b: builder.select(builder.fcmp_ordered(">", a, b, flags=FAST), a, b)
)


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, index: Any, into: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index], inbounds=True), into.as_pointer())


@instruction
def load(_typing: Any, array: Any, index: Any) -> Any:
    """The vector at array[index : index + LANES]."""

    def emit(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        loaded = builder.load(_pointer(context, builder, sig.args[0], values[0], values[1], _VECTOR))
        loaded.align = 4
        return loaded

    return vector(array, types.int64), emit


@instruction
def store(_typing: Any, array: Any, index: Any, value: Any) -> Any:
    """Write `value` to array[index : index + LANES]."""

    def emit(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        stored = builder.store(
            values[2], _pointer(context, builder, sig.args[0], values[0], values[1], _VECTOR)
        )
        stored.align = 4
        return context.get_constant_generic(builder, types.none, None)

    return types.none(array, types.int64, vector), emit


@instruction
def splat(_typing: Any, scalar: Any) -> Any:
    """A vector whose lanes are all the float32 `scalar`."""

    def emit(_context: Any, builder: Any, _sig: Any, values: Any) -> Any:
        return _broadcast(builder, values[0])

    return vector(types.float32), emit


@instruction
def floor(_typing: Any, value: Any) -> Any:
    """The largest whole number not above each lane."""

    def emit(_context: Any, builder: Any, _sig: Any, values: Any) -> Any:
        return _call(builder, f"llvm.floor.v{LANES}f32", _VECTOR, values)

    return vector(vector), emit


def _call(builder: Any, name: str, returns: Any, values: Any) -> Any:
    kind = ir.FunctionType(returns, [value.type for value in values])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), values)


def _estimate_14(builder: Any, name: str, value: Any) -> Any:
    """One of AVX-512's estimates with a relative error below 2⁻¹⁴ (Intel's manual: VRCP14PS, VRSQRT14PS)."""
    every_lane = ir.Constant(ir.IntType(16), -1)
    return _call(
        builder, f"llvm.x86.avx512.{name}.ps.512", _VECTOR, [value, ir.Constant(_VECTOR, None), every_lane]
    )


def _reciprocal(builder: Any, value: Any) -> Any:
    return builder.fdiv(_broadcast(builder, ir.Constant(_FLOAT, 1.0)), value, flags=FAST)


def _reciprocal_root(builder: Any, value: Any) -> Any:
    return _reciprocal(builder, _call(builder, f"llvm.sqrt.v{LANES}f32", _VECTOR, [value]))


@instruction
def reciprocal_estimate(_typing: Any, value: Any) -> Any:
    """1 / value, to 1.5 · 2⁻¹² or better (Intel's manual: RCPPS)."""

    def emit(_context: Any, builder: Any, _sig: Any, values: Any) -> Any:
        if AVX512:
            return _estimate_14(builder, "rcp14", values[0])
        if AVX:
            return _call(builder, "llvm.x86.avx.rcp.ps.256", _VECTOR, values)
        return _reciprocal(builder, values[0])

    return vector(vector), emit


@instruction
def reciprocal_root_estimate(_typing: Any, value: Any) -> Any:
    """1 / √value, to 1.5 · 2⁻¹² or better (Intel's manual: RSQRTPS), for values that are above zero."""

    def emit(_context: Any, builder: Any, _sig: Any, values: Any) -> Any:
        if AVX512:
            return _estimate_14(builder, "rsqrt14", values[0])
        if AVX:
            return _call(builder, "llvm.x86.avx.rsqrt.ps.256", _VECTOR, values)
        return _reciprocal_root(builder, values[0])

    return vector(vector), emit


@instruction
def reciprocal_root(_typing: Any, value: Any) -> Any:
    """1 / √value, to 2⁻¹⁴ or better, for values that are above zero."""

    def emit(_context: Any, builder: Any, _sig: Any, values: Any) -> Any:
        if AVX512:
            return _estimate_14(builder, "rsqrt14", values[0])
        return _reciprocal_root(builder, values[0])

    return vector(vector), emit


def _concatenated(offset: int) -> Any:
    """Lanes `offset` to `offset + LANES` of two vectors side by side."""

    def typed(_typing: Any, first: Any, second: Any) -> Any:
        def emit(_context: Any, builder: Any, _sig: Any, values: Any) -> Any:
            lanes = ir.Constant(_INDICES, [offset + lane for lane in range(LANES)])
            return builder.shuffle_vector(values[0], values[1], lanes)

        return vector(vector, vector), emit

    return typed


@instruction
def one_before(typing: Any, before: Any, here: Any) -> Any:
    """Each lane's left neighbour: `here` moved right by one, its first lane the last of `before`."""
    return _concatenated(LANES - 1)(typing, before, here)


@instruction
def one_after(typing: Any, here: Any, after: Any) -> Any:
    """Each lane's right neighbour: `here` moved left by one, its last lane the first of `after`."""
    return _concatenated(1)(typing, here, after)


@instruction
def total(_typing: Any, value: Any) -> Any:
    """The sum of the lanes, float32."""

    def emit(_context: Any, builder: Any, _sig: Any, values: Any) -> Any:
        kind = ir.FunctionType(_FLOAT, [_FLOAT, _VECTOR])
        function = cgutils.get_or_insert_function(
            builder.module, kind, f"llvm.vector.reduce.fadd.v{LANES}f32"
        )
        return builder.call(function, [ir.Constant(_FLOAT, 0.0), values[0]], fastmath=FAST)

    return types.float32(vector), emit


@instruction
def gather(_typing: Any, array: Any, start: Any, indices: Any, index: Any) -> Any:
    """array[start + i] for the LANES indices i at indices[index], an int32 array."""

    def emit(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        source = _pointer(context, builder, sig.args[0], values[0], values[1], _FLOAT)
        where = builder.load(_pointer(context, builder, sig.args[2], values[2], values[3], _INDICES))
        where.align = 4
        pointers = builder.gep(source, [where], source_etype=_FLOAT)
        # A vector index makes a vector of pointers, which llvmlite does not know.
        pointers.type = ir.VectorType(source.type, LANES)
        name = f"llvm.masked.gather.v{LANES}f32.v{LANES}p0"
        mask = ir.Constant(ir.VectorType(ir.IntType(1), LANES), [1] * LANES)
        return _call(
            builder,
            name,
            _VECTOR,
            [pointers, ir.Constant(_INT32, 4), mask, ir.Constant(_VECTOR, ir.Undefined)],
        )

    return vector(array, types.int64, indices, types.int64), emit


@instruction
def gather_near(_typing: Any, array: Any, start: Any, indices: Any, index: Any) -> Any:
    """`gather` for indices of which none lies more than LANES − 1 after the first: one load and a shuffle.

    Where one does, that lane's result is any of the numbers loaded.
    """

    def emit(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        array, start, indices, index = values
        where = builder.load(_pointer(context, builder, sig.args[2], indices, index, _INDICES))
        where.align = 4
        first = builder.extract_element(where, ir.Constant(_INT32, 0))
        start = builder.add(start, builder.sext(first, _INT64))
        window = builder.load(_pointer(context, builder, sig.args[0], array, start, _VECTOR))
        window.align = 4
        within = builder.sub(where, _broadcast(builder, first, _INDICES))
        within = builder.and_(within, _broadcast(builder, ir.Constant(_INT32, LANES - 1), _INDICES))
        return _permuted(builder, window, within)

    return vector(array, types.int64, indices, types.int64), emit


def _permuted(builder: Any, window: Any, lanes: Any) -> Any:
    """The lanes of `window` that `lanes` number."""
    if AVX512:
        return _call(builder, "llvm.x86.avx512.permvar.sf.512", _VECTOR, [window, lanes])
    if AVX2:
        return _call(builder, "llvm.x86.avx2.permps", _VECTOR, [window, lanes])
    permuted = ir.Constant(_VECTOR, ir.Undefined)
    for lane in range(LANES):
        number = ir.Constant(_INT32, lane)
        picked = builder.extract_element(window, builder.extract_element(lanes, number))
        permuted = builder.insert_element(permuted, picked, number)
    return permuted


@instruction
def store_whole(_typing: Any, array: Any, index: Any, value: Any) -> Any:
    """Write the lanes of `value`, whole numbers, to the int32 array[index : index + LANES]."""

    def emit(context: Any, builder: Any, sig: Any, values: Any) -> Any:
        whole = builder.fptosi(values[2], _INDICES)
        stored = builder.store(whole, _pointer(context, builder, sig.args[0], values[0], values[1], _INDICES))
        stored.align = 4
        return context.get_constant_generic(builder, types.none, None)

    return types.none(array, types.int64, vector), emit


def _lanes(first: int, step: int, count: int) -> Any:
    return ir.Constant(ir.VectorType(_INT32, count), [first + step * lane for lane in range(count)])


@instruction
def store_interleaved(_typing: Any, array: Any, index: Any, values: Any) -> Any:
    """Write four vectors so that lane i of all four lies at array[index + 4i : index + 4i + 4]."""

    def emit(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        a, b, c, d = (builder.extract_value(arguments[2], k) for k in range(4))
        side_by_side = _lanes(0, 1, 2 * LANES)
        ab, cd = builder.shuffle_vector(a, b, side_by_side), builder.shuffle_vector(c, d, side_by_side)
        order = [field * LANES + lane for lane in range(LANES) for field in range(4)]
        mixed = builder.shuffle_vector(ab, cd, ir.Constant(ir.VectorType(_INT32, 4 * LANES), order))
        where = _pointer(context, builder, sig.args[0], arguments[0], arguments[1], mixed.type)
        builder.store(mixed, where).align = 4
        return context.get_constant_generic(builder, types.none, None)

    return types.none(array, types.int64, _tuple_of(4)), emit


@instruction
def store_pairs(_typing: Any, array: Any, index: Any, first: Any, second: Any) -> Any:
    """Write two vectors so that lane i of both lies at array[index + 2i : index + 2i + 2]."""

    def emit(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        array, index, first, second = arguments
        order = [field * LANES + lane for lane in range(LANES) for field in range(2)]
        mixed = builder.shuffle_vector(first, second, ir.Constant(ir.VectorType(_INT32, 2 * LANES), order))
        builder.store(mixed, _pointer(context, builder, sig.args[0], array, index, mixed.type)).align = 4
        return context.get_constant_generic(builder, types.none, None)

    return types.none(array, types.int64, vector, vector), emit


@instruction
def load_interleaved(_typing: Any, array: Any, index: Any) -> Any:
    """Four vectors: of lane i, the numbers at array[index + 4i : index + 4i + 4]."""

    def emit(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
        wide = ir.VectorType(_FLOAT, 4 * LANES)
        mixed = builder.load(_pointer(context, builder, sig.args[0], arguments[0], arguments[1], wide))
        mixed.align = 4
        fields = [builder.shuffle_vector(mixed, mixed, _lanes(field, 4, LANES)) for field in range(4)]
        return context.make_tuple(builder, sig.return_type, fields)

    return _tuple_of(4)(array, types.int64), emit


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
        row_type, quad = ir.VectorType(_FLOAT, 16), ir.VectorType(_FLOAT, 4)

        def read(array: Any, kind: Any, index: Any, into: Any) -> Any:
            loaded = builder.load(_pointer(context, builder, kind, array, index, into))
            loaded.align = 4
            return loaded

        rows = None
        for j in range(4):
            offset = ir.Constant(_INT64, j)
            row = read(texels, sig.args[0], builder.add(start, builder.mul(stride, offset)), row_type)
            weight = read(weights, sig.args[3], builder.add(down, offset), _FLOAT)
            weighted = builder.fmul(row, _broadcast(builder, weight, row_type), flags=FAST)
            rows = weighted if rows is None else builder.fadd(rows, weighted, flags=FAST)
        columns = read(weights, sig.args[3], across, quad)
        each_four_times = ir.Constant(ir.VectorType(_INT32, 16), [lane // 4 for lane in range(16)])
        rows = builder.fmul(rows, builder.shuffle_vector(columns, columns, each_four_times), flags=FAST)
        for half in (8, 4):
            low = builder.shuffle_vector(rows, rows, _lanes(0, 1, half))
            high = builder.shuffle_vector(rows, rows, _lanes(half, 1, half))
            rows = builder.fadd(low, high, flags=FAST)
        builder.store(rows, _pointer(context, builder, sig.args[6], sums, to, quad)).align = 4
        return context.get_constant_generic(builder, types.none, None)

    index = types.int64
    return types.none(texels, index, index, weights, index, index, sums, index), emit


def sorting_network(inputs: int, exchanges: tuple[tuple[int, int], ...], outputs: tuple[int, ...]) -> Any:
    """A function for compiled code: `inputs` vectors, as a tuple, through compare-exchanges.

    Each (i, j) of `exchanges` leaves the smaller of the two vectors, lane by lane, at i and the larger at
    j. Returns those at `outputs`, as a tuple.
    """

    @instruction
    def network(_typing: Any, values: Any) -> Any:
        def emit(context: Any, builder: Any, sig: Any, arguments: Any) -> Any:
            wires = [builder.extract_value(arguments[0], k) for k in range(inputs)]
            for low, high in exchanges:
                a, b = wires[low], wires[high]
                less = builder.fcmp_ordered("<", a, b, flags=FAST)
                more = builder.fcmp_ordered(">", a, b, flags=FAST)
                wires[low], wires[high] = builder.select(less, a, b), builder.select(more, a, b)
            return context.make_tuple(builder, sig.return_type, [wires[k] for k in outputs])

        return _tuple_of(len(outputs))(_tuple_of(inputs)), emit

    return network

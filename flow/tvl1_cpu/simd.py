"""Vectors of float32 as values in numba code, so that a kernel says what is one instruction.

LLVM's own vectoriser needs to prove that arrays do not overlap, which it cannot for a stencil that works in
place, and stays at half the width of the registers that this engine can use. `load`, arithmetic and `store`
on vectors of LANES leave it nothing to prove. Where the hardware's registers are narrower, LLVM splits the
vectors.

Here are the type, arithmetic, and what moves numbers between lanes; `load`, `store` and their like are in
`simd_memory`.
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

FLOAT, INT32, INT64 = ir.FloatType(), ir.IntType(32), ir.IntType(64)
VECTOR, INDICES = ir.VectorType(FLOAT, LANES), ir.VectorType(INT32, LANES)
"""LLVM's types of one number, and of a vector of them."""


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


def tuple_of(count: int) -> Any:
    """numba's type of a tuple of `count` vectors."""
    return types.containers.UniTuple(vector, count)


@register_model(VectorType)
class _VectorModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, numba_type: Any) -> None:
        super().__init__(manager, numba_type, VECTOR)


def broadcast(builder: Any, scalar: Any, into: Any = VECTOR) -> Any:
    """LLVM's value of the type `into` whose lanes are all `scalar`."""
    undefined = ir.Constant(into, ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(INT32, 0))
    return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(INT32, into.count), None))


def _register_arithmetic(function: Any, emit: Callable[..., Any]) -> None:
    """`function` on two vectors, or on a vector and a float32, is `emit(builder, a, b)`."""
    cases = [(vector, vector), (vector, types.float32), (types.float32, vector)]

    class Arithmetic(ConcreteTemplate):  # type: ignore[misc]
        key = function

    Arithmetic.cases = [signature(vector, *case) for case in cases]
    infer_global(function)(Arithmetic)

    def lower(_context: Any, builder: Any, sig: Any, values: Any) -> Any:
        operands = [
            value if argument == vector else broadcast(builder, value)
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


@instruction
def splat(_typing: Any, scalar: Any) -> Any:
    """A vector whose lanes are all the float32 `scalar`."""

    def emit(_context: Any, builder: Any, _sig: Any, values: Any) -> Any:
        return broadcast(builder, values[0])

    return vector(types.float32), emit


@instruction
def floor(_typing: Any, value: Any) -> Any:
    """The largest whole number not above each lane."""

    def emit(_context: Any, builder: Any, _sig: Any, values: Any) -> Any:
        return call(builder, f"llvm.floor.v{LANES}f32", VECTOR, values)

    return vector(vector), emit


def call(builder: Any, name: str, returns: Any, values: Any) -> Any:
    """LLVM's value of a call of the function or intrinsic `name`, which returns the type `returns`."""
    kind = ir.FunctionType(returns, [value.type for value in values])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), values)


def _estimate_14(builder: Any, name: str, value: Any) -> Any:
    """One of AVX-512's estimates with a relative error below 2⁻¹⁴ (Intel's manual: VRCP14PS, VRSQRT14PS)."""
    every_lane = ir.Constant(ir.IntType(16), -1)
    return call(
        builder, f"llvm.x86.avx512.{name}.ps.512", VECTOR, [value, ir.Constant(VECTOR, None), every_lane]
    )


def _reciprocal(builder: Any, value: Any) -> Any:
    return builder.fdiv(broadcast(builder, ir.Constant(FLOAT, 1.0)), value, flags=FAST)


def _reciprocal_root(builder: Any, value: Any) -> Any:
    return _reciprocal(builder, call(builder, f"llvm.sqrt.v{LANES}f32", VECTOR, [value]))


@instruction
def reciprocal_estimate(_typing: Any, value: Any) -> Any:
    """1 / value, to 1.5 · 2⁻¹² or better (Intel's manual: RCPPS)."""

    def emit(_context: Any, builder: Any, _sig: Any, values: Any) -> Any:
        if AVX512:
            return _estimate_14(builder, "rcp14", values[0])
        if AVX:
            return call(builder, "llvm.x86.avx.rcp.ps.256", VECTOR, values)
        return _reciprocal(builder, values[0])

    return vector(vector), emit


@instruction
def reciprocal_root_estimate(_typing: Any, value: Any) -> Any:
    """1 / √value, to 1.5 · 2⁻¹² or better (Intel's manual: RSQRTPS), for values that are above zero."""

    def emit(_context: Any, builder: Any, _sig: Any, values: Any) -> Any:
        if AVX512:
            return _estimate_14(builder, "rsqrt14", values[0])
        if AVX:
            return call(builder, "llvm.x86.avx.rsqrt.ps.256", VECTOR, values)
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
            lanes = ir.Constant(INDICES, [offset + lane for lane in range(LANES)])
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
        kind = ir.FunctionType(FLOAT, [FLOAT, VECTOR])
        function = cgutils.get_or_insert_function(
            builder.module, kind, f"llvm.vector.reduce.fadd.v{LANES}f32"
        )
        return builder.call(function, [ir.Constant(FLOAT, 0.0), values[0]], fastmath=FAST)

    return types.float32(vector), emit


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

        return tuple_of(len(outputs))(tuple_of(inputs)), emit

    return network

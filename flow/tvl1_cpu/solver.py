"""The iterations: the flow and its dual variable, several steps in one pass over the memory.

A row's new flow needs the old dual variable of that row and of the one above; the dual variable of a row
needs the new flow of that row and of the one below. So row y of the flow and row y − 1 of the dual variable
are made together, in place, and iteration t + 1 may follow one row behind iteration t: BLOCK iterations
pass as one wave, and the rows between its ends stay in the cache.

Above the image lies a row whose dual variable stays zero: its step is 0. Below it lies a row that repeats
the flow of the last one, so that the difference is zero. Neither needs code of its own.
"""

from __future__ import annotations

import numpy as np

from .jit import inlined
from .layout import (
    CHUNK,
    HAS_RIGHT,
    LIMIT,
    NX,
    NY,
    P11,
    P12,
    P21,
    P22,
    RHO,
    U1,
    U2,
    FloatArray,
    chunks,
    fill,
    row_in_chunks,
)
from .simd import (
    LANES,
    Vector,
    maximum,
    minimum,
    one_after,
    one_before,
    reciprocal_estimate,
    reciprocal_root_estimate,
    splat,
    total,
)
from .simd_memory import load, store

BLOCK = 15
"""Iterations in a wave, at most. A row of 340 pixels takes 14 kB, and 17 of them are at work: they fit the
second-level cache of any current processor. On a Xeon with AVX-512, 10 measure 3 % slower and one at a time
twice as slow; on an EPYC with AVX2 and 32 MB of third-level cache anything from 10 to 30 is the same to
3 %, since arithmetic is what an iteration waits for."""

ABOVE_ZERO = np.float32(1e-20)
"""Added to squares before their root, which is estimated by way of its reciprocal. Where the processor's
estimates have 12 bits, two Newton steps more would cost a sixth of an iteration, and move the mean error to
OpenCV's flow by 0.001 px, to the true flow by less than 0.2 %."""


@inlined
def threshold_step(fields: FloatArray, chunk: int, u1: Vector, u2: Vector) -> tuple[Vector, Vector]:
    """How far, and which way, the data term moves the flow (u1, u2) of a chunk: to be taken away from it."""
    nx, ny, limit = load(fields, chunk + NX), load(fields, chunk + NY), load(fields, chunk + LIMIT)
    residual = load(fields, chunk + RHO) + nx * u1 + ny * u2
    residual = maximum(minimum(residual, limit), limit * np.float32(-1))
    return residual * nx, residual * ny


@inlined
def ascent_factor(gx: Vector, gy: Vector, ratio: np.float32) -> Vector:
    """1 / (1 + (τ/θ)·|g|), by which Chambolle's projection shrinks the dual variable."""
    squared = gx * gx + gy * gy + ABOVE_ZERO
    return reciprocal_estimate(squared * reciprocal_root_estimate(squared) * ratio + np.float32(1))


@inlined
def ascend_row(
    fields: FloatArray,
    y: int,
    in_row: int,
    tau: np.float32,
    ratio: np.float32,
    edge: FloatArray,
    measured: bool,
) -> np.float32:
    """Row y of the flow and, with the step `tau`, row y − 1 of the dual variable.

    The dual variable is kept as q = θp, so that the flow is the threshold step's result plus div q. Returns
    the sum of the squared changes of the flow, if that is to be `measured`.
    """
    zero = splat(np.float32(0))
    change, left11, left21 = zero, zero, zero
    chunk, above = row_in_chunks(y, in_row), row_in_chunks(y - 1, in_row)
    c1, c2 = load(fields, above + U1), load(fields, above + U2)
    for c in range(in_row):
        u1, u2 = load(fields, chunk + U1), load(fields, chunk + U2)
        p11, p21 = load(fields, chunk + P11), load(fields, chunk + P21)
        p12, p22 = load(fields, above + P12), load(fields, above + P22)
        d1, d2 = threshold_step(fields, chunk, u1, u2)
        step1 = (p11 - one_before(left11, p11)) + (load(fields, chunk + P12) - p12) - d1
        step2 = (p21 - one_before(left21, p21)) + (load(fields, chunk + P22) - p22) - d2
        left11, left21 = p11, p21
        if measured:
            change = change + step1 * step1 + step2 * step2
        u1, u2 = u1 + step1, u2 + step2
        store(fields, chunk + U1, u1)
        store(fields, chunk + U2, u2)

        n1, n2 = load(fields, above + CHUNK + U1), load(fields, above + CHUNK + U2)
        g11, g21 = one_after(c1, n1) - c1, one_after(c2, n2) - c2
        g12, g22 = u1 - c1, u2 - c2
        if c == in_row - 1:
            has_right = load(edge, HAS_RIGHT)
            g11, g21 = g11 * has_right, g21 * has_right
        f1, f2 = ascent_factor(g11, g12, ratio), ascent_factor(g21, g22, ratio)
        store(fields, above + P11, (load(fields, above + P11) + g11 * tau) * f1)
        store(fields, above + P12, (p12 + g12 * tau) * f1)
        store(fields, above + P21, (load(fields, above + P21) + g21 * tau) * f2)
        store(fields, above + P22, (p22 + g22 * tau) * f2)
        c1, c2 = n1, n2
        chunk += CHUNK
        above += CHUNK
    summed: np.float32 = total(change)
    return summed


@inlined
def ascend(
    fields: FloatArray,
    height: int,
    width: int,
    iterations: int,
    tau: np.float32,
    coupling: np.float32,
    edge: FloatArray,
    changes: FloatArray,
) -> None:
    """Dual ascent: `iterations` steps, at most BLOCK.

    `changes` receives the sum of squared changes of the flow in each of the last two, zero for the others.
    """
    in_row = chunks(width)
    ratio = tau / coupling
    fill(changes, 0, iterations)
    for wave in range(height + iterations):
        for t in range(max(0, wave - height), min(wave + 1, iterations)):
            y = wave - t
            if y == height:
                repeat_last_row(fields, height, in_row)
            step = tau if y > 0 else np.float32(0)
            changes[t] += ascend_row(fields, y, in_row, step, ratio, edge, t >= iterations - 2)


@inlined
def repeat_last_row(fields: FloatArray, height: int, in_row: int) -> None:
    """Copy the flow of the last row to the one below it."""
    chunk, below = row_in_chunks(height - 1, in_row), row_in_chunks(height, in_row)
    for c in range(0, in_row * CHUNK, CHUNK):
        store(fields, below + c + U1, load(fields, chunk + c + U1))
        store(fields, below + c + U2, load(fields, chunk + c + U2))


@inlined
def primal_dual_row(
    fields: FloatArray,
    y: int,
    in_row: int,
    tau: np.float32,
    sigma: np.float32,
    relaxation: np.float32,
    ahead: FloatArray,
    start: int,
    edge: FloatArray,
) -> None:
    """Row y of the flow and, with the step `sigma`, row y − 1 of the dual variable.

    `ahead[start:]` holds a row of the extrapolated flow 2·new − old, x and y of each chunk: that of row
    y − 1 at the beginning, of row y at the end.
    """
    zero, one, two = splat(np.float32(0)), np.float32(1), np.float32(2)
    left11, left21 = zero, zero
    chunk, above = row_in_chunks(y, in_row), row_in_chunks(y - 1, in_row)
    c1, c2 = load(ahead, start), load(ahead, start + LANES)
    for c in range(in_row):
        u1, u2 = load(fields, chunk + U1), load(fields, chunk + U2)
        p11, p21 = load(fields, chunk + P11), load(fields, chunk + P21)
        p12, p22 = load(fields, above + P12), load(fields, above + P22)
        step1 = ((p11 - one_before(left11, p11)) + (load(fields, chunk + P12) - p12)) * tau
        step2 = ((p21 - one_before(left21, p21)) + (load(fields, chunk + P22) - p22)) * tau
        left11, left21 = p11, p21
        d1, d2 = threshold_step(fields, chunk, u1 + step1, u2 + step2)
        step1, step2 = step1 - d1, step2 - d2
        store(fields, chunk + U1, u1 + step1 * relaxation)
        store(fields, chunk + U2, u2 + step2 * relaxation)
        b1, b2 = u1 + step1 * two, u2 + step2 * two

        n1, n2 = load(ahead, start + 2 * LANES), load(ahead, start + 3 * LANES)
        store(ahead, start, b1)
        store(ahead, start + LANES, b2)
        g11, g21 = one_after(c1, n1) - c1, one_after(c2, n2) - c2
        g12, g22 = b1 - c1, b2 - c2
        if c == in_row - 1:
            has_right = load(edge, HAS_RIGHT)
            g11, g21 = g11 * has_right, g21 * has_right
        p11, p21 = load(fields, above + P11), load(fields, above + P21)
        q11, q12 = p11 + g11 * sigma, p12 + g12 * sigma
        q21, q22 = p21 + g21 * sigma, p22 + g22 * sigma
        f1 = reciprocal_root_estimate(maximum(q11 * q11 + q12 * q12, splat(one))) * relaxation
        f2 = reciprocal_root_estimate(maximum(q21 * q21 + q22 * q22, splat(one))) * relaxation
        kept = one - relaxation
        store(fields, above + P11, p11 * kept + q11 * f1)
        store(fields, above + P12, p12 * kept + q12 * f1)
        store(fields, above + P21, p21 * kept + q21 * f2)
        store(fields, above + P22, p22 * kept + q22 * f2)
        c1, c2 = n1, n2
        start += 2 * LANES
        chunk += CHUNK
        above += CHUNK


@inlined
def primal_dual(
    fields: FloatArray,
    height: int,
    width: int,
    iterations: int,
    tau: np.float32,
    sigma: np.float32,
    relaxation: np.float32,
    ahead: FloatArray,
    edge: FloatArray,
) -> None:
    """Over-relaxed primal-dual steps on the same energy: `iterations` of them, at most BLOCK.

    p itself is the dual variable. The data term's proximal step at u + τ·div p is the threshold step with
    λ(θ + τ) for λθ, shortened by τ/(θ + τ): the data term is written accordingly (warp.py). `ahead` holds
    BLOCK rows of two fields and a chunk more.
    """
    in_row = chunks(width)
    length = 2 * LANES * (in_row + 1)
    for wave in range(height + iterations):
        for t in range(max(0, wave - height), min(wave + 1, iterations)):
            y = wave - t
            if y == height:
                repeat_extrapolated(fields, height, in_row, ahead, t * length)
            step = sigma if y > 0 else np.float32(0)
            primal_dual_row(fields, y, in_row, tau, step, relaxation, ahead, t * length, edge)


@inlined
def repeat_extrapolated(fields: FloatArray, height: int, in_row: int, ahead: FloatArray, start: int) -> None:
    """Copy the extrapolated flow of the last row to the one below it, which then stays as it is."""
    below = row_in_chunks(height, in_row)
    for c in range(in_row):
        store(fields, below + c * CHUNK + U1, load(ahead, start + 2 * LANES * c))
        store(fields, below + c * CHUNK + U2, load(ahead, start + 2 * LANES * c + LANES))

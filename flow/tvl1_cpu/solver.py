"""The iterations: the flow and its dual variable, several steps in one pass over the memory.

A row's new flow needs the old dual variable of that row and the one above; the dual variable of a row
needs the new flow of that row and the one below. So row y of the flow and row y − 1 of the dual variable
are made together, in place, and iteration t + 1 may follow one row behind iteration t: BLOCK iterations
pass as one wave, and the rows between its ends stay in the cache.

With q = θp for the dual variable p, the flow is v + div q, v being the threshold step's result.
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
    chunks,
    row_in_chunks,
)
from .simd import (
    LANES,
    load,
    maximum,
    minimum,
    one_after,
    one_before,
    reciprocal,
    reciprocal_root,
    splat,
    store,
    total,
)

BLOCK = 15
"""Iterations in a wave, at most. A row of 340 pixels takes 14 kB, and 17 of them are at work: they fit the
second-level cache of any current processor; 10 measure 3 % slower, one at a time twice as slow."""

ABOVE_ZERO = np.float32(1e-20)
"""Added to squares before their root, which is estimated by way of its reciprocal."""


@inlined
def threshold(fields, chunk, u1, u2):
    """How far the data term moves the flow (u1, u2) of a chunk against the gradient, and that direction."""
    nx, ny, limit = load(fields, chunk + NX), load(fields, chunk + NY), load(fields, chunk + LIMIT)
    residual = load(fields, chunk + RHO) + nx * u1 + ny * u2
    residual = maximum(minimum(residual, limit), limit * np.float32(-1))
    return residual * nx, residual * ny


@inlined
def ascent_factor(gx, gy, ratio):
    """1 / (1 + (τ/θ)·|g|), what Chambolle's projection divides by."""
    squared = gx * gx + gy * gy + ABOVE_ZERO
    return reciprocal(squared * reciprocal_root(squared) * ratio + np.float32(1))


@inlined
def ascend_row(fields, y, height, in_row, tau, ratio, edge):
    """The flow of row y and the dual variable of row y − 1; y = 0 and y = height do what there is of both.

    Returns the sum of the squared changes of the flow.
    """
    zero = splat(np.float32(0))
    change, left11, left21 = zero, zero, zero
    chunk = row_in_chunks(y, in_row)
    above = row_in_chunks(y - 1, in_row)
    c1, c2 = load(fields, above + U1), load(fields, above + U2)
    for c in range(in_row):
        if y < height:
            u1, u2 = load(fields, chunk + U1), load(fields, chunk + U2)
            p11, p21 = load(fields, chunk + P11), load(fields, chunk + P21)
            d1, d2 = threshold(fields, chunk, u1, u2)
            p12, p22 = load(fields, above + P12), load(fields, above + P22)
            step1 = (p11 - one_before(left11, p11)) + (load(fields, chunk + P12) - p12) - d1
            step2 = (p21 - one_before(left21, p21)) + (load(fields, chunk + P22) - p22) - d2
            left11, left21 = p11, p21
            change = change + step1 * step1 + step2 * step2
            u1, u2 = u1 + step1, u2 + step2
            store(fields, chunk + U1, u1)
            store(fields, chunk + U2, u2)
        else:
            p12, p22 = load(fields, above + P12), load(fields, above + P22)
            u1, u2 = c1, c2
        if y > 0:
            n1, n2 = load(fields, above + CHUNK + U1), load(fields, above + CHUNK + U2)
            g11, g21 = one_after(c1, n1) - c1, one_after(c2, n2) - c2
            g12, g22 = u1 - c1, u2 - c2
            if c == in_row - 1:
                inside = load(edge, HAS_RIGHT)
                g11, g21 = g11 * inside, g21 * inside
            f1, f2 = ascent_factor(g11, g12, ratio), ascent_factor(g21, g22, ratio)
            store(fields, above + P11, (load(fields, above + P11) + g11 * tau) * f1)
            store(fields, above + P12, (p12 + g12 * tau) * f1)
            store(fields, above + P21, (load(fields, above + P21) + g21 * tau) * f2)
            store(fields, above + P22, (p22 + g22 * tau) * f2)
            c1, c2 = n1, n2
        chunk += CHUNK
        above += CHUNK
    return total(change)


@inlined
def ascend(fields, height, width, iterations, tau, coupling, edge, changes):
    """Dual ascent. `changes` receives each iteration's sum of squared changes of the flow."""
    in_row = chunks(width)
    ratio = tau / coupling
    changes[:iterations] = 0
    for wave in range(height + iterations):
        for t in range(iterations):
            y = wave - t
            if y == 0:
                changes[t] += ascend_row(fields, 0, height, in_row, tau, ratio, edge)
            elif 0 < y < height:
                changes[t] += ascend_row(fields, y, height, in_row, tau, ratio, edge)
            elif y == height:
                ascend_row(fields, height, height, in_row, tau, ratio, edge)


@inlined
def primal_dual_row(fields, y, height, in_row, tau, sigma, relaxation, ahead, ahead_at, edge):
    """The flow of row y and the dual variable of row y − 1; y = 0 and y = height do what there is of both.

    `ahead[ahead_at:]` holds a row of the extrapolated flow 2·new − old, x and y of each chunk: that of row
    y − 1 at the beginning, of row y at the end. The data term is scaled already by √(τ/(θ + τ)): see
    `primal_dual`.
    """
    zero, one = splat(np.float32(0)), np.float32(1)
    left11, left21 = zero, zero
    chunk = row_in_chunks(y, in_row)
    above = row_in_chunks(y - 1, in_row)
    c1, c2 = load(ahead, ahead_at), load(ahead, ahead_at + LANES)
    for c in range(in_row):
        at = ahead_at + 2 * LANES * c
        p12, p22 = load(fields, above + P12), load(fields, above + P22)
        if y < height:
            u1, u2 = load(fields, chunk + U1), load(fields, chunk + U2)
            p11, p21 = load(fields, chunk + P11), load(fields, chunk + P21)
            step1 = ((p11 - one_before(left11, p11)) + (load(fields, chunk + P12) - p12)) * tau
            step2 = ((p21 - one_before(left21, p21)) + (load(fields, chunk + P22) - p22)) * tau
            left11, left21 = p11, p21
            d1, d2 = threshold(fields, chunk, u1 + step1, u2 + step2)
            step1, step2 = step1 - d1, step2 - d2
            store(fields, chunk + U1, u1 + step1 * relaxation)
            store(fields, chunk + U2, u2 + step2 * relaxation)
            b1, b2 = u1 + step1 * np.float32(2), u2 + step2 * np.float32(2)
        else:
            b1, b2 = c1, c2
        n1, n2 = load(ahead, at + 2 * LANES), load(ahead, at + 3 * LANES)
        store(ahead, at, b1)
        store(ahead, at + LANES, b2)
        if y > 0:
            g11, g21 = one_after(c1, n1) - c1, one_after(c2, n2) - c2
            g12, g22 = b1 - c1, b2 - c2
            if c == in_row - 1:
                inside = load(edge, HAS_RIGHT)
                g11, g21 = g11 * inside, g21 * inside
            p11, p21 = load(fields, above + P11), load(fields, above + P21)
            q11, q12 = p11 + g11 * sigma, p12 + g12 * sigma
            q21, q22 = p21 + g21 * sigma, p22 + g22 * sigma
            f1 = reciprocal_root(maximum(q11 * q11 + q12 * q12, splat(one))) * relaxation
            f2 = reciprocal_root(maximum(q21 * q21 + q22 * q22, splat(one))) * relaxation
            kept = one - relaxation
            store(fields, above + P11, p11 * kept + q11 * f1)
            store(fields, above + P12, p12 * kept + q12 * f1)
            store(fields, above + P21, p21 * kept + q21 * f2)
            store(fields, above + P22, p22 * kept + q22 * f2)
        c1, c2 = n1, n2
        chunk += CHUNK
        above += CHUNK


@inlined
def primal_dual(fields, height, width, iterations, tau, sigma, relaxation, ahead, edge):
    """Over-relaxed primal-dual steps on the same energy, p itself being the dual variable.

    The data term's proximal step at u + τ·div p is the threshold step with λ(θ + τ) for λθ, shortened by
    τ/(θ + τ). Both factors belong into the data term's fields, the second as its root in residual, direction
    and limit. `ahead` holds BLOCK rows of two fields, and a chunk more for each.
    """
    in_row = chunks(width)
    length = 2 * LANES * (in_row + 1)
    for wave in range(height + iterations):
        for t in range(iterations):
            y = wave - t
            if y == 0:
                primal_dual_row(fields, 0, height, in_row, tau, sigma, relaxation, ahead, t * length, edge)
            elif 0 < y < height:
                primal_dual_row(fields, y, height, in_row, tau, sigma, relaxation, ahead, t * length, edge)
            elif y == height:
                primal_dual_row(fields, height, height, in_row, tau, sigma, relaxation, ahead, t * length, edge)

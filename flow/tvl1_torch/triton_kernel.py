"""An iteration in one kernel, in Triton: each number is read once from memory and written once.

The new dual variable of a pixel needs the new flow there, to the right and below. Each program computes the
flow at all three, for every pixel of its tile: its neighbours' numbers are in the cache, and the arithmetic
costs less than the memory traffic of a second kernel. What is read is not overwritten by an iteration, so
two sets of fields take turns.
"""

# mypy: disable-error-code="no-untyped-def, untyped-decorator, no-untyped-call"
from __future__ import annotations

import torch
import triton  # type: ignore[import-not-found, import-untyped, unused-ignore]
import triton.language as tl  # type: ignore[import-not-found, import-untyped, unused-ignore]

from ..schedule import DualAscent, PrimalDual
from . import steps

TILE = (8, 64)
"""Rows and columns of a program's pixels."""

WARPS = 8
"""Of 32 threads; with two pixels to a thread, enough programs fit a multiprocessor's registers."""


def iterate(
    flow: torch.Tensor,
    dual: torch.Tensor,
    term: torch.Tensor,
    solver: DualAscent | PrimalDual,
    coupling: float,
    iterations: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    """As `steps.iterate`."""
    return _run(flow, dual, term, solver, coupling, iterations, None)[(iterations - 1) % 2]


def iterate_until(
    flow: torch.Tensor,
    dual: torch.Tensor,
    term: torch.Tensor,
    solver: DualAscent | PrimalDual,
    coupling: float,
    iterations: int,
    tolerance: float,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """As `steps.iterate_until`.

    The host does not wait for an iteration to learn which pairs go on: the kernel reads what the iteration
    before changed, and where that was little enough it leaves at once. Its own change is then none, so that
    the pair rests from there on, in the one of the two sets that its last iteration wrote.
    """
    # What each iteration, and one before the first, changed beyond the bound; iterations add to it.
    beyond = torch.full(
        (iterations + 1, len(flow)),
        -steps.largest_sum(tolerance, flow),
        dtype=torch.int64,
        device=flow.device,
    )
    beyond[0] = 1
    odd, even = _run(flow, dual, term, solver, coupling, iterations, beyond)
    done = 1 + (beyond[1:-1] > 0).int().cumprod(0).sum(0)
    is_odd = (done % 2 == 1)[:, None, None, None]
    return (
        torch.where(is_odd, odd[0], even[0]),
        torch.where(is_odd[..., None], odd[1], even[1]),
        (beyond[1:] > 0).all(0),
    )


def _run(
    flow: torch.Tensor,
    dual: torch.Tensor,
    term: torch.Tensor,
    solver: DualAscent | PrimalDual,
    coupling: float,
    iterations: int,
    beyond: torch.Tensor | None,
) -> tuple[tuple[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]:
    """Flow and dual variable that the last odd iteration wrote, and those of the last even one.

    `beyond` is as in `iterate_until`, or None to have every pair do all iterations.
    """
    pairs, _, height, width = flow.shape
    tiles_across, tiles_down = triton.cdiv(width, TILE[1]), triton.cdiv(height, TILE[0])
    if isinstance(solver, PrimalDual):
        second, relaxation = solver.sigma, solver.relaxation
    else:
        second, relaxation = solver.tau / coupling, 1.0
    current, term = (flow.contiguous(), dual.contiguous()), term.contiguous()
    written = [(torch.empty_like(current[0]), torch.empty_like(current[1])) for _ in range(2)]
    with torch.cuda.device_of(flow):
        for number in range(iterations):
            result = written[number % 2]
            _iteration[(tiles_across * tiles_down * pairs,)](
                *current, term, *result, beyond, number, pairs, height, width, tiles_across, tiles_down,
                solver.tau, second, relaxation, isinstance(solver, PrimalDual), beyond is not None,
                1 / steps.CHANGE_UNIT, steps.LARGEST_CHANGE, *TILE, num_warps=WARPS,
            )  # fmt: skip
            current = result
    return written[0], written[1]


@triton.jit
def _difference(field, at, back, has_before, inside):
    """A dual field's difference to the pixel `back` numbers before; before the edge there is zero."""
    here = tl.load(field + at, mask=inside, other=0.0)
    before = tl.load(field + at - back, mask=inside & has_before, other=0.0)
    return here - before


@triton.jit
def _step(flow, dual, term, y, x, height, width, tau, is_primal_dual: tl.constexpr):
    """The flow at (y, x) and its step, each in x and y; flow, dual and term are one pair's."""
    plane = height * width
    at = y * width + x
    inside = (y < height) & (x < width)
    u1 = tl.load(flow + at, mask=inside, other=0.0)
    u2 = tl.load(flow + plane + at, mask=inside, other=0.0)
    left, above = x > 0, y > 0
    s1 = _difference(dual, at, 1, left, inside) + _difference(dual + plane, at, width, above, inside)
    s2 = _difference(dual + 2 * plane, at, 1, left, inside)
    s2 += _difference(dual + 3 * plane, at, width, above, inside)
    residual = tl.load(term + at, mask=inside, other=0.0)
    nx = tl.load(term + plane + at, mask=inside, other=0.0)
    ny = tl.load(term + 2 * plane + at, mask=inside, other=0.0)
    limit = tl.load(term + 3 * plane + at, mask=inside, other=0.0)
    if is_primal_dual:
        s1 *= tau
        s2 *= tau
        residual += nx * (u1 + s1) + ny * (u2 + s2)
    else:
        residual += nx * u1 + ny * u2
    pull = tl.minimum(tl.maximum(residual, -limit), limit)
    return u1, u2, s1 - pull * nx, s2 - pull * ny


@triton.jit
def _raise(old, new, at, inside, g1, g2, tau, second, relaxation, is_primal_dual: tl.constexpr, plane):
    """Write the dual variable of one component of the flow, whose forward differences are (g1, g2)."""
    p1 = tl.load(old + at, mask=inside, other=0.0)
    p2 = tl.load(old + plane + at, mask=inside, other=0.0)
    if is_primal_dual:
        q1 = p1 + second * g1
        q2 = p2 + second * g2
        factor = relaxation / tl.sqrt(tl.maximum(q1 * q1 + q2 * q2, 1.0))
        q1 = (1.0 - relaxation) * p1 + factor * q1
        q2 = (1.0 - relaxation) * p2 + factor * q2
    else:
        factor = 1.0 / (1.0 + second * tl.sqrt(g1 * g1 + g2 * g2))
        q1 = (p1 + tau * g1) * factor
        q2 = (p2 + tau * g2) * factor
    tl.store(new + at, q1, mask=inside)
    tl.store(new + plane + at, q2, mask=inside)


@triton.jit(do_not_specialize=["number", "pairs", "height", "tiles_across", "tiles_down"])
def _iteration(
    flow, dual, term, new_flow, new_dual, beyond, number, pairs, height, width, tiles_across, tiles_down,
    tau, second, relaxation, is_primal_dual: tl.constexpr, has_bound: tl.constexpr,
    units: tl.constexpr, largest_change: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """One step of all pairs. `second` is σ with primal-dual steps, τ/θ with dual ascent.

    With `has_bound`, `beyond` (iterations + 1, N) says which pairs rest, and gets what changes; `number`
    is that of the iteration, from 0.
    """
    program = tl.program_id(0)
    tiles = tiles_across * tiles_down
    pair = (program // tiles).to(tl.int64)
    tile = program % tiles
    if has_bound:  # noqa: SIM102 – known when compiled, the other when run
        if tl.load(beyond + number * pairs + pair) <= 0:
            return
    y = (tile // tiles_across) * ROWS + tl.arange(0, ROWS)[:, None]
    x = (tile % tiles_across) * COLUMNS + tl.arange(0, COLUMNS)[None, :]
    plane = height * width
    flow += pair * 2 * plane
    new_flow += pair * 2 * plane
    dual += pair * 4 * plane
    new_dual += pair * 4 * plane
    term += pair * 4 * plane
    at = y * width + x
    inside = (y < height) & (x < width)

    u1, u2, s1, s2 = _step(flow, dual, term, y, x, height, width, tau, is_primal_dual)
    r1, r2, t1, t2 = _step(flow, dual, term, y, x + 1, height, width, tau, is_primal_dual)
    b1, b2, v1, v2 = _step(flow, dual, term, y + 1, x, height, width, tau, is_primal_dual)
    tl.store(new_flow + at, u1 + relaxation * s1, mask=inside)
    tl.store(new_flow + plane + at, u2 + relaxation * s2, mask=inside)
    if has_bound:
        squared = relaxation * relaxation * (s1 * s1 + s2 * s2)
        squared = tl.where(inside, tl.minimum(squared, largest_change), 0.0)
        tl.atomic_add(beyond + (number + 1) * pairs + pair, tl.sum((squared * units).to(tl.int64)))

    # The dual variable answers to the new flow, primal-dual steps to the one extrapolated beyond it.
    ahead = 2.0 if is_primal_dual else 1.0
    u1 += ahead * s1
    u2 += ahead * s2
    has_right, has_below = x + 1 < width, y + 1 < height
    g11 = tl.where(has_right, r1 + ahead * t1 - u1, 0.0)
    g21 = tl.where(has_right, r2 + ahead * t2 - u2, 0.0)
    g12 = tl.where(has_below, b1 + ahead * v1 - u1, 0.0)
    g22 = tl.where(has_below, b2 + ahead * v2 - u2, 0.0)
    _raise(dual, new_dual, at, inside, g11, g12, tau, second, relaxation, is_primal_dual, plane)
    _raise(
        dual + 2 * plane, new_dual + 2 * plane, at, inside, g21, g22, tau, second, relaxation, is_primal_dual,
        plane,
    )  # fmt: skip

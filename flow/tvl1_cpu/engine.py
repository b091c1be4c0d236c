"""The engine: one compiled function for the flow of a pair, and the memory that it works in."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..schedule import PrimalDual, Schedule
from .jit import entry_point, inlined, is_ready
from .layout import (
    CHUNK,
    EDGES,
    P11,
    P12,
    P21,
    P22,
    U1,
    U2,
    FloatArray,
    aligned,
    chunks,
    edges,
    fill,
    plane_size,
    plane_stride,
    row_in_chunks,
)
from .median import flow_to_plane, median_filter
from .pyramid import Geometry, build_pyramid, geometry, magnify
from .simd import LANES, splat
from .simd_memory import load, store, store_pairs
from .solver import BLOCK, ascend, primal_dual
from .warp import cubic_table, make_texels, texel_size, warp

UNSEEN = 2
LONGEST = 5
"""Iterations in the first wave of a round that ends by the stopping rule, and in any later one. A wave that
ends late moves the flow: with 5 and 10 the error on Middlebury's Urban2 is 1.8 % above that of OpenCV, with
these 0.3 %, and with a wave of one, which is OpenCV's rule exactly, 0.2 %."""


class SolverParameters(NamedTuple):
    """A `Schedule` for compiled code: numbers only.

    - `warps` to `carry_dual`: as in `Schedule` and `Convergence`; a `tolerance` of 0 means a fixed number of
      iterations.
    - `magnify`: factor from a level's size to that of the next finer one.
    - `is_primal_dual`: the solver is `PrimalDual`, else `DualAscent`.
    - `tau`, `sigma`, `relaxation`, `coupling`: as in the solver and the schedule; 0 where it has none.
    - `threshold`, `shorten`: see `steps.data_term` in `flow/tvl1_torch`.
    """

    warps: int
    warps_below: int
    rounds: int
    iterations: int
    tolerance: np.float32
    median: int
    carry_dual: bool
    magnify: np.float32
    is_primal_dual: bool
    tau: np.float32
    sigma: np.float32
    relaxation: np.float32
    coupling: np.float32
    threshold: np.float32
    shorten: np.float32


class Workspace(NamedTuple):
    """The arrays that one pair at a time is computed in.

    - `fields`: the level's chunks.
    - `coarser`: six planes with the results of the coarser level.
    - `texels`: of the second frame (warp.make_texels).
    - `edge`, `cubic`: see layout.edges, warp.cubic_table.
    - `ahead`, `changes`: of the solver (solver.primal_dual, solver.ascend).
    - `plane`, `lines`, `places`: scratch memory.
    """

    fields: FloatArray
    coarser: FloatArray
    plane: FloatArray
    texels: FloatArray
    lines: FloatArray
    ahead: FloatArray
    changes: FloatArray
    edge: FloatArray
    cubic: FloatArray
    places: npt.NDArray[np.int32]


def solver_parameters(schedule: Schedule) -> SolverParameters:
    """`schedule` for compiled code."""
    solver, theta = schedule.solver, schedule.coupling
    shorten, reach = 1.0, theta
    sigma = relaxation = 0.0
    if isinstance(solver, PrimalDual):
        sigma, relaxation = solver.sigma, solver.relaxation
        shorten, reach = math.sqrt(solver.tau / (theta + solver.tau)), theta + solver.tau
    return SolverParameters(
        warps=schedule.warps,
        warps_below=schedule.warps_below,
        rounds=schedule.stop.rounds if schedule.stop else 1,
        iterations=schedule.iterations,
        tolerance=np.float32(schedule.stop.tolerance if schedule.stop else 0),
        median=schedule.median,
        carry_dual=schedule.carry_dual,
        magnify=np.float32(1 / schedule.step),
        is_primal_dual=isinstance(solver, PrimalDual),
        tau=np.float32(solver.tau),
        sigma=np.float32(sigma),
        relaxation=np.float32(relaxation),
        coupling=np.float32(theta),
        threshold=np.float32(schedule.data_weight * reach),
        shorten=np.float32(shorten),
    )


def make_workspace(height: int, width: int) -> Workspace:
    """Memory for pairs of this size, and of any smaller one."""
    line = plane_stride(width) + LANES
    return Workspace(
        fields=aligned((height + 2) * chunks(width) * CHUNK + CHUNK),
        coarser=aligned(6 * plane_size(height, width)),
        plane=aligned(plane_size(height, width)),
        texels=aligned(texel_size(height, width)),
        lines=aligned(5 * line),
        ahead=aligned(BLOCK * 2 * LANES * (chunks(width) + 1)),
        changes=aligned(BLOCK),
        edge=aligned(EDGES),
        cubic=cubic_table(),
        places=np.zeros(2 * line, np.int32),
    )


@inlined
def begin_level(level: int, geometry: Geometry, parameters: SolverParameters, work: Workspace) -> None:
    """Give a level the flow and the dual variable that it begins with.

    The coarser level's, from its planes; zeros on the coarsest level, and for a dual variable that is not
    carried over.
    """
    height, width = geometry.heights[level], geometry.widths[level]
    fields, in_row = work.fields, chunks(width)
    if level + 1 == len(geometry.heights):
        fill(fields, 0, (height + 2) * in_row * CHUNK)
        return
    fill(fields, 0, in_row * CHUNK)
    below = row_in_chunks(height, in_row)
    fill(fields, below, below + in_row * CHUNK)
    height_from, width_from = geometry.heights[level + 1], geometry.widths[level + 1]
    size = plane_size(height_from, width_from)
    carried = 6 if parameters.carry_dual else 2
    for number in range(carried):
        factor = parameters.magnify if number < 2 else np.float32(1)
        magnify(
            work.coarser, number * size, width_from, fields, number * LANES, height, width,
            geometry.up, level, factor, work.lines,
        )  # fmt: skip
    if parameters.carry_dual:
        end_dual(fields, height, width)
    else:
        zero_dual(fields, height, width)


@inlined
def end_dual(fields: FloatArray, height: int, width: int) -> None:
    """Zeros to the dual variable where forward differences end: the last column in x, the last row in y."""
    in_row = chunks(width)
    for y in range(height):
        last = row_in_chunks(y, in_row) + (width - 1) // LANES * CHUNK + (width - 1) % LANES
        fields[last + P11] = 0
        fields[last + P21] = 0
    bottom = row_in_chunks(height - 1, in_row)
    for chunk in range(bottom, bottom + in_row * CHUNK, CHUNK):
        fill(fields, chunk + P12, chunk + P12 + LANES)
        fill(fields, chunk + P22, chunk + P22 + LANES)


@inlined
def zero_dual(fields: FloatArray, height: int, width: int) -> None:
    """Zeros to all of the dual variable."""
    for chunk in range(row_in_chunks(0, chunks(width)), row_in_chunks(height, chunks(width)), CHUNK):
        for field in range(P11, P22 + LANES, LANES):
            store(fields, chunk + field, splat(np.float32(0)))


@inlined
def end_level(level: int, geometry: Geometry, parameters: SolverParameters, work: Workspace) -> None:
    """Keep in planes what the next finer level begins with."""
    height, width = geometry.heights[level], geometry.widths[level]
    size = plane_size(height, width)
    for number in range(6 if parameters.carry_dual else 2):
        flow_to_plane(work.fields, number * LANES, height, width, work.coarser, number * size)


@inlined
def even_waves(iterations: int) -> int:
    """Iterations in each of the fewest waves that make `iterations`; the last may have fewer."""
    waves = -(-iterations // BLOCK)
    return -(-iterations // waves)


@inlined
def iterate(height: int, width: int, parameters: SolverParameters, work: Workspace) -> None:
    """Rounds of a median filter and iterations, until the stopping rule ends the warp."""
    longest = even_waves(parameters.iterations)
    for _ in range(parameters.rounds):
        median_filter(work.fields, height, width, parameters.median, work.plane, work.lines, work.edge)
        if parameters.is_primal_dual:
            done = 0
            while done < parameters.iterations:
                block = min(longest, parameters.iterations - done)
                primal_dual(
                    work.fields, height, width, block, parameters.tau, parameters.sigma,
                    parameters.relaxation, work.ahead, work.edge,
                )  # fmt: skip
                done += block
        elif ascend_until(height, width, parameters, work):
            return


@inlined
def ascend_until(height: int, width: int, parameters: SolverParameters, work: Workspace) -> bool:
    """At most `parameters.iterations` iterations; True if the flow changed by less than the tolerance.

    The rule asks after each iteration, but a wave holds several. The next wave is as long as the rest will
    take at the rate of decay seen last, so that few iterations are more than the rule would have had.
    """
    bound = parameters.tolerance * parameters.tolerance * np.float32(height * width)
    fixed = parameters.tolerance == 0
    done, before = 0, np.float32(0)
    block = even_waves(parameters.iterations) if fixed else UNSEEN
    while done < parameters.iterations:
        block = min(block, parameters.iterations - done)
        ascend(
            work.fields, height, width, block, parameters.tau, parameters.coupling, work.edge, work.changes
        )
        done += block
        if fixed:
            continue
        change = work.changes[block - 1]
        if change <= bound:
            return True
        if block > 1:
            before = work.changes[block - 2]
        block = LONGEST
        if change < before:
            block = min(LONGEST, max(1, int(math.log(bound / change) / math.log(change / before))))
        before = change
    return False


@entry_point
def solve(
    first: FloatArray,
    second: FloatArray,
    geometry: Geometry,
    parameters: SolverParameters,
    work: Workspace,
    flow: FloatArray,
) -> None:
    """Write the flow between two frames, given by their pyramids, to `flow`, (H, W, 2) in one dimension."""
    for level in range(len(geometry.heights) - 1, -1, -1):
        start, height, width = geometry.starts[level], geometry.heights[level], geometry.widths[level]
        edges(width, work.edge)
        make_texels(second, start, height, width, work.texels)
        begin_level(level, geometry, parameters, work)
        for _ in range(parameters.warps if level == 0 else parameters.warps_below):
            warp(
                work.fields, first, start, height, width, work.texels, parameters.threshold,
                parameters.shorten, work.edge, work.cubic, work.lines, work.places,
            )  # fmt: skip
            iterate(height, width, parameters, work)
        if level > 0:
            end_level(level, geometry, parameters, work)
    height, width = geometry.heights[0], geometry.widths[0]
    write_flow(work.fields, height, width, flow)


@inlined
def write_flow(fields: FloatArray, height: int, width: int, flow: FloatArray) -> None:
    """Write the flow in `fields` to `flow`, (H, W, 2) in one dimension."""
    for y in range(height):
        chunk, row = row_in_chunks(y, chunks(width)), y * width
        for x in range(0, width, LANES):
            # A row's last vector may end in the next row, which comes later.
            if (row + x + LANES) <= height * width:
                store_pairs(flow, 2 * (row + x), load(fields, chunk + U1), load(fields, chunk + U2))
            else:
                for lane in range(width - x):
                    flow[2 * (row + x + lane)] = fields[chunk + U1 + lane]
                    flow[2 * (row + x + lane) + 1] = fields[chunk + U2 + lane]
            chunk += CHUNK


def is_compiled() -> bool:
    """Whether the engine can run at once, without compiling first."""
    return is_ready(build_pyramid) and is_ready(solve)


class Engine:
    """Computes pairs of one size, one at a time; each thread has its own.

    A frame's pyramid is made once, by `pyramid`, and serves the pair before it and the pair after it.
    """

    def __init__(self, schedule: Schedule, height: int, width: int) -> None:
        self.height, self.width = height, width
        self._geometry: Geometry = geometry(schedule, height, width)
        self._parameters = solver_parameters(schedule)
        self._work = make_workspace(height, width)
        self._size = int(self._geometry.starts[-1])

    def pyramid(self, frame: npt.NDArray[Any], scale: float = 1.0) -> FloatArray:
        """The pyramid of `frame` (H, W), uint8 or float32, times `scale`; brightness then in 0…255."""
        pyramid = aligned(self._size + LANES)
        build_pyramid(
            np.ascontiguousarray(frame), np.float32(scale), self._geometry, self._work.lines, pyramid
        )
        return pyramid

    def flow(self, first: FloatArray, second: FloatArray, into: FloatArray) -> None:
        """Write the flow between two frames, given by their pyramids, to `into`: (H, W, 2) float32."""
        solve(first, second, self._geometry, self._parameters, self._work, into.reshape(-1))

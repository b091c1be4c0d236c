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
    plane_size,
    plane_stride,
    row_in_chunks,
    row_in_plane,
)
from .median import flow_to_plane, median_filter
from .pyramid import Geometry, build_pyramid, geometry, resize
from .simd import LANES
from .solver import BLOCK, ascend, primal_dual
from .warp import make_texels, texel_size, warp


class Plan(NamedTuple):
    """A `Schedule` for compiled code: numbers only. A `tolerance` of 0 stands for a fixed number."""

    warps: int
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
    """What one pair at a time is computed in; float32 but for the last, which is int32."""

    fields: FloatArray
    coarser: FloatArray
    plane: FloatArray
    texels: FloatArray
    lines: FloatArray
    ahead: FloatArray
    changes: FloatArray
    edge: FloatArray
    places: npt.NDArray[np.int32]


def make_plan(schedule: Schedule) -> Plan:
    """`schedule` for compiled code."""
    solver, theta = schedule.solver, schedule.coupling
    shorten, reach = 1.0, theta
    sigma = relaxation = 0.0
    if isinstance(solver, PrimalDual):
        sigma, relaxation = solver.sigma, solver.relaxation
        shorten, reach = math.sqrt(solver.tau / (theta + solver.tau)), theta + solver.tau
    return Plan(
        warps=schedule.warps,
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
        lines=aligned(max(5 * line, 12 * LANES)),
        ahead=aligned(BLOCK * 2 * LANES * (chunks(width) + 1)),
        changes=aligned(BLOCK),
        edge=aligned(EDGES),
        places=np.zeros(2 * LANES, np.int32),
    )


@inlined
def begin_level(level, geometry, plan, work):
    """Fill the fields of a level from the planes of the coarser one, or with zeros."""
    height, width = geometry.heights[level], geometry.widths[level]
    in_row = chunks(width)
    fields = work.fields
    fields[: (height + 2) * in_row * CHUNK] = 0
    if level + 1 == len(geometry.heights):
        return
    height_from, width_from = geometry.heights[level + 1], geometry.widths[level + 1]
    stride = plane_stride(width_from)
    size = plane_size(height_from, width_from)
    handed_on = 6 if plan.carry_dual else 2
    for number in range(handed_on):
        factor = plan.magnify if number < 2 else np.float32(1)
        resize(
            work.coarser, number * size, stride, width_from,
            fields, row_in_chunks(0, in_row) + number * LANES, in_row * CHUNK, CHUNK, height, width,
            geometry.up, level, factor, work.lines,
        )  # fmt: skip
    # Forward differences end at the edge, and the dual variable with them.
    for y in range(height):
        last = row_in_chunks(y, in_row) + (width - 1) // LANES * CHUNK + (width - 1) % LANES
        fields[last + P11] = 0
        fields[last + P21] = 0
    bottom = row_in_chunks(height - 1, in_row)
    for c in range(in_row):
        for lane in range(LANES):
            fields[bottom + c * CHUNK + P12 + lane] = 0
            fields[bottom + c * CHUNK + P22 + lane] = 0


@inlined
def end_level(level, geometry, plan, work):
    """Keep in planes what the next finer level begins with."""
    height, width = geometry.heights[level], geometry.widths[level]
    size = plane_size(height, width)
    for number in range(6 if plan.carry_dual else 2):
        flow_to_plane(work.fields, number * LANES, height, width, work.coarser, number * size)


@inlined
def iterate(height, width, plan, work):
    """Rounds of a median and iterations, as many as the plan's stopping rule asks for."""
    bound = plan.tolerance * plan.tolerance * np.float32(height * width)
    for _ in range(plan.rounds):
        median_filter(work.fields, height, width, plan.median, work.plane, work.lines, work.edge)
        done = 0
        while done < plan.iterations:
            block = min(BLOCK, plan.iterations - done)
            if plan.is_primal_dual:
                primal_dual(
                    work.fields, height, width, block, plan.tau, plan.sigma, plan.relaxation, work.ahead,
                    work.edge,
                )  # fmt: skip
            else:
                if plan.tolerance > 0:
                    block = min(block, 10)
                ascend(work.fields, height, width, block, plan.tau, plan.coupling, work.edge, work.changes)
                if work.changes[block - 1] <= bound:
                    return
            done += block


@entry_point
def solve(first, second, geometry, plan, work, flow):
    """Write the flow from the frame of pyramid `first` to that of `second` to `flow` (H, W, 2)."""
    for level in range(len(geometry.heights) - 1, -1, -1):
        start, height, width = geometry.starts[level], geometry.heights[level], geometry.widths[level]
        edges(width, work.edge)
        make_texels(second, start, height, width, work.texels)
        begin_level(level, geometry, plan, work)
        for _ in range(plan.warps):
            warp(
                work.fields, first, start, height, width, work.texels, plan.threshold, plan.shorten, work.edge,
                work.lines, work.places,
            )  # fmt: skip
            iterate(height, width, plan, work)
        if level > 0:
            end_level(level, geometry, plan, work)
    height, width = geometry.heights[0], geometry.widths[0]
    in_row = chunks(width)
    for y in range(height):
        for x in range(width):
            at = row_in_chunks(y, in_row) + x // LANES * CHUNK + x % LANES
            flow[y, x, 0] = work.fields[at + U1]
            flow[y, x, 1] = work.fields[at + U2]


def is_compiled() -> bool:
    """Whether the engine can run at once, without compiling first."""
    return is_ready(build_pyramid) and is_ready(solve)


class Engine:
    """Computes pairs of one size, one at a time; each thread has its own.

    A frame's pyramid is made once, by `pyramid`, and serves the pair before it and the pair after it.
    """

    def __init__(self, schedule: Schedule, height: int, width: int) -> None:
        self.height, self.width = height, width
        self._geometry: Geometry = geometry(schedule.levels(height, width))
        self._plan = make_plan(schedule)
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
        """Write the flow between two frames, given by their pyramids, to `into` (H, W, 2) float32."""
        solve(first, second, self._geometry, self._plan, self._work, into)

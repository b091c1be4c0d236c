"""The engine: a schedule's levels, warps and rounds for N pairs of frames at once, on the frames' device."""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib.util import find_spec
from types import ModuleType

import torch

from ...errors import ClipError
from ..method import MIN_SIDE
from ..resampling import bilinear
from ..schedule import PrimalDual, Schedule
from . import steps
from .median import median_filter
from .resampling import pyramid, resample


def is_fused(device: torch.device) -> bool:
    """Whether an iteration on `device` is one kernel, written in Triton, and not many of PyTorch's."""
    return device.type == "cuda" and find_spec("triton") is not None


@torch.no_grad()
def flow_batch(previous: torch.Tensor, following: torch.Tensor, schedule: Schedule) -> torch.Tensor:
    """Flow from each frame of `previous` (N, H, W) to that of `following`: (N, H, W, 2) float32.

    On the device of both; frames are uint8, or float32 in 0…1. A pair's flow is the same bit for bit in every
    batch; that of two equal frames is zero. Raises ClipError for anything but frames of one size, at least
    16×16.
    """
    check_frames(previous)
    check_frames(following)
    if (previous.shape, previous.dtype, previous.device) != (
        following.shape,
        following.dtype,
        following.device,
    ):
        raise ClipError(
            "the frames of two sequences do not form pairs",
            expected=f"{tuple(previous.shape)} {previous.dtype} on {previous.device}",
            found=f"{tuple(following.shape)} {following.dtype} on {following.device}",
        )
    moving = moved(previous, following)
    flow = torch.zeros(*previous.shape, 2, dtype=torch.float32, device=previous.device)
    if len(moving):
        first, second = (pyramid(frames[moving], schedule) for frames in (previous, following))
        flow[moving] = solve(first, second, schedule)
    return flow


@torch.no_grad()
def flow_between(frames: torch.Tensor, schedule: Schedule) -> torch.Tensor:
    """Flow from each of `frames` (T, H, W) to the next: (T − 1, H, W, 2) float32.

    As `flow_batch` of all pairs; each frame's pyramid is made once.
    """
    check_frames(frames)
    planes = pyramid(frames, schedule)
    moving = moved(frames[:-1], frames[1:])
    flow = torch.zeros(len(frames) - 1, *frames.shape[1:], 2, dtype=torch.float32, device=frames.device)
    if len(moving):
        flow[moving] = solve([p[moving] for p in planes], [p[moving + 1] for p in planes], schedule)
    return flow


def check_frames(frames: torch.Tensor) -> None:
    """Raise ClipError unless `frames` are (N, H, W) uint8 or float32 in 0…1, at least 16×16."""
    known = frames.dtype in (torch.uint8, torch.float32)
    if frames.ndim != 3 or not known or min(frames.shape[1:]) < MIN_SIDE:
        raise ClipError(
            "frames do not fit optical flow",
            expected=f"grey, (N, H, W) uint8 or float32 in 0…1, at least {MIN_SIDE}×{MIN_SIDE} pixels",
            found=f"{tuple(frames.shape)} {frames.dtype}",
        )
    # Not a number compares false.
    if frames.dtype == torch.float32 and not bool(((frames >= 0) & (frames <= 1)).all()):
        raise ClipError(
            "grey frames of float32 must lie in 0…1",
            found=f"{frames.min():g} to {frames.max():g}",
            remedy="Divide by 255, and look for NaN and infinite values",
        )


def moved(previous: torch.Tensor, following: torch.Tensor) -> torch.Tensor:
    """Numbers (n,) of the pairs whose frames differ."""
    return (previous != following).flatten(1).any(1).nonzero()[:, 0]


def solve(first: Sequence[torch.Tensor], second: Sequence[torch.Tensor], schedule: Schedule) -> torch.Tensor:
    """Flow (N, H, W, 2) between two frames, given by their pyramids, for N pairs."""
    solver, reach, shorten = schedule.solver, schedule.coupling, 1.0
    if isinstance(solver, PrimalDual):
        # The data term's proximal step at u + τ·div p is the threshold step with λ(θ + τ) for λθ, shortened
        # by τ/(θ + τ): by its root in residual, direction and limit.
        reach = schedule.coupling + solver.tau
        shorten = math.sqrt(solver.tau / reach)
    pairs, _, height, width = first[-1].shape
    flow = first[-1].new_zeros(pairs, 2, height, width)
    dual = first[-1].new_zeros(pairs, 2, 2, height, width)
    for level in reversed(range(len(first))):
        start, end = first[level], second[level]
        if start is not first[-1]:
            flow, dual = magnify(flow, dual, start.shape[-2], start.shape[-1], schedule)
        texture = steps.texture(end)
        for _ in range(schedule.warps_on(level)):
            term = steps.data_term(start, texture, flow, schedule.data_weight * reach, shorten)
            flow, dual = relax(flow, dual, term, schedule)
    return flow.permute(0, 2, 3, 1).contiguous()


def magnify(
    flow: torch.Tensor, dual: torch.Tensor, height: int, width: int, schedule: Schedule
) -> tuple[torch.Tensor, torch.Tensor]:
    """Flow and dual variable that a level of this size begins with, from the coarser level's."""
    flow = resample(flow, height, width, bilinear) * (1 / schedule.step)
    if not schedule.carry_dual:
        return flow, dual.new_zeros(*dual.shape[:3], height, width)
    dual = resample(dual, height, width, bilinear)
    # Forward differences end at the edge, and the dual variable with them.
    dual[:, :, 0, :, -1] = 0
    dual[:, :, 1, -1, :] = 0
    return flow, dual


def relax(
    flow: torch.Tensor, dual: torch.Tensor, term: torch.Tensor, schedule: Schedule
) -> tuple[torch.Tensor, torch.Tensor]:
    """Flow and dual variable after one warp's rounds of a median and iterations."""
    solver = _solver(flow.device)
    parameters = schedule.solver, schedule.coupling, schedule.iterations
    if schedule.stop is None:
        flow = median_filter(flow, schedule.median)
        flow, dual = solver.iterate(flow, dual, term, *parameters)
        return flow, dual

    # Pairs that have converged stay as they are; the others go on without them.
    last_flow, last_dual = torch.empty_like(flow), torch.empty_like(dual)
    pairs = torch.arange(len(flow), device=flow.device)
    for _ in range(schedule.stop.rounds):
        flow = median_filter(flow, schedule.median)
        flow, dual, going = solver.iterate_until(flow, dual, term, *parameters, schedule.stop.tolerance)
        last_flow[pairs], last_dual[pairs] = flow, dual
        pairs, flow, dual, term = pairs[going], flow[going], dual[going], term[going]
        if len(pairs) == 0:
            break
    return last_flow, last_dual


def _solver(device: torch.device) -> ModuleType:
    """Where `iterate` and `iterate_until` for `device` are."""
    if is_fused(device):
        from . import triton_kernel

        return triton_kernel
    return steps

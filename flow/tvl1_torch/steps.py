"""The steps of TV-L1 in PyTorch's own operations, for N pairs of frames at once.

Everything is float32, on one device: flow (N, 2, H, W), x before y; its dual variable (N, 2, 2, H, W), of
each component of the flow the part in x, then in y; the data term (N, 4, H, W): residual, direction (x, y)
and limit. No step mixes pairs, or adds up in an order that depends on their number: a pair's flow is the
same in every batch, bit for bit.
"""

from __future__ import annotations

import torch
from torch.nn.functional import grid_sample, pad

from ..schedule import DualAscent, PrimalDual

NO_GRADIENT = 1e-9
"""Added to |∇I|², so that an even area has a direction, and no weight."""

POSITIONS = 512
"""Places between two pixels at which the second frame is read. So many the CPU engine has weights for; where
motion leaves the frame, that alone can move the flow by more than all other rounding."""

CHANGE_UNIT = 2.0**-28
"""Squared pixels. Changes are summed up in whole units: such a sum does not depend on its order."""

LARGEST_CHANGE = 2.0**10
"""Squared pixels. A pixel's change counts for no more, so that those of 2²⁴ pixels fit 63 bits: where one
moves as far, the pair is far from convergence anyway."""


def texture(frames: torch.Tensor) -> torch.Tensor:
    """Brightness and its central differences in x and y, (N, 3, H, W), of `frames` (N, 1, H, W)."""
    around = pad(frames, (1, 1, 1, 1), mode="replicate")
    across = (around[..., 1:-1, 2:] - around[..., 1:-1, :-2]) * 0.5
    down = (around[..., 2:, 1:-1] - around[..., :-2, 1:-1]) * 0.5
    return torch.cat([frames, across, down], 1)


def warp(texture: torch.Tensor, flow: torch.Tensor) -> torch.Tensor:
    """`texture` (N, C, H, W) where `flow` leads, by cubic convolution; beyond the frame there are zeros.

    PyTorch's cubic kernel is OpenCV's: Keys 1981, with −0.75.
    """
    height, width = flow.shape[-2:]
    x = torch.arange(width, device=flow.device, dtype=flow.dtype)
    y = torch.arange(height, device=flow.device, dtype=flow.dtype)[:, None]
    # Nothing is to be seen further out than two pixels.
    across = _whole((flow[:, 0] + x).clamp(-2, width + 1) * POSITIONS)
    down = _whole((flow[:, 1] + y).clamp(-2, height + 1) * POSITIONS)
    # grid_sample takes −1 and 1 for the centres of the outermost pixels.
    size = POSITIONS * (width - 1), POSITIONS * (height - 1)
    grid = torch.stack([across * (2 / size[0]) - 1, down * (2 / size[1]) - 1], -1)
    return grid_sample(texture, grid, mode="bicubic", padding_mode="zeros", align_corners=True)


def _whole(numbers: torch.Tensor) -> torch.Tensor:
    return (numbers + 0.5).floor()


def data_term(
    first: torch.Tensor, texture: torch.Tensor, flow: torch.Tensor, threshold: float, shorten: float
) -> torch.Tensor:
    """The data term, linearised at `flow`.

    OpenCV's threshold step (Zach et al. 2007, equation 12) takes the residual ρ(u) = ρ₀ + ∇I·u and moves u
    along ∇I by −ρ/|∇I|², but no further than λθ|∇I|. With n = ∇I/|∇I| that is u − clip(e, ±limit)·n for
    e = ρ₀/|∇I| + n·u.

    - `first` (N, 1, H, W): the first frames; `texture`: the second frames'
    - `threshold`: λθ, or what the solver has in its place; `shorten`: factor of all of the term
    """
    brightness, gx, gy = warp(texture, flow).chunk(3, 1)
    squared = gx * gx + gy * gy + NO_GRADIENT
    length = squared.sqrt()
    nx, ny = gx * shorten / length, gy * shorten / length
    residual = (brightness - first) * shorten / length - nx * flow[:, :1] - ny * flow[:, 1:]
    return torch.cat([residual, nx, ny, length * (threshold * shorten)], 1)


def iterate(
    flow: torch.Tensor,
    dual: torch.Tensor,
    term: torch.Tensor,
    solver: DualAscent | PrimalDual,
    coupling: float,
    iterations: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Flow and dual variable after some steps of `solver`; `coupling` is θ. The arguments stay unchanged."""
    for _ in range(iterations):
        if isinstance(solver, PrimalDual):
            flow, dual = _primal_dual(flow, dual, term, solver)
        else:
            flow, dual = _ascend(flow, dual, term, solver.tau, solver.tau / coupling)
    return flow, dual


def iterate_until(
    flow: torch.Tensor,
    dual: torch.Tensor,
    term: torch.Tensor,
    solver: DualAscent | PrimalDual,
    coupling: float,
    iterations: int,
    tolerance: float,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """As `iterate`, but each pair only until an iteration changes its flow by no more than `tolerance`.

    - `tolerance`: pixels, root mean square

    Flow and dual variable, and of each pair (N,) whether it has not come to that.
    """
    bound = largest_sum(tolerance, flow)
    last_flow, last_dual = torch.empty_like(flow), torch.empty_like(dual)
    going = torch.arange(len(flow), device=flow.device)
    for _ in range(iterations):
        before = flow
        flow, dual = iterate(flow, dual, term, solver, coupling, 1)
        still = change(before, flow) > bound
        if still.all():
            continue
        last_flow[going[~still]], last_dual[going[~still]] = flow[~still], dual[~still]
        going, flow, dual, term = going[still], flow[still], dual[still], term[still]
        if len(going) == 0:
            break
    last_flow[going], last_dual[going] = flow, dual
    unfinished = torch.zeros(len(last_flow), dtype=torch.bool, device=flow.device)
    unfinished[going] = True
    return last_flow, last_dual, unfinished


def change(before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
    """Of each pair (N,), the sum of the flow's squared changes, in CHANGE_UNIT, int64."""
    x, y = (after - before).unbind(1)
    squared = (x * x + y * y).clamp(max=LARGEST_CHANGE)
    return (squared / CHANGE_UNIT).to(torch.int64).flatten(1).sum(1)


def largest_sum(tolerance: float, flow: torch.Tensor) -> int:
    """What `change` gives, at most, for a change of `tolerance`, root mean square, of `flow`."""
    return int(tolerance**2 * flow[0, 0].numel() / CHANGE_UNIT)


def _ascend(
    flow: torch.Tensor, dual: torch.Tensor, term: torch.Tensor, tau: float, ratio: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Dual ascent on q = θp: the flow is v + div q, v being the threshold step's result."""
    flow = flow + (divergence(dual) - _pull(term, flow))
    slope = forward_differences(flow)
    return flow, (dual + slope * tau) / (_squared_length(slope).sqrt() * ratio + 1)


def _primal_dual(
    flow: torch.Tensor, dual: torch.Tensor, term: torch.Tensor, solver: PrimalDual
) -> tuple[torch.Tensor, torch.Tensor]:
    """Over-relaxed primal-dual steps on the same energy, p itself being the dual variable."""
    step = divergence(dual) * solver.tau
    step = step - _pull(term, flow + step)
    raised = dual + forward_differences(flow + step * 2) * solver.sigma
    length = _squared_length(raised).clamp(min=1).sqrt()
    dual = dual * (1 - solver.relaxation) + raised * (solver.relaxation / length)
    return flow + step * solver.relaxation, dual


def _pull(term: torch.Tensor, flow: torch.Tensor) -> torch.Tensor:
    """How far the data term moves the flow against the gradient."""
    residual, nx, ny, limit = term.chunk(4, 1)
    distance = residual + nx * flow[:, :1] + ny * flow[:, 1:]
    return distance.clamp(-limit, limit) * term[:, 1:3]


def _squared_length(pairs: torch.Tensor) -> torch.Tensor:
    """(N, 2, 1, H, W) of (N, 2, 2, H, W)."""
    x, y = pairs.chunk(2, 2)
    return x * x + y * y


def forward_differences(planes: torch.Tensor) -> torch.Tensor:
    """To the right and downwards, (N, C, 2, H, W) of (N, C, H, W); 0 at the edge."""
    slope = planes.new_zeros(*planes.shape[:2], 2, *planes.shape[2:])
    torch.sub(planes[..., 1:], planes[..., :-1], out=slope[:, :, 0, :, :-1])
    torch.sub(planes[..., 1:, :], planes[..., :-1, :], out=slope[:, :, 1, :-1])
    return slope


def divergence(dual: torch.Tensor) -> torch.Tensor:
    """(N, C, H, W) of (N, C, 2, H, W): minus the adjoint of `forward_differences`."""
    across, down = dual[:, :, 0], dual[:, :, 1]
    return (across - pad(across[..., :-1], (1, 0))) + (down - pad(down[..., :-1, :], (0, 0, 1, 0)))

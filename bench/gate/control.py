"""The control workload: what never changes, timed before every turn, so that a machine that changes shows.

It runs in the driver's own process, which is warm: a fresh process would take seconds to import and to load
compiled code, more than a light slot does, and its luck would add to the noise. Since both arms are timed
against the same process, what is left is what the machine did while each arm had it.
"""

from __future__ import annotations

import time

import numpy as np

from ...flow.evaluation.known_motion import known_pair
from ...flow.method import CompiledFlowMethod
from ...flow.registry import get_method

METHOD = "tvl1-fast"

_REPETITIONS = 5
"""Of which the median counts: one may meet an interrupt."""

_ELEMENTS = 400_000
"""Of the vector that arithmetic is done on: 3 MB, about 10 ms a pass."""


class Control:
    """A fixed vector's arithmetic and the flow of a fixed drawn pair, on one thread."""

    def __init__(self) -> None:
        self._flow = get_method(METHOD, 1)
        if isinstance(self._flow, CompiledFlowMethod):
            self._flow.warm_up()
        self._previous, self._following, _ = known_pair()
        self._vector = np.linspace(0.5, 1.5, _ELEMENTS)
        self()

    def describe(self) -> str:
        return (
            f"sines of {_ELEMENTS:,} numbers and {self._flow.name} on a drawn pair, one thread, in the "
            f"gate's own process: before every turn, or before and after every slot ({_REPETITIONS} times)"
        )

    def once(self) -> float:
        """Seconds that it takes now."""
        begin = time.perf_counter()
        np.sin(self._vector).sum()
        self._flow(self._previous, self._following)
        return time.perf_counter() - begin

    def __call__(self) -> float:
        """Seconds that it takes now, the median over some repetitions."""
        return float(np.median([self.once() for _ in range(_REPETITIONS)]))

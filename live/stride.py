"""How often labels are given: the stride grows while the network takes longer than it, and shrinks again."""

from __future__ import annotations

import math

SLOW_IN_A_ROW = 2
"""Answers in a row that must take longer than the stride before it grows: one alone may be a disturbance."""

FAST_IN_A_ROW = 5
"""Answers in a row that must fit into a shorter stride before it shrinks."""

FITS = 0.9
"""Share of the shorter stride that they must fit into."""


class AdaptiveStride:
    """The stride in effect, as a multiple of the one that was asked for: `multiple`."""

    def __init__(self) -> None:
        self.multiple = 1
        self._above: list[int] = []
        self._below: list[int] = []

    def observe(self, answer_s: float, stride_s: float) -> None:
        """Take the time of one more answer.

        - `answer_s`: seconds that the network took.
        - `stride_s`: seconds of the stride that was asked for.
        """
        needed = max(1, math.ceil(answer_s / stride_s))
        with_room = max(1, math.ceil(answer_s / (FITS * stride_s)))
        self._above = [*self._above, needed] if needed > self.multiple else []
        self._below = [*self._below, with_room] if with_room < self.multiple else []
        if len(self._above) == SLOW_IN_A_ROW:
            self._change(min(self._above))
        elif len(self._below) == FAST_IN_A_ROW:
            self._change(max(self._below))

    def _change(self, multiple: int) -> None:
        self.multiple = multiple
        self._above, self._below = [], []

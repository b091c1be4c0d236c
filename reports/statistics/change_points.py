"""Change points of a series of times, found afterwards: to show a trend, not to give a verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

SHORTEST = 3
"""Fewest values between two changes: fewer count as outliers."""

FEWEST = 10
"""Fewest values of a series in which changes are looked for: with fewer, chance separates two halves too
often."""


def change_points(values: Sequence[float]) -> list[int]:
    """Positions at which a new level begins, in order; none in fewer than `FEWEST` values.

    `values`: the series, in order.

    PELT (Killick, Fearnhead and Eckley, JASA 107 (2012) 1590–1598, by the library ruptures) on ranks, whose
    cost is that of Lung-Yut-Fong, Lévy-Leduc and Cappé (J. SFdS 156 (2015) 133–162): no distribution is
    assumed, and an outlier is one rank. The penalty 5 + ln n was chosen by simulation: a series that never
    changed shows a change in 1 to 4 % of cases, for n from 10 to 300.
    """
    n = len(values)
    if n < FEWEST or len(set(values)) == 1:
        return []
    from ruptures import KernelCPD
    from scipy import stats

    ranks = stats.rankdata(values)
    signal = ((ranks - ranks.mean()) / ranks.std())[:, np.newaxis]
    found = KernelCPD(kernel="linear", min_size=SHORTEST, jump=1).fit(signal).predict(pen=5 + math.log(n))
    return [int(position) for position in found[:-1]]

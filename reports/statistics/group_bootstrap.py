"""Intervals of figures over examples that come in groups: clips of one film, of one person, of one event.

Clips of a group resemble each other, so the group is what is drawn again, not the clip (Davison and Hinkley,
Bootstrap Methods and their Application (1997), §3.8; Field and Welsh, J. R. Statist. Soc. B 69 (2007)
369–390, doi:10.1111/j.1467-9868.2007.00593.x).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import stats

from .intervals import LEVEL, Estimate, Interval

Floats = npt.NDArray[np.float64]

DRAWS = 2000
"""Resamples of an interval: its ends then differ by less than a tenth of its length from seed to seed."""

FEWEST_GROUPS = 10
"""Fewest groups that an interval is made of. In simulation (films that differ in how hard they are) intervals
of 95 % cover the true figure in 83–100 % of the samples with 8 groups, and in 90–98 % with 12 to 30."""

MOST_UNDEFINED = 0.05
"""Share of the resamples in which a figure may be undefined before its interval is left out."""


def group_weights(groups: Sequence[str], draws: int = DRAWS, seed: int = 0) -> Floats:
    """How often each example is in each resample of the groups: (1 + draws, N), the first row all ones.

    - `groups`: group of each of the N examples.
    - `draws`: number of resamples. `seed`: of the drawing; the same seed and groups give the same weights,
      so that two figures of the same examples can be compared resample by resample.
    """
    names, of_example = np.unique(np.asarray(groups, dtype=object).astype(str), return_inverse=True)
    count = len(names)
    random = np.random.default_rng(seed)
    drawn = random.multinomial(count, np.full(count, 1 / count), size=draws)
    return np.vstack([np.ones(len(of_example)), drawn[:, of_example]]).astype(np.float64)


def estimate(values: Floats, groups: int, n: int, level: float = LEVEL) -> Estimate | None:
    """A figure with its interval, from its values in all examples and in each resample.

    - `values`: (1 + draws,) as `group_weights` orders them; NaN where the figure is undefined.
    - `groups`: number of groups that it depends on. `n`: number of examples that it is about.

    None where the figure itself is undefined. Without an interval where the groups are fewer than
    `FEWEST_GROUPS`, or the figure is undefined in more than `MOST_UNDEFINED` of the resamples.

    The interval is Hesterberg's expanded percentile interval (The American Statistician 69 (2015) 371–386,
    doi:10.1080/00031305.2015.1089789, §3.5): percentiles of plain resamples are too narrow for few groups, by
    about √((g − 1) / g) and by what Student's t is wider than the normal distribution.
    """
    value, resampled = float(values[0]), values[1:]
    if np.isnan(value):
        return None
    defined = resampled[~np.isnan(resampled)]
    enough = groups >= FEWEST_GROUPS and len(defined) >= (1 - MOST_UNDEFINED) * len(resampled)
    if not enough:
        return Estimate(value, None, n)
    wider = np.sqrt(groups / (groups - 1)) * stats.t.ppf((1 + level) / 2, groups - 1)
    low, high = np.quantile(defined, stats.norm.cdf([-wider, wider]))
    interval = Interval(float(low), float(high), f"bootstrap of the groups, {100 * level:g} %")
    return Estimate(value, interval, n)

"""Sorting networks for medians over windows of 3×3 and 5×5, for every engine.

Columns are sorted first, and serve every window that they are part of; a second network takes the median
from the sorted columns. The tests prove both by the 0–1 principle (Knuth, vol. 3, 5.3.4): there are only
(side + 1)^side ways to fill sorted columns with zeros and ones.
"""

from __future__ import annotations

SortingNetwork = tuple[tuple[int, int], ...]
"""Compare-exchanges in order: the lesser of the two numbers goes to the first place."""

SORT: dict[int, SortingNetwork] = {
    3: ((0, 2), (0, 1), (1, 2)),
    5: ((0, 3), (1, 4), (0, 2), (1, 3), (0, 1), (2, 4), (1, 2), (3, 4), (2, 3)),
}
"""By the window's side: optimal networks that sort a column (Knuth, vol. 3, 5.3.4)."""

# fmt: off
SELECT: dict[int, SortingNetwork] = {
    3: ((0, 3), (3, 6), (1, 4), (4, 7), (1, 4), (2, 5), (2, 8), (4, 6), (2, 4), (4, 6)),
    5: (
        (0, 15), (5, 20), (0, 10), (10, 20), (5, 10), (15, 20), (10, 15), (1, 16), (1, 11), (6, 16), (1, 6),
        (11, 21), (6, 11), (16, 21), (11, 16), (2, 17), (7, 22), (2, 12), (7, 17), (2, 7), (12, 22), (7, 12),
        (17, 22), (12, 17), (3, 18), (8, 23), (3, 13), (8, 18), (3, 8), (13, 23), (8, 13), (13, 18), (4, 19),
        (9, 24), (4, 14), (9, 19), (4, 9), (14, 24), (9, 14), (7, 11), (3, 15), (12, 20), (8, 4), (11, 15),
        (12, 8), (20, 4), (16, 9), (21, 17), (20, 8), (16, 13), (15, 20), (20, 8), (20, 21), (15, 20),
        (8, 16), (20, 8),
    ),
}
# fmt: on
"""By the window's side: networks that leave the median of sorted columns at MEDIAN_AT. Place side·i + j
begins with number j of column i. Found by taking away from a network that sorts the rows, then what can
still be the median, whatever the tests' proof does not need."""

MEDIAN_AT = {3: 4, 5: 8}
"""By the window's side: where SELECT leaves the median."""

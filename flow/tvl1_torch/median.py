"""Median filters, 3×3 and 5×5, as sorting networks.

Columns are sorted first, and serve every window that they are part of; a second network takes the median
from the sorted columns.
"""

from __future__ import annotations

from functools import cache

import torch

Network = tuple[tuple[int, int], ...]
"""Compare-exchanges in order: the lesser of the two numbers goes to the first place."""

SORT: dict[int, Network] = {
    3: ((0, 2), (0, 1), (1, 2)),
    5: ((0, 3), (1, 4), (0, 2), (1, 3), (0, 1), (2, 4), (1, 2), (3, 4), (2, 3)),
}
"""Optimal networks that sort a column (Knuth, vol. 3, 5.3.4)."""

# fmt: off
SELECT: dict[int, tuple[Network, int]] = {
    3: (((0, 3), (3, 6), (1, 4), (4, 7), (1, 4), (2, 5), (2, 8), (4, 6), (2, 4), (4, 6)), 4),
    5: ((
        (0, 15), (5, 20), (0, 10), (10, 20), (5, 10), (15, 20), (10, 15), (1, 16), (1, 11), (6, 16), (1, 6),
        (11, 21), (6, 11), (16, 21), (11, 16), (2, 17), (7, 22), (2, 12), (7, 17), (2, 7), (12, 22), (7, 12),
        (17, 22), (12, 17), (3, 18), (8, 23), (3, 13), (8, 18), (3, 8), (13, 23), (8, 13), (13, 18), (4, 19),
        (9, 24), (4, 14), (9, 19), (4, 9), (14, 24), (9, 14), (7, 11), (3, 15), (12, 20), (8, 4), (11, 15),
        (12, 8), (20, 4), (16, 9), (21, 17), (20, 8), (16, 13), (15, 20), (20, 8), (20, 21), (15, 20),
        (8, 16), (20, 8),
    ), 8),
}
# fmt: on
"""By the window's side: a network that leaves the median of sorted columns in the place named after it.
Place side·i + j begins with number j of column i. The tests prove them by the 0–1 principle (ibid.)."""


@cache
def selection(side: int) -> tuple[tuple[int, int, bool, bool], ...]:
    """SELECT's network, and of each compare-exchange whether its lesser and its greater are used after it."""
    network, output = SELECT[side]
    used = {output}
    steps = []
    for low, high in reversed(network):
        steps.append((low, high, low in used, high in used))
        if low in used or high in used:
            used |= {low, high}
    return tuple(reversed(steps))


def median_filter(planes: torch.Tensor, side: int) -> torch.Tensor:
    """Medians of `planes` (N, C, H, W) over `side` × `side` windows, 3 or 5, the edge repeated outward."""
    return torch.cat([_filtered(planes[:, c : c + 1], side) for c in range(planes.shape[1])], 1)


def _filtered(plane: torch.Tensor, side: int) -> torch.Tensor:
    height, width = plane.shape[-2:]
    margin = side // 2
    padded = torch.nn.functional.pad(plane, (margin,) * 4, mode="replicate")
    column = [padded[..., y : y + height, :] for y in range(side)]
    for low, high in SORT[side]:
        column[low], column[high] = (
            torch.minimum(column[low], column[high]),
            torch.maximum(column[low], column[high]),
        )
    places = [ranked[..., x : x + width] for x in range(side) for ranked in column]
    for low, high, lesser, greater in selection(side):
        a, b = places[low], places[high]
        if lesser:
            places[low] = torch.minimum(a, b)
        if greater:
            places[high] = torch.maximum(a, b)
    return places[SELECT[side][1]]

"""Median filters, 3×3 and 5×5, by the networks of flow/sorting_networks.py."""

from __future__ import annotations

from functools import cache

import torch

from ..sorting_networks import MEDIAN_AT, SELECT, SORT


@cache
def selection(side: int) -> tuple[tuple[int, int, bool, bool], ...]:
    """SELECT's network, and of each compare-exchange whether its lesser and its greater are used after it."""
    used = {MEDIAN_AT[side]}
    steps = []
    for low, high in reversed(SELECT[side]):
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
    return places[MEDIAN_AT[side]]

"""Random values from a generator that is passed in: the same seed gives the same values in any thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import torch

Item = TypeVar("Item")


def whole(low: int, high: int, generator: torch.Generator) -> int:
    """A whole number from `low` to `high`, both included, each equally likely."""
    return int(torch.randint(low, high + 1, (), generator=generator))


def uniform(low: float, high: float, generator: torch.Generator) -> float:
    """A number from `low` to `high`."""
    return low + (high - low) * float(torch.rand((), generator=generator, dtype=torch.float64))


def choice(items: Sequence[Item], generator: torch.Generator) -> Item:
    """One of `items`, each equally likely."""
    return items[whole(0, len(items) - 1, generator)]


def sample(items: Sequence[Item], count: int, generator: torch.Generator) -> tuple[Item, ...]:
    """`count` different ones of `items` in random order."""
    return tuple(items[k] for k in torch.randperm(len(items), generator=generator)[:count].tolist())

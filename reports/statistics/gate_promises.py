"""What the gate promises of its errors, and whether simulated gates keep it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .gate_simulation import NOISES, Cell
from .sequential import Verdict


@dataclass(frozen=True, slots=True)
class Promise:
    """A promise of the gate.

    - `cell`: the one that comes closest to breaking it. `found`: its rate. `kept`: whether it keeps it.
    """

    text: str
    cell: Cell
    found: float
    kept: bool


def promises(cells: Sequence[Cell]) -> list[Promise]:
    """The gate's promises that apply to any of the cells."""
    assumed = [cell for cell in cells if cell.order == "alternating" and cell.noise in NOISES]
    in_turns = [cell for cell in cells if cell.order == "in turns"]
    slower = [cell for cell in assumed if cell.change == 0.15]
    ten = [c for c in slower if c.noise == "plain" and c.rule.pairs == c.rule.max_pairs == 10]
    more = [c for c in slower if c.noise == "bimodal" and c.rule.pairs < c.rule.max_pairs == 30]
    caught = [cell for cell in in_turns if cell.change == 0.10]
    found = [
        _most("unchanged code: at most 1 % false alarms, always", _unchanged(assumed), "regression", 0.01),
        _least("15 % slower, plain noise, 10 pairs: at least 95 % caught", ten, 0.95),
        _least("15 % slower, bimodal times, up to 30 pairs: at least 90 % caught", more, 0.90),
        _most("in turns, unchanged code: at most 1 % false alarms", _unchanged(in_turns), "regression", 0.01),
        _most("in turns, unchanged code: at most 10 % undecided", _unchanged(in_turns), "inconclusive", 0.10),
        _least("in turns, 10 % slower: at least 95 % caught", caught, 0.95),
    ]
    return [promise for promise in found if promise is not None]


def _unchanged(cells: Sequence[Cell]) -> list[Cell]:
    return [cell for cell in cells if cell.change == 0]


def _most(text: str, cells: Sequence[Cell], verdict: Verdict, limit: float) -> Promise | None:
    """The promise that a verdict is given at most so often; None without a cell."""
    if not cells:
        return None
    worst = max(cells, key=lambda cell: cell.share(verdict))
    return Promise(text, worst, worst.share(verdict), worst.share(verdict) <= limit)


def _least(text: str, cells: Sequence[Cell], limit: float) -> Promise | None:
    """The promise that at least so many slowdowns are caught; None without a cell."""
    if not cells:
        return None
    worst = min(cells, key=lambda cell: cell.called)
    return Promise(text, worst, worst.called, worst.called >= limit)

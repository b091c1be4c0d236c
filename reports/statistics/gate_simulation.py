"""False-alarm rate and power of the gate: its decision on simulated histories with a known change.

A history is a sequence of processes; the log time of each is the noise of the machine at that moment plus,
for the candidate, the true change. The decision is that of `sequential.look`, on all histories at once. Noise
between processes that are measured one after the other is assumed, in several forms; that of shared machines,
turn by turn, was measured (`turn_simulation`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from ..numbers import UNKNOWN, number, percent
from ..tables.table import Column, Line, Record, Table, table
from .gate_pairs import PRECISION
from .sequential import FEWEST_PAIRS, Rule, Verdict
from .turn_simulation import MACHINES, pairs_in_turns, pairs_of_slots

Array = npt.NDArray[np.float64]
Order = Literal["alternating", "base first", "in turns"]

PROCESS_SD = 0.03
"""Standard deviation between processes of the same code on an idle machine: 3 %, as on hosted CI runners
(several projects report 2.7 % within a job)."""

BLOCK_SD = 0.05
"""Standard deviation of the drift between blocks. A block is what runs without interruption: a pair, or a
whole arm if one arm runs before the other."""

SLOT_SD = 0.01
"""Standard deviation of the drift between the two processes of a block."""

CHANGES = (0.0, 0.05, 0.10, 0.15, 0.20)
HISTORIES = 20_000
SEED = 20_260


def _process(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    return rng.normal(0, PROCESS_SD, shape)


def _heavy_tails(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Student's t with 3 degrees of freedom, whose quartiles are those of the plain noise."""
    return rng.standard_t(3, shape) * PROCESS_SD * 0.6745 / 0.7649


def _contaminated(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Every tenth process is slower by 30 % on average, exponentially distributed."""
    return _process(rng, shape) + (rng.random(shape) < 0.1) * rng.exponential(math.log(1.3), shape)


def _bimodal(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Three in ten processes take 10 % longer: an unlucky memory layout."""
    return _process(rng, shape) + (rng.random(shape) < 0.3) * math.log(1.1)


def _neighbour(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """Other programs run for a third of the time, during six slots on average: 20 % slower."""
    histories, slots = shape
    begins, ends = 1 / 12, 1 / 6
    busy = np.empty(shape, dtype=bool)
    now = rng.random(histories) < begins / (begins + ends)
    for slot in range(slots):
        busy[:, slot] = now
        now = np.where(now, rng.random(histories) >= ends, rng.random(histories) < begins)
    return _process(rng, shape) + busy * math.log(1.2)


def _slot_bias(rng: np.random.Generator, shape: tuple[int, int]) -> Array:
    """The second process of a pair is 3 % slower."""
    return _process(rng, shape) + (np.arange(shape[1]) % 2) * math.log(1.03)


NOISES: dict[str, Callable[[np.random.Generator, tuple[int, int]], Array]] = {
    "plain": _process,
    "heavy tails": _heavy_tails,
    "contaminated": _contaminated,
    "bimodal": _bimodal,
    "neighbour": _neighbour,
    "slot bias": _slot_bias,
}
"""Name → log times of the processes (histories, slots), without drift and without a change."""


@dataclass(frozen=True, slots=True)
class Cell:
    """The results of many simulated gates.

    - `noise`: a name of `NOISES` or `MACHINES`.
    - `order`: of the processes, see `log_ratio_histories`; "in turns": both take turns.
    - `rule`: the rule they are decided by.
    - `change`: the candidate's true slowdown, as a fraction.
    - `ends`: verdict → number of gates. `mean_pairs`: mean number of pairs until the verdict.
    """

    noise: str
    order: Order
    rule: Rule
    change: float
    ends: Mapping[str, int]
    mean_pairs: float

    @property
    def histories(self) -> int:
        """Number of simulated gates."""
        return sum(self.ends.values())

    @property
    def called(self) -> float:
        """Fraction called a regression: false alarms if `change` is 0, else slowdowns detected."""
        return self.share("regression")

    def share(self, verdict: Verdict) -> float:
        """Fraction of the gates that ended with this verdict."""
        return self.ends.get(verdict, 0) / self.histories


def log_ratio_histories(
    rng: np.random.Generator, noise: str, order: Order, histories: int, pairs: int
) -> Array:
    """log(candidate / base) of unchanged code, (histories, pairs) float64.

    - `noise`: a name of `NOISES`.
    - `order`: "alternating": base, candidate, candidate, base, …; each pair is a block of the drift. "base
      first": all processes of the base, then all of the candidate; each arm is a block.
    - `histories`, `pairs`: the shape.
    """
    slots = NOISES[noise](rng, (histories, 2 * pairs)) + rng.normal(0, SLOT_SD, (histories, 2 * pairs))
    if order == "base first":
        drift = rng.normal(0, BLOCK_SD, (histories, 2))
        return slots[:, pairs:] - slots[:, :pairs] + (drift[:, 1:] - drift[:, :1])
    # The drift of a block is the same in both of its slots, and so not in their ratio.
    signs = np.where(np.arange(pairs) % 2 == 0, 1.0, -1.0)
    return (slots[:, 1::2] - slots[:, 0::2]) * signs


def run_gates(ratios: Array, change: float, rule: Rule) -> tuple[npt.NDArray[np.str_], npt.NDArray[np.int64]]:
    """Simulated gates: their verdicts (histories,), and after how many pairs (histories,) each was given.

    - `ratios`: log ratios of unchanged code, (histories, pairs).
    - `change`: the true slowdown to add, as a fraction.
    - `rule`: needs no more pairs than `ratios` has.
    """
    moved = ratios + math.log1p(change)
    verdicts = np.full(len(moved), "inconclusive")
    taken = np.full(len(moved), rule.max_pairs)
    undecided = np.arange(len(moved))
    for pairs in rule.looks():
        depth = rule.depth(pairs)
        ordered = np.partition(moved[undecided, :pairs], (depth - 1, pairs - depth), axis=1)
        bottom, top = ordered[:, depth - 1], ordered[:, pairs - depth]
        found = np.select(
            [bottom > rule.margin, top < -rule.margin, top < rule.margin],
            ["regression", "improvement", "fine"],
            "inconclusive",
        )
        decided = found != "inconclusive"
        verdicts[undecided[decided]] = found[decided]
        taken[undecided[decided]] = pairs
        undecided = undecided[~decided]
    return verdicts, taken


def simulate(rule: Rule | None = None, histories: int = HISTORIES, seed: int = SEED) -> list[Cell]:
    """Simulate every noise with every change, decided by `rule` and with each fixed number of pairs.

    All rules and changes of one noise are applied to the same histories.

    - `rule`: None takes the default `Rule()`.
    - `histories`: number of gates for each cell.
    - `seed`: of the random numbers; the same seed gives the same cells.
    """
    rule = Rule() if rule is None else rule
    fixed = [replace(rule, pairs=n, max_pairs=n) for n in range(FEWEST_PAIRS, rule.max_pairs + 1)]
    rules = fixed if rule in fixed else [*fixed, rule]
    ways: list[tuple[str, Order]] = [*((noise, "alternating") for noise in NOISES), ("plain", "base first")]
    cells = []
    for stream, (noise, order) in enumerate(ways):
        rng = np.random.default_rng([seed, stream])
        ratios = log_ratio_histories(rng, noise, order, histories, rule.max_pairs)
        for way in rules:
            for change in CHANGES:
                verdicts, pairs = run_gates(ratios[:, : way.max_pairs], change, way)
                ends = Counter(verdicts.tolist())
                cells.append(Cell(noise, order, way, change, ends, float(pairs.mean())))
    return cells


def simulate_shared(rule: Rule | None = None, histories: int = HISTORIES, seed: int = SEED) -> list[Cell]:
    """Simulate the measured noise of shared machines with every change, in turns and slot after slot.

    Parameters: see `simulate`.
    """
    rule = Rule() if rule is None else rule
    cells = []
    for stream, (name, machine) in enumerate(MACHINES.items()):
        rng = np.random.default_rng([seed, len(NOISES) + 1, stream])
        ratios: dict[Order, Array] = {
            "alternating": pairs_of_slots(rng, machine, histories, rule.max_pairs),
            "in turns": pairs_in_turns(rng, machine, histories, rule.max_pairs, PRECISION * rule.margin),
        }
        for order, of_order in ratios.items():
            for change in CHANGES:
                verdicts, pairs = run_gates(of_order, change, rule)
                ends = Counter(verdicts.tolist())
                cells.append(Cell(name, order, rule, change, ends, float(pairs.mean())))
    return cells


def simulation_table(cells: Sequence[Cell]) -> Table:
    """A row for each noise and rule: fraction called a regression at every true change."""
    changes = sorted({cell.change for cell in cells})
    columns = [
        Column("Noise", "left"),
        Column("Order", "left"),
        Column("Pairs"),
        *(Column(f"Slower by\n{100 * change:g} %") for change in changes),
        Column("Unchanged:\nfine"),
        Column("Unchanged:\nmean pairs"),
    ]
    rows: dict[tuple[str, Order, Rule], dict[float, Cell]] = {}
    for cell in cells:
        rows.setdefault((cell.noise, cell.order, cell.rule), {})[cell.change] = cell
    notes = [
        f"Fraction of {cells[0].histories} histories called a regression; at 0 % these are false alarms."
    ]
    return table("gate_simulation", "The gate, simulated", columns, map(_line, rows.values()), notes)


def _line(row: dict[float, Cell]) -> Line:
    first = next(iter(row.values()))
    rule = first.rule
    pairs = f"{rule.pairs}" if rule.pairs == rule.max_pairs else f"{rule.pairs}–{rule.max_pairs}"
    still = row.get(0.0)
    texts = [first.noise, first.order, pairs, *(percent(cell.called, 1) for cell in row.values())]
    texts += (
        [UNKNOWN, UNKNOWN] if still is None else [percent(still.share("fine"), 1), number(still.mean_pairs)]
    )
    record: Record = {
        "noise": first.noise,
        "order": first.order,
        "pairs": rule.pairs,
        "max_pairs": rule.max_pairs,
        "histories": first.histories,
        **{f"regression_at_{100 * change:g}_percent": cell.called for change, cell in row.items()},
        "fine_at_0_percent": None if still is None else still.share("fine"),
        "mean_pairs_at_0_percent": None if still is None else still.mean_pairs,
    }
    return texts, record

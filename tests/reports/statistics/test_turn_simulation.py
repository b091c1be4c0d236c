"""Simulated turns have the noise that they are given, and become a pair's figure as measured ones do."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from actionbench.bench.gate.pairs import Length
from actionbench.records.gate import ARMS, InTurns, PairInTurns, Turn
from actionbench.reports.statistics import turn_simulation
from actionbench.reports.statistics.gate_pairs import pairs_of
from actionbench.reports.statistics.turn_simulation import (
    MACHINES,
    SharedMachine,
    pairs_in_turns,
    pairs_of_slots,
)

STILL = SharedMachine(0.0, 1.0, 1.0, 1.0, luck_sd=0.0, drift_sd=0.0)


def figure_of_a_gate(times: np.ndarray, length: Length) -> float:
    """The figure of a pair whose turns took exp(`times`) seconds, as a gate measures and judges it."""
    turns: list[Turn] = []
    for number, seconds in enumerate(np.exp(times)):
        arm = ARMS[(number + number // 2) % 2]
        turns.append(Turn(arm, {"total": float(seconds)}, 1.0))
        rounds = len(turns) // 2
        if len(turns) % 2 == 0 and rounds >= 4 and rounds % 2 == 0 and length.reached(turns, 0.0):
            break
    (pair,) = pairs_of([], [PairInTurns(0, {"m": InTurns(tuple(turns), {"base": {}, "candidate": {}})}, 1.0)])
    found = pair.metrics["m", "total"].log_ratio
    assert found is not None
    return found


@pytest.mark.parametrize("name", MACHINES)
def test_the_simulated_pair_is_the_real_one(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = replace(MACHINES[name], luck_sd=0.0)
    kept: list[np.ndarray] = []
    made = turn_simulation._times

    def keep(*arguments: object) -> np.ndarray:
        kept.append(made(*arguments))  # type: ignore[arg-type]
        return kept[-1].copy()

    monkeypatch.setattr(turn_simulation, "_times", keep)
    error = 0.016
    (found,) = pairs_in_turns(np.random.default_rng(0), machine, 20, 1, error).T
    length = Length(math.inf, ("total",), error)
    assert found == pytest.approx([figure_of_a_gate(times, length) for times in kept[0]])


def test_luck_alone_is_in_every_turn_of_its_process() -> None:
    lucky = replace(STILL, luck_sd=0.02)
    for ratios in (
        pairs_in_turns(np.random.default_rng(0), lucky, 2000, 1, 0.01),
        pairs_of_slots(np.random.default_rng(0), lucky, 2000, 1),
    ):
        assert float(ratios.std()) == pytest.approx(0.02 * math.sqrt(2), rel=0.06)


def test_a_neighbour_slower_than_turns_is_met_by_both() -> None:
    slow = replace(STILL, factor=2.0, rests_s=20.0, computes_s=20.0)
    in_turns = pairs_in_turns(np.random.default_rng(0), slow, 1000, 1, 0.01)
    slots = pairs_of_slots(np.random.default_rng(0), slow, 1000, 1)
    assert np.all(in_turns == 0)
    assert float(slots.std()) > 0.2


@pytest.mark.parametrize("name", MACHINES)
def test_unchanged_code_has_no_ratio_in_the_middle(name: str) -> None:
    ratios = pairs_in_turns(np.random.default_rng(3), MACHINES[name], 3000, 2, 0.016)
    assert abs(float(np.median(ratios))) < 0.003

"""What the gate promises, on a tenth of the published histories; the simulated gate is the real one."""

from __future__ import annotations

import numpy as np
import pytest

from actionbench.reports.statistics.gate_promises import promises
from actionbench.reports.statistics.gate_simulation import (
    NOISES,
    Cell,
    log_ratio_histories,
    run_gates,
    simulate,
    simulate_shared,
    simulation_table,
)
from actionbench.reports.statistics.sequential import Rule, look
from actionbench.reports.statistics.turn_simulation import MACHINES


@pytest.fixture(scope="module")
def cells() -> list[Cell]:
    return simulate(histories=2000, seed=1)


def of(cells: list[Cell], noise: str, change: float, rule: Rule, order: str = "alternating") -> Cell:
    (found,) = [c for c in cells if (c.noise, c.order, c.change, c.rule) == (noise, order, change, rule)]
    return found


def test_every_noise_and_every_number_of_pairs_is_tried(cells: list[Cell]) -> None:
    alternating = [cell for cell in cells if cell.order == "alternating"]
    assert len(alternating) == len(NOISES) * (25 + 1) * 5
    assert {cell.histories for cell in cells} == {2000}


def test_unchanged_code_hardly_ever_raises_an_alarm(cells: list[Cell]) -> None:
    for cell in cells:
        if cell.order == "alternating" and cell.change == 0:
            assert cell.called <= 0.005, cell


def test_a_change_of_exactly_the_threshold_is_called_within_the_level(cells: list[Cell]) -> None:
    """At most 2.5 %, and four standard errors of 2000 histories."""
    for cell in cells:
        if cell.order == "alternating" and cell.change == 0.05:
            assert cell.called <= 0.025 + 0.014, cell


def test_slowdowns_are_caught(cells: list[Cell]) -> None:
    ten = Rule(pairs=10, max_pairs=10)
    assert of(cells, "plain", 0.15, ten).called >= 0.97
    assert of(cells, "bimodal", 0.15, Rule()).called >= 0.97
    for noise in NOISES:
        assert of(cells, noise, 0.20, Rule()).called >= 0.98, noise


def test_the_promises_are_kept_and_name_their_cells(cells: list[Cell]) -> None:
    found = promises(cells)
    assert [promise.kept for promise in found] == [True] * 3
    assert [promise.cell.change for promise in found] == [0.0, 0.15, 0.15]
    assert [promise.found for promise in found] == [promise.cell.called for promise in found]
    assert promises([]) == []


def test_a_promise_that_is_broken_is_told() -> None:
    rule = Rule(pairs=10, max_pairs=10)
    alarms = Cell("plain", "alternating", rule, 0.0, {"regression": 11, "fine": 989}, 10)
    blind = Cell("plain", "alternating", rule, 0.15, {"regression": 949, "inconclusive": 51}, 10)
    assert [promise.kept for promise in promises([alarms, blind])] == [False, False]


def test_without_alternating_more_pairs_make_more_false_alarms(cells: list[Cell]) -> None:
    few, many = (of(cells, "plain", 0.0, Rule(pairs=n, max_pairs=n), "base first").called for n in (6, 30))
    assert many > few > 0.05


@pytest.mark.parametrize("rule", [Rule(), Rule(pairs=7, max_pairs=12), Rule(pairs=6, max_pairs=6)])
def test_the_simulated_gate_decides_as_the_real_one(rule: Rule) -> None:
    rng = np.random.default_rng(2)
    ratios = log_ratio_histories(rng, "bimodal", "alternating", 150, rule.max_pairs)
    for change in (-0.12, 0.0, 0.08):
        verdicts, taken = run_gates(ratios, change, rule)
        for history, verdict, pairs in zip(ratios, verdicts, taken, strict=True):
            found = look((history[: rule.pairs] + np.log1p(change)).tolist(), rule)
            while found.next_pairs is not None:
                found = look((history[: found.next_pairs] + np.log1p(change)).tolist(), rule)
            assert (found.verdict, found.pairs) == (verdict, pairs)


@pytest.mark.parametrize("noise", NOISES)
def test_unchanged_code_has_no_ratio_in_the_middle(noise: str) -> None:
    ratios = log_ratio_histories(np.random.default_rng(3), noise, "alternating", 4000, 10)
    assert abs(float(np.median(ratios))) < 0.002
    assert 0.03 < float(np.std(ratios)) < 0.2


def test_the_same_seed_gives_the_same_table() -> None:
    rule = Rule(pairs=6, max_pairs=8)
    first, second = (simulation_table(simulate(rule, 50, seed=4)) for _ in range(2))
    assert first == second
    assert len(first.rows) == (len(NOISES) + 1) * 4  # 6, 7, 8 pairs and the rule itself
    assert first.frame()["regression_at_20_percent"].between(0, 1).all()


def test_a_table_of_fewer_changes_says_what_it_lacks() -> None:
    rule = Rule(pairs=10, max_pairs=10)
    cell = Cell("plain", "alternating", rule, 0.15, {"regression": 3, "fine": 1}, 10)
    (row,) = simulation_table([cell]).rows
    assert row == ("plain", "alternating", "10", "75.0 %", "–", "–")


@pytest.fixture(scope="module")
def shared() -> list[Cell]:
    return simulate_shared(histories=400, seed=1)


def test_what_is_promised_of_turns_is_kept_on_every_measured_machine(shared: list[Cell]) -> None:
    assert {(cell.noise, cell.order) for cell in shared} == {
        (machine, order) for machine in MACHINES for order in ("alternating", "in turns")
    }
    found = promises(shared)
    assert [promise.cell.order for promise in found] == ["in turns"] * 3
    alarms, undecided, caught = (promise.found for promise in found)
    assert alarms <= 0.01
    assert undecided <= 0.10
    assert caught >= 0.93  # of 400; 95 % of 20,000


def test_slot_after_slot_the_same_noise_leaves_most_gates_undecided(shared: list[Cell]) -> None:
    for machine in MACHINES:
        slots, turns = (of(shared, machine, 0.0, Rule(), order) for order in ("alternating", "in turns"))
        assert slots.called <= 0.01
        assert slots.share("inconclusive") > 0.4 > 0.1 > turns.share("inconclusive")


def test_a_promise_of_turns_that_is_broken_is_told() -> None:
    still = Cell("loaded, I", "in turns", Rule(), 0.0, {"inconclusive": 11, "fine": 89}, 10)
    found = {promise.text: promise for promise in promises([still])}
    broken = found["in turns, unchanged code: at most 10 % undecided"]
    assert (broken.kept, broken.found) == (False, 0.11)

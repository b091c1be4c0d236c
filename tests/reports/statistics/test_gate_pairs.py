"""One value of each arm and one log ratio a pair, from slots and from turns."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actionbench.records.gate import InTurns, PairInTurns, Slot, Turn
from actionbench.reports.statistics.gate_pairs import log_ratios_of_turns, pairs_of, standard_error


def in_turns(base: list[float], candidate: list[float], pair: int = 0) -> PairInTurns:
    """Turns in the order ABBA."""
    turns: list[Turn] = []
    for round_, (b, c) in enumerate(zip(base, candidate, strict=True)):
        both = [Turn("base", {"total": b}, 1.0), Turn("candidate", {"total": c}, 1.0)]
        turns += both if round_ % 2 == 0 else both[::-1]
    return PairInTurns(
        pair, {"m": InTurns(tuple(turns), {"base": {"load": 2.0}, "candidate": {"load": 3.0}})}, 1.0
    )


def test_a_pairs_ratio_is_the_median_over_adjacent_turns_and_not_the_ratio_of_medians() -> None:
    (pair,) = pairs_of([], [in_turns([1.0, 2.0, 2.0, 1.0], [1.1, 2.2, 2.2, 9.9])])
    total, load = pair.metrics["m", "total"], pair.metrics["m", "load"]
    assert (total.base, total.candidate) == (1.5, 2.2)
    assert total.log_ratio == pytest.approx(math.log(1.1))
    assert load.log_ratio == pytest.approx(math.log(1.5))
    assert (pair.turns, pair.control.log_ratio) == (4, 0.0)


@given(st.lists(st.floats(0.01, 100), min_size=4, max_size=12), st.floats(0.5, 2))
def test_whatever_both_meet_alike_is_not_in_the_ratio(neighbour: list[float], change: float) -> None:
    (pair,) = pairs_of([], [in_turns(neighbour, [change * seconds for seconds in neighbour])])
    assert pair.metrics["m", "total"].log_ratio == pytest.approx(math.log(change), abs=1e-9)


def test_a_metric_that_a_turn_lacks_or_that_is_zero_has_no_ratio() -> None:
    pair = in_turns([1.0, 0.0], [1.0, 1.0])
    assert pairs_of([], [pair])[0].metrics["m", "total"].log_ratio is None
    first, *others = pair.models["m"].turns
    lacking = InTurns(
        (Turn("base", {"total": 1.0, "flow": 1.0}, 1.0), *others), {"base": {}, "candidate": {}}
    )
    (found,) = pairs_of([], [PairInTurns(0, {"m": lacking}, 1.0)])
    assert ("m", "flow") not in found.metrics
    assert ("m", "flow") in found.named
    assert first.arm == "base"


def test_pairs_of_both_kinds_count() -> None:
    slots = [
        Slot(0, "base", 0, {"m": {"total": 1.0}}, 1.0, 1.0),
        Slot(0, "candidate", 1, {"m": {"total": 2.0}}, 1.0, 1.0),
    ]
    found = pairs_of([*slots, Slot(1, "base", 2, {}, 1.0, 1.0)], [in_turns([1.0, 1.0], [1.0, 1.0], 1)])
    assert [pair.turns for pair in found] == [None, 2]
    assert found[0].metrics["m", "total"].log_ratio == pytest.approx(math.log(2))


@given(st.integers(4, 60), st.floats(-1, 1), st.floats(0.001, 0.5))
def test_the_standard_error_knows_no_place_and_no_sign(n: int, place: float, scatter: float) -> None:
    values = np.random.default_rng(n).normal(0, scatter, n)
    found = float(standard_error(values))
    assert found == pytest.approx(float(standard_error(place - values)), rel=1e-6)
    assert found == pytest.approx(float(standard_error(np.stack([values, values]))[1]))


def test_the_standard_error_is_that_of_the_median_of_a_normal_distribution() -> None:
    samples = np.random.default_rng(0).normal(3, 2, (4000, 25))
    assert float(np.median(samples, axis=1).std()) == pytest.approx(
        float(standard_error(samples).mean()), rel=0.06
    )


def test_turns_without_a_value_have_no_ratios() -> None:
    turns = in_turns([1.0, 0.0], [1.0, 1.0]).models["m"].turns
    assert log_ratios_of_turns(turns, "total") == []
    assert log_ratios_of_turns(turns, "flow") == []

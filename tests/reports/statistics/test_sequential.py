"""The gate's decision: exact against brute force, at every small n, under every order, shift and mirror."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actionbench.errors import MeasurementError, UsageError
from actionbench.reports.statistics.intervals import median_interval
from actionbench.reports.statistics.sequential import Rule, decide, log_ratios, look

RULE = Rule()
SLOW = math.log(1.2)

histories = st.lists(st.floats(-0.5, 0.5), min_size=1, max_size=32)


def fixed(pairs: int, **changes: float) -> Rule:
    return Rule(pairs=pairs, max_pairs=pairs, **changes)


def crossings(walk: Sequence[int], depths: dict[int, int]) -> bool:
    """Whether the values above the boundary (1 each) put the interval above it at any look."""
    return any(depth and sum(walk[:pairs]) >= pairs - depth + 1 for pairs, depth in depths.items())


@pytest.mark.parametrize("ends", [(6, 6), (6, 7), (6, 11), (6, 14), (9, 14), (10, 13)])
@pytest.mark.parametrize("level", [0.05, 0.1])
def test_depths_are_the_deepest_that_the_spending_allows_by_brute_force(
    ends: tuple[int, int], level: float
) -> None:
    rule = Rule(pairs=ends[0], max_pairs=ends[1], level=level)
    last = rule.max_pairs
    looks = sorted({*range(rule.pairs, last, 2), last})
    walks = list(itertools.product((0, 1), repeat=last))
    depths: dict[int, int] = {}
    for pairs in looks:
        may_spend = level / 2 * math.log(1 + (math.e - 1) * pairs / last)
        depth = 0
        while (
            sum(crossings(w, {**depths, pairs: depth + 1}) for w in walks) / len(walks) <= may_spend + 1e-12
        ):
            depth += 1
        depths[pairs] = depth
    assert {pairs: rule.depth(pairs) for pairs in looks} == depths
    assert sum(crossings(walk, depths) for walk in walks) / len(walks) <= level / 2


@pytest.mark.parametrize("pairs", range(6, 31))
def test_at_every_fixed_number_of_pairs_agreement_is_a_verdict_and_so_many_may_differ(pairs: int) -> None:
    rule = fixed(pairs)
    assert rule.looks() == (pairs,)
    allowed = rule.depth(pairs) - 1
    for differing in range(allowed + 3):
        values = [SLOW + i / 1000 for i in range(pairs - differing)] + [-i / 1000 for i in range(differing)]
        expected = "regression" if differing <= allowed else "inconclusive"
        assert look(values, rule).verdict == expected, differing


@pytest.mark.parametrize("pairs", range(6, 31))
def test_one_look_is_the_interval_of_the_median(pairs: int) -> None:
    values = list(np.random.default_rng(pairs).normal(0, 0.1, pairs))
    interval = median_interval(values)
    found = look(values, fixed(pairs))
    assert interval is not None
    assert (found.low, found.high) == (math.exp(interval.low), math.exp(interval.high))


def test_the_default_rule_decides_at_ten_pairs_if_nine_agree() -> None:
    assert RULE.looks() == tuple(range(10, 31, 2))
    assert look([SLOW] * 9 + [0.0], RULE).verdict == "regression"
    assert look([SLOW] * 8 + [0.0] * 2, RULE).verdict == "inconclusive"
    assert look([SLOW] * 8 + [0.0] * 2, RULE).next_pairs == 12


@pytest.mark.parametrize("pairs", [*range(1, 10), *range(11, 30, 2), 31, 40])
def test_between_looks_and_after_the_last_nothing_is_decided(pairs: int) -> None:
    found = look([SLOW] * pairs, RULE)
    assert found.verdict == "inconclusive"
    assert found.next_pairs == next((n for n in range(10, 31, 2) if n > pairs), None)
    assert (found.low is None) == (pairs < 6)


def test_an_early_look_that_could_not_decide_is_none() -> None:
    rule = Rule(pairs=6, max_pairs=30)
    assert rule.looks()[0] == 8
    assert look([SLOW] * 6, rule).verdict == "inconclusive"
    assert look([SLOW] * 6, rule).next_pairs == 8
    assert look([SLOW] * 8, rule).verdict == "regression"


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ([SLOW] * 10, "regression"),
        ([-SLOW] * 10, "improvement"),
        ([0.0] * 10, "fine"),
        ([-0.03] * 10, "fine"),
        ([RULE.margin] * 10, "inconclusive"),  # on the boundary is not beyond it
        ([-RULE.margin] * 10, "fine"),
        ([0.0, 0.2] * 5, "inconclusive"),
        ([-0.2, 0.04] * 5, "fine"),
    ],
)
def test_verdicts(values: list[float], verdict: str) -> None:
    assert look(values, RULE).verdict == verdict


@given(histories, st.randoms())
def test_the_order_of_pairs_does_not_matter(values: list[float], order: random.Random) -> None:
    mixed = list(values)
    order.shuffle(mixed)
    assert look(values, RULE) == look(mixed, RULE)


@given(histories)
def test_faster_is_slower_mirrored(values: list[float]) -> None:
    ours, mirrored = look(values, RULE), look([-x for x in values], RULE)
    assert (ours.verdict == "regression") == (mirrored.verdict == "improvement")
    assert ours.ratio == pytest.approx(1 / mirrored.ratio)
    if ours.low is not None:
        assert mirrored.high is not None
        assert ours.high is not None
        assert ours.low == pytest.approx(1 / mirrored.high)
        assert ours.low <= ours.ratio <= ours.high


RANK = {"improvement": 0, "fine": 1, "inconclusive": 2, "regression": 3}


@given(histories, st.floats(0, 0.5))
def test_slower_never_looks_better(values: list[float], shift: float) -> None:
    better, worse = look(values, RULE), look([x + shift for x in values], RULE)
    assert RANK[better.verdict] <= RANK[worse.verdict]
    assert better.ratio <= worse.ratio


@given(histories, st.floats(0.01, 0.5))
def test_a_wider_threshold_never_makes_a_regression(values: list[float], threshold: float) -> None:
    strict, lenient = look(values, RULE), look(values, Rule(threshold=0.05 + threshold))
    assert RANK[lenient.verdict] <= RANK[strict.verdict] or strict.verdict == "improvement"


def test_the_chance_of_ever_missing_the_median_is_the_level_for_skewed_times() -> None:
    """Exponential times with median 0: by the walk, one of eleven looks misses it in 4.8 %."""
    values = np.random.default_rng(1).exponential(1, (6000, 30)) - math.log(2)
    missed = np.zeros(len(values), dtype=bool)
    for pairs in RULE.looks():
        ordered, depth = np.sort(values[:, :pairs], axis=1), RULE.depth(pairs)
        missed |= (ordered[:, depth - 1] > 0) | (ordered[:, -depth] < 0)
    assert 0.04 < missed.mean() < 0.055


@pytest.mark.parametrize(
    "changes",
    [
        {"pairs": 5},
        {"pairs": 0},
        {"pairs": 10, "max_pairs": 9},
        {"pairs": 10, "max_pairs": 2**31},
        {"threshold": 0.0},
        {"threshold": -0.05},
        {"threshold": math.nan},
        {"threshold": math.inf},
        {"level": 0.0},
        {"level": 1.0},
        {"pairs": 6, "max_pairs": 6, "level": 0.02},
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Rule(**changes)


@pytest.mark.parametrize("values", [[], [0.1, math.nan], [math.inf] * 10, [-math.inf]])
def test_what_is_no_log_ratio_is_refused(values: list[float]) -> None:
    with pytest.raises(MeasurementError):
        look(values, RULE)


def test_log_ratios_of_times() -> None:
    assert log_ratios([1, 2, 4], [2, 2, 1]) == pytest.approx([math.log(2), 0, -math.log(4)])
    assert log_ratios([1000, 2000], [1100, 2100]) == pytest.approx(log_ratios([1, 2], [1.1, 2.1]))


@pytest.mark.parametrize(
    ("base", "candidate"),
    [([1.0], []), ([0.0], [1.0]), ([1.0], [-1.0]), ([math.nan], [1.0]), ([1.0], [math.inf])],
)
def test_times_that_give_no_ratio_are_refused(base: list[float], candidate: list[float]) -> None:
    with pytest.raises(MeasurementError):
        log_ratios(base, candidate)


def test_one_primary_is_decided_as_by_its_look() -> None:
    for value in (SLOW, 0.0, -SLOW, 0.05):
        decision = decide({"total": [value] * 10}, RULE)
        assert decision.looks["total"] == look([value] * 10, RULE)
        assert decision.verdict == decision.looks["total"].verdict
        assert decision.next_pairs == decision.looks["total"].next_pairs
        assert "total" in decision.reason


def test_one_of_several_that_is_slower_is_named() -> None:
    decision = decide({"total": [0.0] * 10, "decode": [SLOW] * 10}, RULE)
    assert decision.verdict == "regression"
    assert "decode 1.200" in decision.reason
    assert "total" not in decision.reason
    assert decision.next_pairs is None


def test_several_primaries_share_the_level() -> None:
    """Nine of ten are enough for one metric, not for one of two; a second that is beyond doubt helps it."""
    nearly, surely = [SLOW] * 9 + [0.0], [SLOW] * 10
    assert decide({"a": nearly}, RULE).verdict == "regression"
    alone = decide({"a": nearly, "b": [0.0] * 10}, RULE)
    assert (alone.verdict, alone.next_pairs) == ("inconclusive", 12)
    helped = decide({"a": nearly, "b": surely}, RULE)
    assert {name: found.verdict for name, found in helped.looks.items()} == dict.fromkeys("ab", "regression")


def test_fine_means_that_every_primary_is() -> None:
    still, unknown = [0.0] * 10, [0.0, 0.1] * 5
    assert decide({"a": still, "b": still}, RULE).verdict == "fine"
    assert decide({"a": still, "b": unknown}, RULE).verdict == "inconclusive"
    assert decide({"a": [-SLOW] * 10, "b": still}, RULE).verdict == "improvement"
    assert decide({"a": [-SLOW] * 10, "b": unknown}, RULE).verdict == "inconclusive"
    # Faster in nine of ten is no claim among two, but it is no slowdown either.
    assert decide({"a": [-SLOW] * 9 + [0.0], "b": still}, RULE).verdict == "fine"


def test_so_many_primaries_that_nothing_could_be_decided_are_refused() -> None:
    eight = {str(i): [SLOW] * 8 for i in range(8)}
    with pytest.raises(UsageError, match="no verdict"):
        decide(eight, fixed(8))
    assert decide({name: [*values, SLOW] for name, values in eight.items()}, fixed(9)).verdict == "regression"


def test_primaries_of_different_length_or_none_are_refused() -> None:
    with pytest.raises(MeasurementError):
        decide({"a": [0.0] * 10, "b": [0.0] * 9}, RULE)
    with pytest.raises(UsageError):
        decide({}, RULE)


def test_four_primaries_at_the_threshold_are_rarely_called_a_regression_of_any() -> None:
    rng = np.random.default_rng(3)
    drawn = RULE.margin + rng.normal(0, 0.04, (1500, 4, 10))
    called = sum(
        decide(dict(zip("abcd", history, strict=True)), fixed(10)).verdict == "regression"
        for history in drawn.tolist()
    )
    assert called / len(drawn) < 0.035  # 2.5 % and three standard errors


def test_a_control_that_moved_takes_the_verdict() -> None:
    decision = decide({"total": [SLOW] * 10}, RULE, control=[0.1 + i / 1000 for i in range(10)])
    assert (decision.verdict, decision.next_pairs) == ("inconclusive", 12)
    assert "control" in decision.reason
    assert decision.looks["total"].verdict == "inconclusive"
    assert decision.control is not None
    assert decide({"total": [0.0] * 10}, RULE, control=[-0.1] * 10).verdict == "inconclusive"


def test_a_control_that_is_noisy_or_moved_by_little_takes_nothing() -> None:
    noisy = [-0.2, 0.2] * 5
    little = [0.01 + i / 1000 for i in range(10)]
    for control in (noisy, little):
        assert decide({"total": [SLOW] * 10}, RULE, control=control).verdict == "regression"


def test_drift_that_follows_the_candidate_is_no_regression() -> None:
    """The machine is 12 % slower in the candidate's slots, for the control workload too."""
    rng = np.random.default_rng(4)
    total, control = 0.12 + rng.normal(0, 0.042, (2, 300, 10))
    blind = [decide({"total": t}, fixed(10)).verdict for t in total.tolist()]
    guarded = [
        decide({"total": t}, fixed(10), c).verdict
        for t, c in zip(total.tolist(), control.tolist(), strict=True)
    ]
    assert blind.count("regression") > 200
    assert guarded.count("regression") < 6


def test_a_control_at_rest_costs_few_verdicts() -> None:
    rng = np.random.default_rng(5)
    control = rng.normal(0, 0.042, (1000, 10)).tolist()
    lost = sum(decide({"total": [SLOW] * 10}, fixed(10), c).verdict != "regression" for c in control)
    assert lost <= 40  # at most the 2.1 % of the interval that does not hold 1

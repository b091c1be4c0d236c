"""Intervals and tests against scipy, against naive twins, and by simulated coverage."""

from __future__ import annotations

import math
import random
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from actionbench.reports.statistics.intervals import (
    Estimate,
    Interval,
    average_precision,
    f1,
    fewest_discordant,
    holm,
    mcnemar_exact,
    median_interval,
    percentile,
    poisson_rate,
    process_median,
    proportion,
    ranking,
    shift,
    wilson,
)

from ...known import known

counts = st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def bounds(estimate: Estimate | None) -> Interval:
    """The interval of a figure that has one."""
    return known(known(estimate).interval)


@pytest.mark.parametrize(
    ("hits", "n", "low", "high", "digits"),
    [
        (7, 10, 0.40, 0.89, 2),
        (8, 10, 0.49, 0.94, 2),
        (10, 10, 0.72, 1.00, 2),
        (37, 50, 0.60, 0.84, 2),
        (2968, 4000, 0.728, 0.755, 3),
    ],
)
def test_wilson_gives_known_values(hits: int, n: int, low: float, high: float, digits: int) -> None:
    interval = wilson(hits, n)
    assert (round(interval.low, digits), round(interval.high, digits)) == (low, high)


@given(counts, st.sampled_from([0.8, 0.95, 0.99]))
def test_wilson_agrees_with_scipy(count: tuple[int, int], level: float) -> None:
    hits, n = count
    theirs = stats.binomtest(hits, n).proportion_ci(level, method="wilson")
    ours = wilson(hits, n, level)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


@given(counts)
def test_wilson_holds_the_observed_share_and_mirrors(count: tuple[int, int]) -> None:
    hits, n = count
    interval, mirrored = wilson(hits, n), wilson(n - hits, n)
    assert 0 <= interval.low <= hits / n <= interval.high <= 1
    assert interval.low < interval.high
    assert interval.low == pytest.approx(1 - mirrored.high, abs=1e-9)


@pytest.mark.parametrize(("hits", "n"), [(3, 2), (-1, 2), (0, 0)])
def test_wilson_refuses_what_is_no_proportion(hits: int, n: int) -> None:
    with pytest.raises(ValueError, match="not a proportion"):
        wilson(hits, n)


def test_a_share_of_nothing_is_unknown() -> None:
    assert proportion(0, 0) is None


@pytest.mark.parametrize("n", [10, 50, 400])
def test_wilson_covers_on_average(n: int) -> None:
    rng = np.random.default_rng(n)
    truth = rng.uniform(0.05, 0.95, 4000)
    hits = rng.binomial(n, truth)
    known = {h: wilson(int(h), n) for h in np.unique(hits)}
    covered = np.mean([known[h].low <= p <= known[h].high for h, p in zip(hits, truth, strict=True)])
    assert 0.94 < covered < 0.965


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 60))
def test_f1_is_the_harmonic_mean(tp: int, fp: int, fn: int) -> None:
    estimate = f1(tp, fp, fn)
    if tp + fp + fn == 0:
        assert estimate is None
        return
    assert estimate is not None
    assert estimate.n == tp + fp + fn
    assert bounds(estimate).low <= estimate.value <= bounds(estimate).high
    if tp == 0:
        assert estimate.value == 0
    else:
        precision, recall = Fraction(tp, tp + fp), Fraction(tp, tp + fn)
        assert estimate.value == pytest.approx(float(2 * precision * recall / (precision + recall)))


def test_f1_of_a_perfect_sample_is_no_certainty() -> None:
    assert bounds(f1(10, 0, 0)).low < 0.9


def test_f1_interval_covers() -> None:
    """Videos drawn from a confusion matrix with F1 = 2·0.3 / (2·0.3 + 0.1 + 0.2) = 2/3."""
    rng = np.random.default_rng(1)
    drawn = rng.multinomial(60, [0.3, 0.1, 0.2, 0.4], 2000)
    intervals = [bounds(f1(int(tp), int(fp), int(fn))) for tp, fp, fn, _ in drawn]
    assert 0.93 < np.mean([i.low <= 2 / 3 <= i.high for i in intervals]) < 0.975


def naive_average_precision(labels: list[bool], scores: list[float]) -> float:
    """Straight from the definition: over the different thresholds, precision × rise in recall."""
    total = Fraction(0)
    recall_before = Fraction(0)
    for threshold in sorted(set(scores), reverse=True):
        taken = [label for label, score in zip(labels, scores, strict=True) if score >= threshold]
        recall = Fraction(sum(taken), sum(labels))
        total += Fraction(sum(taken), len(taken)) * (recall - recall_before)
        recall_before = recall
    return float(total)


ranked = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0])), min_size=1, max_size=40
)


@given(ranked)
def test_average_precision_agrees_with_its_definition_also_with_ties(pairs: list[tuple[bool, float]]) -> None:
    labels, scores = [p[0] for p in pairs], [p[1] for p in pairs]
    ours = average_precision(labels, scores)
    if not any(labels):
        assert ours is None
    else:
        assert ours == pytest.approx(naive_average_precision(labels, scores))


@given(ranked, st.randoms())
def test_average_precision_does_not_depend_on_order(
    pairs: list[tuple[bool, float]], order: random.Random
) -> None:
    shuffled = list(pairs)
    order.shuffle(shuffled)
    one, two = (average_precision([p[0] for p in ps], [p[1] for p in ps]) for ps in (pairs, shuffled))
    assert one == two


def test_average_precision_of_known_rankings() -> None:
    assert average_precision([1, 1, 0, 0], [4, 3, 2, 1]) == 1
    assert average_precision([0, 0, 0, 1], [4, 3, 2, 1]) == 1 / 4
    assert average_precision([1, 0, 0, 0], [1, 1, 1, 1]) == 1 / 4


@pytest.mark.parametrize(
    ("labels", "scores", "match"), [([1, 0], [1.0], "equally long"), ([1, 0], [math.nan, 1.0], "finite")]
)
def test_average_precision_refuses(labels: list[int], scores: list[float], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        average_precision(labels, scores)


def test_a_perfect_ranking_of_ten_is_no_certainty() -> None:
    estimate = known(ranking([True] * 10 + [False] * 50, range(60, 0, -1)))
    assert (estimate.value, estimate.n) == (1, 10)
    assert bounds(estimate).low == wilson(10, 10).low


def test_ranking_without_a_positive_is_unknown() -> None:
    assert ranking([False, False], [0.1, 0.2]) is None


@given(ranked)
def test_ranking_lies_in_its_interval(pairs: list[tuple[bool, float]]) -> None:
    estimate = ranking([p[0] for p in pairs], [p[1] for p in pairs])
    if estimate is not None:
        assert 0 <= bounds(estimate).low <= estimate.value <= bounds(estimate).high <= 1


@pytest.mark.parametrize("distance", [0.5, 1.5, 2.5])
def test_ranking_interval_covers(distance: float) -> None:
    """Normal scores: ten videos of the class, fifty others; the truth from very many videos."""
    rng = np.random.default_rng(3)

    def drawn(positives: int, others: int) -> tuple[np.ndarray, np.ndarray]:
        label = np.arange(positives + others) < positives
        return label, rng.normal(size=label.size) + distance * label

    truth = average_precision(*drawn(50_000, 250_000))
    assert truth is not None
    intervals = [bounds(ranking(*drawn(10, 50))) for _ in range(1000)]
    assert np.mean([i.low <= truth <= i.high for i in intervals]) > 0.93


def test_median_interval_needs_six() -> None:
    assert median_interval([1, 2, 3, 4, 5]) is None
    interval = known(median_interval([6, 1, 5, 2, 4, 3]))
    assert (interval.low, interval.high) == (1, 6)


@pytest.mark.parametrize("n", range(6, 40))
def test_median_interval_is_the_shortest_that_covers(n: int) -> None:
    interval = known(median_interval(list(range(1, n + 1))))
    k = int(interval.low)
    assert interval.high == n + 1 - k

    def coverage(k: int) -> float:
        return 1 - 2 * sum(math.comb(n, i) for i in range(k)) / float(2**n)

    assert coverage(k) >= 0.95 > coverage(k + 1)


def test_median_interval_covers_a_skewed_distribution() -> None:
    rng = np.random.default_rng(2)
    truth = math.log(2)
    intervals = [known(median_interval(list(rng.exponential(1, 12)))) for _ in range(2000)]
    assert np.mean([i.low <= truth <= i.high for i in intervals]) > 0.945


def test_process_median_takes_processes_as_the_sample() -> None:
    estimate = known(process_median([[1, 1, 9], [2, 2, 2, 2], [4]]))
    assert (estimate.value, estimate.n) == (2, 3)
    assert (bounds(estimate).low, bounds(estimate).high) == (1, 4)
    assert bounds(estimate).method == "range of 3 processes"


def test_many_samples_of_one_process_give_no_interval() -> None:
    assert known(process_median([list(range(1000))])).interval is None
    assert process_median([]) is None


def test_process_median_of_six_processes_has_an_interval() -> None:
    assert "95 %" in bounds(process_median([[float(i)] for i in range(6)])).method


def test_percentile_only_where_the_sample_allows() -> None:
    assert percentile(range(199), 0.95) is None
    assert percentile(range(200), 0.95) == 189
    assert percentile(range(100), 0.9) == 89
    assert percentile(range(999), 0.99) is None


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_twice_the_binomial_tail(b: int, c: int) -> None:
    tail = sum(math.comb(b + c, k) for k in range(min(b, c) + 1)) / 2 ** (b + c)
    assert mcnemar_exact(b, c) == pytest.approx(min(1, 2 * tail))
    assert mcnemar_exact(b, c) == pytest.approx(mcnemar_exact(c, b))


def test_fewest_discordant_videos() -> None:
    assert fewest_discordant() == 6
    assert mcnemar_exact(5, 0) > 0.05 >= mcnemar_exact(6, 0)


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_keeps_order_and_lies_between_p_and_bonferroni(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert all(p <= a <= min(1, len(p_values) * p) for p, a in zip(p_values, adjusted, strict=True))
    by_p = [a for _, a in sorted(zip(p_values, adjusted, strict=True))]
    assert by_p == sorted(by_p)


def test_holm_of_a_known_case() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


sample = st.lists(st.floats(-10, 10), min_size=1, max_size=8)


@given(sample, sample, st.sampled_from([0.8, 0.95, 0.99]))
def test_shift_inverts_the_exact_mann_whitney_test(
    first: list[float], second: list[float], level: float
) -> None:
    """A shift just inside an end of the interval is not rejected, one just outside is."""
    a, b = np.unique(first), np.unique(second)  # scipy's exact test takes no ties
    found = shift(list(a), list(b), level)
    differences = np.sort(np.subtract.outer(b, a), axis=None)
    assert found.value == np.median(differences)
    assert found.n == min(len(a), len(b))

    def p_value(by: float) -> float:
        return float(stats.mannwhitneyu(b - by, a, method="exact").pvalue)

    if len(differences) > 1 and np.diff(differences).min() < 1e-6:
        return  # as good as tied
    if found.interval is None:
        assert p_value(differences[0] - 1) > 1 - level
        return
    assert p_value(found.interval.low + 1e-7) > 1 - level - 1e-9
    assert p_value(found.interval.high - 1e-7) > 1 - level - 1e-9
    assert p_value(found.interval.low - 1e-7) <= 1 - level + 1e-9
    assert p_value(found.interval.high + 1e-7) <= 1 - level + 1e-9


@pytest.mark.parametrize(("m", "n", "known"), [(3, 3, False), (4, 4, True), (3, 5, True), (2, 7, False)])
def test_shift_has_an_interval_from_four_and_four(m: int, n: int, known: bool) -> None:
    found = shift(list(range(m)), list(range(100, 100 + n)))
    assert (found.interval is not None) == known
    assert found.value > 90


def test_shift_covers_a_skewed_distribution() -> None:
    rng = np.random.default_rng(6)
    drawn = rng.exponential(1, (1500, 14))
    intervals = [bounds(shift(list(x[:6]), list(x[6:] + 0.3))) for x in drawn]
    assert np.mean([i.low <= 0.3 <= i.high for i in intervals]) > 0.94


def test_shift_is_exact_for_many() -> None:
    rng = np.random.default_rng(7)
    a, b = list(rng.normal(0, 1, 60)), list(rng.normal(0.2, 1, 70))
    found = shift(a, b)
    tail = [
        stats.mannwhitneyu(np.subtract(b, by), a, method="exact").pvalue
        for by in (bounds(found).low - 1e-9, bounds(found).low + 1e-9)
    ]
    assert tail[0] <= 0.05 < tail[1]


def test_shift_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        shift([], [1.0])


@pytest.mark.parametrize(
    ("events", "low", "high"),
    [(0, 0.0, 3.6889), (1, 0.0253, 5.5716), (5, 1.6235, 11.6683), (20, 12.2165, 30.8884)],
)
def test_poisson_intervals_are_those_of_published_tables(events: int, low: float, high: float) -> None:
    """Garwood's limits as in Ulm, Am. J. Epidemiol. 131 (1990) 373–375, and every table since."""
    found = poisson_rate(events, 1.0)
    assert (found.value, found.n) == (events, events)
    assert known(found.interval).low == pytest.approx(low, abs=1e-4)
    assert known(found.interval).high == pytest.approx(high, abs=1e-4)
    assert known(poisson_rate(events, 0.25).interval).high == pytest.approx(4 * high, abs=1e-3)


def test_poisson_intervals_cover_the_rate() -> None:
    """Summed over all counts, their probability by the definition of Poisson's distribution."""
    for mean in (0.5, 3.0, 9.0):
        covered = sum(
            math.exp(-mean) * mean**count / math.factorial(count)
            for count in range(60)
            if known(poisson_rate(count, 1.0).interval).low
            <= mean
            <= known(poisson_rate(count, 1.0).interval).high
        )
        assert covered >= 0.95


@pytest.mark.parametrize(("events", "time"), [(-1, 1.0), (1, 0.0), (1, math.nan), (1, math.inf)])
def test_no_rate_without_time(events: int, time: float) -> None:
    with pytest.raises(ValueError, match="not a rate"):
        poisson_rate(events, time)

"""Figures against scikit-learn, and what their intervals promise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from actionbench.errors import UsageError
from actionbench.reports.evaluation.metrics import contrast, evaluate, ranked, weighted_average_precision
from actionbench.reports.evaluation.predictions import Predictions
from actionbench.reports.statistics.group_bootstrap import FEWEST_GROUPS, group_weights
from actionbench.reports.statistics.intervals import wilson

from ...known import known
from .conftest import MakePredictions


def value(estimate: object) -> float:
    assert estimate is not None
    return float(estimate.value)  # type: ignore[attr-defined]


def test_figures_are_scikit_learns(make_predictions: MakePredictions) -> None:
    predictions = make_predictions()
    found = evaluate(predictions)
    truth, predicted = predictions.truth, predictions.predicted()
    assert value(found.overall["accuracy"]) == pytest.approx(sklearn_metrics.accuracy_score(truth, predicted))
    assert value(found.overall["balanced_accuracy"]) == pytest.approx(
        sklearn_metrics.balanced_accuracy_score(truth, predicted)
    )
    assert value(found.overall["macro_f1"]) == pytest.approx(
        sklearn_metrics.f1_score(truth, predicted, average="macro")
    )
    np.testing.assert_array_equal(found.confusion[:, :-1], sklearn_metrics.confusion_matrix(truth, predicted))
    for column, label in enumerate(predictions.labels):
        own, named = truth == column, predicted == column
        figures = found.by_class[label]
        assert value(figures["precision"]) == pytest.approx(sklearn_metrics.precision_score(own, named))
        assert value(figures["recall"]) == pytest.approx(sklearn_metrics.recall_score(own, named))
        assert value(figures["specificity"]) == pytest.approx(sklearn_metrics.recall_score(~own, ~named))
        assert value(figures["f1"]) == pytest.approx(sklearn_metrics.f1_score(own, named))
        assert value(figures["average_precision"]) == pytest.approx(
            sklearn_metrics.average_precision_score(own, predictions.log_probabilities[:, column])
        )


@given(
    scores=st.lists(st.integers(-3, 3), min_size=2, max_size=12),
    weights=st.lists(st.integers(0, 3), min_size=12, max_size=12),
    positives=st.lists(st.booleans(), min_size=12, max_size=12),
)
def test_a_weight_counts_an_example_so_often(
    scores: list[int], weights: list[int], positives: list[bool]
) -> None:
    n = len(scores)
    score, weight, positive = np.array(scores, float), np.array(weights[:n]), np.array(positives[:n])
    (found,) = weighted_average_precision(positive, score, weight[None].astype(float))
    repeated = np.repeat(positive, weight), np.repeat(score, weight)
    if not repeated[0].any():
        assert np.isnan(found)
    else:
        assert found == pytest.approx(sklearn_metrics.average_precision_score(*repeated))


def test_a_group_is_drawn_whole_and_as_often_as_any_other() -> None:
    groups = ["a", "a", "b", "c", "c", "c"]
    weights = group_weights(groups, draws=4000, seed=1)
    assert (weights[0] == 1).all()
    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights[:, 3] == weights[:, 5]).all()
    assert (weights[:, [0, 2, 3]].sum(1) == 3).all()
    assert weights[1:, [0, 2, 3]].mean(0) == pytest.approx(1, abs=0.05)


def test_examples_of_one_film_say_less_than_as_many_of_films_of_their_own(
    make_predictions: MakePredictions,
) -> None:
    predictions = make_predictions(n=60, groups=60)
    alone = evaluate(predictions).overall["accuracy"]
    # Ten films, each of which a network gets right or wrong as a whole.
    right = predictions.predicted() == predictions.truth
    film = np.argsort(np.argsort(~right, kind="stable")) // 6
    together = evaluate(replace(predictions, groups=tuple(f"film{i}" for i in film))).overall["accuracy"]
    assert alone is not None
    assert together is not None
    assert alone.interval is not None
    assert together.interval is not None
    assert together.value == alone.value
    assert together.interval.high - together.interval.low > 1.5 * (alone.interval.high - alone.interval.low)


def test_few_groups_have_no_interval_and_undefined_is_none(make_predictions: MakePredictions) -> None:
    few = evaluate(make_predictions(groups=FEWEST_GROUPS - 1)).overall["accuracy"]
    enough = evaluate(make_predictions(groups=FEWEST_GROUPS)).overall["accuracy"]
    assert few is not None
    assert few.interval is None
    assert enough is not None
    assert enough.interval is not None
    predictions = make_predictions()
    never = np.ones_like(predictions.truth)
    found = evaluate(predictions, never)
    assert found.by_class["falling"]["precision"] is None
    assert value(found.by_class["falling"]["recall"]) == 0


@pytest.mark.slow
@pytest.mark.parametrize("groups", [12, 30])
def test_intervals_cover_what_they_say(groups: int) -> None:
    """Films differ in how hard they are; the truth is that of very many films."""
    random = np.random.default_rng(0)

    def draw(films: int) -> Predictions:
        film = np.repeat(np.arange(films), random.geometric(1 / 4, films))
        n = len(film)
        truth = random.integers(3, size=n)
        ease = random.normal(1.2, 1, films)[film]
        logits = random.normal(size=(n, 3)) + ease[:, None] * np.eye(3)[truth]
        logits -= np.log(np.exp(logits).sum(1, keepdims=True))
        examples = tuple(map(str, range(n)))
        return Predictions("net", ("a", "b", "c"), examples, tuple(map(str, film)), truth, logits)

    many = draw(20000)
    expected = (many.predicted() == many.truth).mean()
    covered = []
    for seed in range(300):
        found = evaluate(draw(groups), seed=seed).overall["accuracy"]
        assert found is not None
        assert found.interval is not None
        covered.append(found.interval.low <= expected <= found.interval.high)
    assert 0.9 <= np.mean(covered) <= 0.99


def test_a_network_does_not_differ_from_itself_and_a_better_one_does(
    make_predictions: MakePredictions,
) -> None:
    weak, strong = make_predictions(skill=0.5), make_predictions(skill=4.0, name="strong")
    same = contrast(evaluate(weak), evaluate(replace(weak, name="again"))).overall["macro_f1"]
    assert same is not None
    # All resamples agree; an interval of width 0 would promise too much.
    assert (same.value, same.interval) == (0, None)
    better = contrast(evaluate(weak), evaluate(strong)).overall["macro_f1"]
    assert better is not None
    assert better.interval is not None
    assert better.value > 0
    assert better.interval.low > 0
    assert [each.predictions.name for each in ranked([evaluate(weak), evaluate(strong)])] == ["strong", "net"]


def test_the_order_of_the_examples_does_not_matter_to_a_contrast(make_predictions: MakePredictions) -> None:
    first, second = make_predictions(skill=1), make_predictions(skill=2, name="second")
    order = np.random.default_rng(0).permutation(len(second.examples))
    shuffled = replace(
        second,
        examples=tuple(second.examples[i] for i in order),
        groups=tuple(second.groups[i] for i in order),
        truth=second.truth[order],
        log_probabilities=second.log_probabilities[order],
    )
    assert contrast(evaluate(first), evaluate(shuffled)) == contrast(evaluate(first), evaluate(second))


def test_only_the_same_examples_are_compared(make_predictions: MakePredictions) -> None:
    first = make_predictions()

    def compared(second: Predictions) -> None:
        contrast(evaluate(first), evaluate(second))

    with pytest.raises(UsageError, match="different examples"):
        compared(make_predictions(n=59))
    with pytest.raises(UsageError, match="different classes"):
        compared(replace(first, labels=("falling", "running", "other")))
    with pytest.raises(UsageError, match="other labels or groups"):
        compared(replace(first, truth=(first.truth + 1) % 3))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"examples": ("a",)}, "do not fit"),
        ({"log_probabilities": np.full((60, 3), np.nan)}, "not a number"),
        ({"examples": ("clip0",) * 60}, "predicted twice"),
    ],
)
def test_predictions_that_make_no_sense(
    make_predictions: MakePredictions, change: dict[str, object], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        replace(make_predictions(), **change)  # type: ignore[arg-type]


def test_figures_that_all_resamples_agree_on_have_an_interval(make_predictions: MakePredictions) -> None:
    perfect = make_predictions(skill=50, groups=15)
    # The class falling comes from 12 of the 15 groups.
    kept = [row for row in range(60) if perfect.truth[row] or row % 15 < 12]
    predictions = chosen_rows(perfect, kept)
    found = evaluate(predictions).by_class["falling"]
    having = len({g for g, t in zip(predictions.groups, predictions.truth, strict=True) if t == 0})
    for name in ("recall", "average_precision"):
        figure = known(found[name])
        interval = known(figure.interval)
        assert figure.value == 1
        assert interval.low == pytest.approx(wilson(having, having).low)
        assert interval.high == 1
        assert interval.method == "Wilson on the groups, 95 %"


def chosen_rows(predictions: Predictions, rows: list[int]) -> Predictions:
    return replace(
        predictions,
        examples=tuple(predictions.examples[row] for row in rows),
        groups=tuple(predictions.groups[row] for row in rows),
        truth=predictions.truth[rows],
        log_probabilities=predictions.log_probabilities[rows],
    )


def test_a_class_of_few_groups_has_no_interval_and_means_over_classes_have_none(
    make_predictions: MakePredictions,
) -> None:
    whole = make_predictions(n=120, groups=30)
    # One class from 9 groups, the others from 30.
    rows = [row for row in range(120) if whole.truth[row] or row % 30 < FEWEST_GROUPS - 1]
    first = chosen_rows(whole, rows)
    second = chosen_rows(make_predictions(n=120, groups=30, skill=3, name="second"), rows)
    one, other = evaluate(first), evaluate(second)
    for estimates in (one, contrast(one, other)):
        assert known(estimates.by_class["falling"]["recall"]).interval is None
        assert known(estimates.by_class["running"]["recall"]).interval is not None
        assert known(estimates.overall["accuracy"]).interval is not None
        for name in ("balanced_accuracy", "macro_f1"):
            assert known(estimates.overall[name]).interval is None


def test_no_prediction_is_wrong_for_every_class(make_predictions: MakePredictions) -> None:
    whole = make_predictions(skill=50)
    row = int(np.flatnonzero(whole.truth == 0)[0])
    log_probabilities = whole.log_probabilities.copy()
    log_probabilities[row] = -np.inf
    found = evaluate(replace(whole, log_probabilities=log_probabilities))
    n = int((whole.truth == 0).sum())
    assert found.predicted[row] == -1
    assert known(found.overall["accuracy"]).value == pytest.approx(59 / 60)
    assert known(found.by_class["falling"]["recall"]).value == pytest.approx((n - 1) / n)
    for label in whole.labels:
        assert known(found.by_class[label]["precision"]).value == 1
    assert found.confusion[0].tolist() == [n - 1, 0, 0, 1]

"""Thresholds are the best there are, by trying all of them."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from actionbench.errors import UsageError
from actionbench.operating_point import BETA, Costs, Favour, OperatingPoint
from actionbench.reports.evaluation.charts import precision_recall_chart
from actionbench.reports.evaluation.metrics import Evaluation, Resamples, evaluate
from actionbench.reports.evaluation.operating_point import (
    at_operating_points,
    choose,
    decide,
    operating_point_table,
)
from actionbench.reports.evaluation.predictions import Predictions

from .conftest import MakePredictions


@pytest.mark.parametrize("favour", list(BETA))
@pytest.mark.parametrize("seed", range(2))
def test_no_other_threshold_is_better(make_predictions: MakePredictions, favour: Favour, seed: int) -> None:
    predictions = make_predictions(seed=seed)
    point = choose(predictions, "falling", favour)
    positive = predictions.truth == 0
    probability = np.exp(predictions.log_probabilities[:, 0])

    def merit(threshold: float) -> float:
        reached = probability >= threshold
        return float(sklearn_metrics.fbeta_score(positive, reached, beta=BETA[favour], zero_division=0))

    best = max(merit(threshold) for threshold in np.linspace(0, 1, 26))
    assert merit(point.threshold) >= best - 1e-12
    assert not (probability == point.threshold).any()


def test_recall_is_favoured_by_a_lower_threshold(make_predictions: MakePredictions) -> None:
    predictions = make_predictions(n=300, skill=1)
    recall, f1, precision = (
        choose(predictions, "falling", f).threshold for f in ("recall", "f1", "precision")
    )
    assert recall <= f1 <= precision
    assert recall < precision


def test_costs_decide(make_predictions: MakePredictions) -> None:
    predictions = make_predictions(n=300, skill=1)
    dear_miss = evaluate(predictions, decide(predictions, choose(predictions, "falling", Costs(100, 1))))
    dear_alarm = evaluate(predictions, decide(predictions, choose(predictions, "falling", Costs(1, 100))))
    missed, alarms = dear_miss.by_class["falling"], dear_alarm.by_class["falling"]
    assert missed["recall"] is not None
    assert missed["recall"].value == 1
    assert alarms["specificity"] is not None
    assert alarms["specificity"].value == 1
    with pytest.raises(ValueError, match="above 0"):
        Costs(0, 1)


def test_examples_below_the_threshold_get_the_best_other_class(make_predictions: MakePredictions) -> None:
    predictions = make_predictions()
    point = replace(choose(predictions, "falling"), threshold=0.9)
    decided = decide(predictions, point)
    probability = np.exp(predictions.log_probabilities[:, 0])
    assert ((decided == 0) == (probability >= 0.9)).all()
    below = probability < 0.9
    np.testing.assert_array_equal(decided[below], predictions.log_probabilities[below, 1:].argmax(1) + 1)


def test_a_class_that_all_or_none_have_allows_no_choice(make_predictions: MakePredictions) -> None:
    predictions = make_predictions()
    for truth in (np.zeros_like(predictions.truth), np.ones_like(predictions.truth)):
        with pytest.raises(UsageError, match="no threshold"):
            choose(replace(predictions, truth=truth), "falling")
    with pytest.raises(UsageError, match="no class 'flying'"):
        choose(predictions, "flying")


def test_many_examples_need_little_memory(make_predictions: MakePredictions) -> None:
    predictions = make_predictions(n=20_000, groups=50)
    tracemalloc.start()
    choose(predictions, "falling")
    precision_recall_chart([evaluation_without_resamples(predictions)], "falling", {})
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # Thresholds times examples would be 400 MB.
    assert most < 50e6


def evaluation_without_resamples(predictions: Predictions) -> Evaluation:
    """The chart takes nothing else from an evaluation."""
    nothing = np.zeros((3, 4), np.int64)
    return Evaluation(predictions, predictions.predicted(), {}, {}, nothing, 50, 0, Resamples({}, {}))


def test_no_prediction_stays_none(make_predictions: MakePredictions) -> None:
    predictions = make_predictions()
    point = choose(predictions, "falling")
    without = predictions.log_probabilities.copy()
    without[0] = -np.inf
    assert decide(replace(predictions, log_probabilities=without), point)[0] == -1


def test_the_table_has_both_rules_of_the_models_with_a_point(make_predictions: MakePredictions) -> None:
    first, second = make_predictions(name="first"), make_predictions(name="second", skill=3)
    point = OperatingPoint("running", 0.2, "recall", 9, 3)
    found = at_operating_points([evaluate(first), evaluate(second)], {"second": point})
    table = operating_point_table(found)
    assert [row["model"] for row in table.records] == ["second", "second"]
    usual, decided = table.records
    expected = second.log_probabilities[:, 1] >= np.log(0.2)
    assert (usual["threshold"], decided["threshold"]) == (None, 0.2)
    assert decided["predicted"] == expected.sum() > (usual["predicted"] or 0)
    assert decided["recall"] == pytest.approx(expected[second.truth == 1].mean())
    assert decided["precision"] == pytest.approx((second.truth == 1)[expected].mean())
    assert any("on 9 validation examples, 3 of them" in note for note in table.notes)
    assert found[0][1].predictions.name == "second at its operating point"


def test_a_chart_of_another_class_has_no_mark_of_the_point(make_predictions: MakePredictions) -> None:
    evaluation = evaluation_without_resamples(make_predictions())
    for label, marks in (("falling", 1), ("running", 0)):
        points = {"net": OperatingPoint(label, 0.3)}
        chart = precision_recall_chart([evaluation], "falling", points)
        assert len(chart.series) == 1 + marks
        assert ("operating points" in chart.caption) == bool(marks)

"""Thresholds are the best there are, by trying all of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from actionbench.errors import UsageError
from actionbench.reports.evaluation.metrics import evaluate
from actionbench.reports.evaluation.operating_point import BETA, Costs, Favour, choose, decide

from .conftest import MakeAnswers


@pytest.mark.parametrize("favour", list(BETA))
@pytest.mark.parametrize("seed", range(3))
def test_no_other_threshold_is_better(make_answers: MakeAnswers, favour: Favour, seed: int) -> None:
    answers = make_answers(seed=seed)
    point = choose(answers, "falling", favour)
    positive = answers.truth == 0
    probability = np.exp(answers.log_probabilities[:, 0])

    def merit(threshold: float) -> float:
        given = probability >= threshold
        return float(sklearn_metrics.fbeta_score(positive, given, beta=BETA[favour], zero_division=0))

    best = max(merit(threshold) for threshold in np.linspace(0, 1, 101))
    assert merit(point.threshold) >= best - 1e-12
    assert not (probability == point.threshold).any()


def test_recall_is_favoured_by_a_lower_threshold(make_answers: MakeAnswers) -> None:
    answers = make_answers(n=300, skill=1)
    recall, f1, precision = (choose(answers, "falling", f).threshold for f in ("recall", "f1", "precision"))
    assert recall <= f1 <= precision
    assert recall < precision


def test_costs_decide(make_answers: MakeAnswers) -> None:
    answers = make_answers(n=300, skill=1)
    dear_miss = evaluate(answers, decide(answers, choose(answers, "falling", Costs(100, 1))))
    dear_alarm = evaluate(answers, decide(answers, choose(answers, "falling", Costs(1, 100))))
    missed, alarms = dear_miss.by_class["falling"], dear_alarm.by_class["falling"]
    assert missed["recall"] is not None
    assert missed["recall"].value == 1
    assert alarms["specificity"] is not None
    assert alarms["specificity"].value == 1
    with pytest.raises(UsageError, match="above 0"):
        Costs(0, 1)


def test_examples_below_the_threshold_get_the_best_other_class(make_answers: MakeAnswers) -> None:
    answers = make_answers()
    point = replace(choose(answers, "falling"), threshold=0.9)
    given = decide(answers, point)
    probability = np.exp(answers.log_probabilities[:, 0])
    assert ((given == 0) == (probability >= 0.9)).all()
    below = probability < 0.9
    np.testing.assert_array_equal(given[below], answers.log_probabilities[below, 1:].argmax(1) + 1)


def test_a_class_that_all_or_none_have_allows_no_choice(make_answers: MakeAnswers) -> None:
    answers = make_answers()
    for truth in (np.zeros_like(answers.truth), np.ones_like(answers.truth)):
        with pytest.raises(UsageError, match="no threshold"):
            choose(replace(answers, truth=truth), "falling")
    with pytest.raises(UsageError, match="no class 'flying'"):
        choose(answers, "flying")

"""Weights and losses: by hand, and against scikit-learn's."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from actionbench.errors import UsageError
from actionbench.training.losses import LOSSES, class_weights, make_loss

COUNTS = st.lists(st.integers(1, 10_000), min_size=1, max_size=6)
LN2 = math.log(2)

LOGITS = torch.tensor([[0.0, 0.0], [math.log(3), 0.0]])
"""Probabilities (1/2, 1/2) and (3/4, 1/4)."""

TARGETS = torch.tensor([0, 1])
"""Cross entropies ln 2 and ln 4."""


def loss(rule: str, counts: Any, **parameters: float) -> float:
    return float(make_loss(rule, counts, **parameters)(LOGITS, TARGETS))


def test_weights_by_hand() -> None:
    # Shares 1/4 and 3/4, their inverses 4 and 4/3, the sum 16/3.
    assert class_weights({"falling": 1, "walking": 3}, "inverse") == pytest.approx((0.75, 0.25))
    # Half of 1 - 1/2 is 1; half of 1 - 1/4 is 2/3; the sum 5/3.
    assert class_weights((1, 2), "effective", beta=0.5) == pytest.approx((0.6, 0.4))
    assert class_weights((1, 9), "none") == (0.5, 0.5)


def test_losses_by_hand() -> None:
    assert loss("ce", (1, 3)) == pytest.approx(1.5 * LN2)
    # Weights 3/4 and 1/4, which the mean is divided by the sum of.
    assert loss("wce", (1, 3)) == pytest.approx(0.75 * LN2 + 0.25 * 2 * LN2)
    assert loss("effective", (1, 2), beta=0.5) == pytest.approx(0.6 * LN2 + 0.4 * 2 * LN2)
    # Probabilities in proportion to (1/2·1/4, 1/2·3/4) and (3/4·1/4, 1/4·3/4): 1/4 and 1/2 for the targets.
    assert loss("logit-adjustment", (1, 3)) == pytest.approx((2 * LN2 + LN2) / 2)
    assert loss("logit-adjustment", (1, 3), tau=0) == pytest.approx(loss("ce", (1, 3)))


def test_a_weighted_mean_is_over_the_weights_of_the_batch() -> None:
    """A batch of one class has the loss of plain cross entropy, whatever the class weighs."""
    only = torch.tensor([1, 1])
    plain, weighted = (float(make_loss(rule, (1, 9))(LOGITS, only)) for rule in ("ce", "wce"))
    assert weighted == pytest.approx(plain)


@settings(deadline=None)
@given(COUNTS)
def test_inverse_weights_are_scikit_learns_with_the_sum_one(counts: list[int]) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    expected = compute_class_weight("balanced", classes=np.arange(len(counts)), y=labels)
    assert class_weights(counts, "inverse") == pytest.approx(expected / expected.sum())


@settings(deadline=None)
@given(COUNTS, st.sampled_from(["none", "inverse", "effective"]), st.floats(0, 0.9999))
def test_weights_are_shares_and_rare_classes_weigh_no_less(counts: list[int], rule: str, beta: float) -> None:
    weights = class_weights(counts, rule, beta)
    assert math.fsum(weights) == pytest.approx(1)
    assert all(0 < weight <= 1 for weight in weights)
    by_count = [weight for _, weight in sorted(zip(counts, weights, strict=True), reverse=True)]
    assert all(rarer >= commoner - 1e-12 for commoner, rarer in pairwise(by_count))


@settings(deadline=None)
@given(COUNTS)
def test_beta_leads_from_equal_weights_to_inverse_frequency(counts: list[int]) -> None:
    assert class_weights(counts, "effective", 0.0) == pytest.approx(class_weights(counts, "none"))
    nearly = class_weights(counts, "effective", 1 - 1e-9)
    assert nearly == pytest.approx(class_weights(counts, "inverse"), rel=1e-3)


@pytest.mark.parametrize("rule", LOSSES)
def test_a_perfect_answer_costs_nothing_and_a_wrong_one_has_a_gradient(rule: str) -> None:
    module = make_loss(rule, (5, 10, 85))
    sure = 100 * torch.eye(3)
    assert float(module(sure, torch.arange(3))) == pytest.approx(0, abs=1e-6)
    logits = torch.zeros(3, 3, requires_grad=True)
    value = module(logits, torch.arange(3))
    value.backward()
    assert value.shape == ()
    assert logits.grad.diagonal().lt(0).all()


@pytest.mark.parametrize("rule", LOSSES)
def test_a_class_without_examples_is_named(rule: str) -> None:
    with pytest.raises(UsageError, match="class falling: the training split has no example of it"):
        make_loss(rule, {"walking": 9, "falling": 0, "running": 2})
    with pytest.raises(UsageError, match="classes 0, 2:"):
        make_loss(rule, [0, 4, 0])
    with pytest.raises(UsageError, match="no class"):
        make_loss(rule, {})


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(UsageError, match=r"unknown loss 'wcee'\. Did you mean: wce"):
        make_loss("wcee", (1, 2))
    with pytest.raises(UsageError, match="unknown class weights 'effectve'"):
        class_weights((1, 2), "effectve")
    for beta in (-0.1, 1.0, math.nan):
        with pytest.raises(UsageError, match="beta: is out of range"):
            make_loss("effective", (1, 2), beta=beta)

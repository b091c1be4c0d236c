"""Intervals over groups: the value against scikit-learn, the coverage by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from actionbench.reports.statistics.grouped import FEWEST_GROUPS, balanced_accuracy


def drawn(
    seed: int, groups: int, per_group: int, right: float, spread: float
) -> tuple[list[int], list[int], list[int]]:
    """Clips of two classes; whether a group's are recognised varies from group to group."""
    generator = np.random.default_rng(seed)
    truth: list[int] = []
    predicted: list[int] = []
    of_group: list[int] = []
    for group in range(groups):
        chance = np.clip(right + generator.choice([-spread, spread]), 0, 1)
        for _ in range(per_group):
            label = int(generator.integers(2))
            truth.append(label)
            predicted.append(label if generator.random() < chance else 1 - label)
            of_group.append(group)
    return truth, predicted, of_group


@pytest.mark.parametrize("seed", range(5))
def test_the_value_is_scikit_learns(seed: int) -> None:
    truth, predicted, groups = drawn(seed, 30, 3, 0.7, 0.2)
    found = balanced_accuracy(truth, predicted, groups)
    assert found.value == pytest.approx(balanced_accuracy_score(truth, predicted))
    assert found.n == 90
    assert found.interval.low <= found.value <= found.interval.high
    assert found == balanced_accuracy(truth, predicted, groups)
    assert found.interval.method == "bootstrap of 30 groups, 95 %"


def test_naming_one_class_always_has_one_over_the_number_of_classes() -> None:
    truth = ["a"] * 90 + ["b"] * 9 + ["c"]
    found = balanced_accuracy(truth, ["a"] * 100, range(100))
    assert found.value == pytest.approx(1 / 3)


@pytest.mark.slow
def test_the_interval_covers_and_that_of_single_clips_would_not() -> None:
    """The groups' mean is 0.7; with eight clips a group, those of one group are nearly one observation."""
    right = {"groups": 0, "clips": 0}
    draws = 120
    for seed in range(draws):
        truth, predicted, groups = drawn(seed, 40, 8, 0.7, 0.3)
        for name, of_clip in (("groups", groups), ("clips", range(len(truth)))):
            interval = balanced_accuracy(truth, predicted, of_clip).interval
            right[name] += interval.low <= 0.7 <= interval.high
    assert right["groups"] >= 0.88 * draws
    assert right["clips"] <= 0.8 * draws


def test_few_groups_and_none() -> None:
    truth = [n % 2 for n in range(40)]
    found = balanced_accuracy(truth, truth, [n % (FEWEST_GROUPS - 1) for n in range(40)])
    assert found.value == 1.0
    assert found.interval is None
    assert balanced_accuracy([], [], []) is None

"""Telling classes by one number: found where it is so, chance where it is not, and never within a group."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from actionbench.datasets.composed.example import ComposedSet
from actionbench.datasets.composed.shortcuts import predict_by_source, predict_by_value

MakeSet = Callable[..., ComposedSet]

LABELS = ("falling", "running", "walking")


def balanced(composed: ComposedSet, predicted: Sequence[str] | None) -> float:
    truth = np.array([example.clip.label for example in composed.examples])
    right = truth == np.array(predicted)
    return float(np.mean([right[truth == label].mean() for label in composed.labels]))


@pytest.fixture
def composed(make_set: MakeSet) -> ComposedSet:
    """Six sources that have all classes, 180 groups of two clips; falling is rare."""
    of_group = ["falling"] + ["running"] * 4 + ["walking"] * 4
    return make_set([(of_group[n // 2 % 9], f"s{n % 360 // 60}/{n // 2}", None) for n in range(360)])


def test_a_number_that_tells_the_class(composed: ComposedSet) -> None:
    generator = np.random.default_rng(0)
    centre = {"falling": 5.0, "running": 1.0, "walking": 3.0}
    values = [centre[str(e.clip.label)] + generator.normal(0, 0.3) for e in composed.examples]
    assert balanced(composed, predict_by_value(composed, values)) > 0.95


def test_a_number_that_does_not(composed: ComposedSet) -> None:
    values = np.random.default_rng(1).normal(size=len(composed.examples)).tolist()
    assert 0.2 < balanced(composed, predict_by_value(composed, values)) < 0.47


def test_a_number_that_only_tells_the_group_tells_nothing(composed: ComposedSet) -> None:
    """Fitted on clips of the same groups, a tree without limits would be right every time."""
    number = {group: n for n, group in enumerate(sorted({e.group for e in composed.examples}))}
    generator = np.random.default_rng(2)
    shuffled = generator.permutation(len(number))
    values = [float(shuffled[number[e.group]]) for e in composed.examples]
    assert balanced(composed, predict_by_value(composed, values)) < 0.47


def test_sources(composed: ComposedSet, make_set: MakeSet) -> None:
    assert balanced(composed, predict_by_source(composed)) < 0.45
    rows = [(label, f"{label}/{n}", None) for label in LABELS for n in range(20)]
    apart = make_set(rows)
    assert balanced(apart, predict_by_source(apart)) == 1.0


def test_nothing_is_said_where_nothing_can_be(make_set: MakeSet) -> None:
    one_source = make_set([(LABELS[n % 3], f"s/{n}", None) for n in range(9)])
    assert predict_by_source(one_source) is None
    one_group = make_set([(LABELS[n % 3], "s/only", None) for n in range(9)])
    assert predict_by_value(one_group, [1.0] * 9) is None
    one_each = make_set([(label, f"s/{label}", None) for label in LABELS])
    assert predict_by_value(one_each, [1.0, 2.0, 3.0]) is None

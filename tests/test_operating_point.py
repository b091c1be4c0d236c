"""The rule of an operating point: what it decides, what it says of itself, what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actionbench.errors import UsageError
from actionbench.operating_point import Costs, OperatingPoint, choose, criterion

LABELS = ("walking", "falling", "running")


def test_the_class_is_predicted_from_its_threshold_on_and_else_the_best_other_one() -> None:
    rows = np.array(
        [[0.7, 0.3, 0.0], [0.71, 0.29, 0.0], [0.1, 0.29, 0.61], [0.0, 0.0, 0.0], [0.0, 0.2999, 0.0]],
        np.float32,
    )
    decided = OperatingPoint("falling", 0.3).decide(rows, LABELS)
    # A row without any probability is no prediction.
    assert decided.tolist() == [1, 0, 2, -1, 0]
    assert rows[0].tolist() == np.array([0.7, 0.3, 0.0], np.float32).tolist(), "the caller's array is kept"


@given(st.lists(st.tuples(st.integers(0, 64), st.booleans()), min_size=2, max_size=30), st.floats(0.1, 10))
def test_no_threshold_costs_less_than_the_chosen_one(rows: list[tuple[int, bool]], miss: float) -> None:
    probability = np.array([each for each, _ in rows]) / 64
    positive = np.array([each for _, each in rows])
    if positive.all() or not positive.any():
        return

    def cost(threshold: float) -> float:
        reached = probability >= threshold
        return float(miss * (positive & ~reached).sum() + (reached & ~positive).sum())

    chosen = choose("falling", probability, positive, Costs(miss, 1))
    assert cost(chosen.threshold) <= min(map(cost, [*probability, 0.0, 1.0])) + 1e-9
    assert (chosen.examples, chosen.positives) == (len(rows), positive.sum())
    both = np.stack([1 - probability, probability], 1)
    decided = chosen.decide(both, ("other", "falling"))
    assert ((decided == 1) == (probability >= chosen.threshold)).all()


def test_a_logarithm_a_little_above_0_gives_no_threshold_above_1() -> None:
    point = choose("falling", np.array([1.0000009, 0.2]), np.array([False, True]), Costs(1, 100))
    assert point.threshold <= 1


@pytest.mark.parametrize(
    ("point", "text"),
    [
        (
            OperatingPoint("falling", 0.2204, "recall", 31, 9),
            "falling is predicted where its probability is at least 22.0 %, chosen for F2, which favours "
            "recall, on 31 validation examples, 9 of them of the class.",
        ),
        (
            OperatingPoint("a\nb", 0.5, Costs(5, 1), 2, 1),
            "a b is predicted where its probability is at least 50.0 %, chosen for the lowest cost "
            "(a miss 5, a false alarm 1), on 2 validation examples, 1 of them of the class.",
        ),
        (
            OperatingPoint("falling", 0.5),
            "falling is predicted where its probability is at least 50.0 %, given, not chosen.",
        ),
    ],
)
def test_it_says_where_it_comes_from(point: OperatingPoint, text: str) -> None:
    assert str(point) == text


@pytest.mark.parametrize("values", [(1.1,), (-0.1,), (float("nan"),), (0.5, "f1", 2, 3), (0.5, "f1", 2, -1)])
def test_a_point_that_makes_no_sense_is_refused(values: Any) -> None:
    with pytest.raises(ValueError, match=r"threshold|validation examples"):
        OperatingPoint("falling", *values)


def test_what_it_is_chosen_for_is_one_thing() -> None:
    assert criterion(None, None, None) is None
    assert criterion("recall", None, None) == "recall"
    assert criterion(None, 5, 1) == Costs(5, 1)
    for given_options, message in (
        (("speed", None, None), "unknown value of --favour"),
        ((None, 5, None), "one cost alone decides nothing"),
        (("f1", 5, 1), "cannot be given beside costs"),
        ((None, float("inf"), 1), "must be above 0"),
    ):
        with pytest.raises(UsageError, match=message):
            criterion(*given_options)

"""Texts of an evaluation's tables."""

from __future__ import annotations

import pytest

from actionbench.reports.evaluation.tables import points
from actionbench.reports.statistics.intervals import Estimate, Interval


@pytest.mark.parametrize(
    ("value", "low", "high", "text"),
    [
        (0.031, 0.002, 0.06, "+3.1 (+0.2 to +6.0) *"),
        (-0.0646, -0.227, 0.0, "−6.5 (−22.7 to 0.0)"),
        (-0.0002, -0.033, 0.012, "0.0 (−3.3 to +1.2)"),
    ],
)
def test_a_difference_has_a_sign_unless_it_is_rounded_to_zero(
    value: float, low: float, high: float, text: str
) -> None:
    assert points(Estimate(value, Interval(low, high, "bootstrap"), 20)) == text

"""From when on an action is recognised."""

from __future__ import annotations

import math

import pytest

from actionbench.reports.evaluation.recognition_time import PartialPredictions, recognition_times, share_seen

from ...known import known


def progress(predicted: str, group: str = "film", example: str = "clip") -> PartialPredictions:
    """One letter for each quarter: r for right, w for wrong."""
    predictions = tuple("falling" if letter == "r" else "walking" for letter in predicted)
    return PartialPredictions(example, group, "falling", (0.25, 0.5, 0.75, 1.0), predictions)


@pytest.mark.parametrize(
    ("predicted", "seen"),
    [("rrrr", 0.25), ("wrrr", 0.5), ("rwrr", 0.75), ("wwwr", 1.0), ("rrrw", math.inf), ("wwww", math.inf)],
)
def test_right_and_stays_right(predicted: str, seen: float | None) -> None:
    assert share_seen(progress(predicted)) == seen


def test_the_median_counts_what_is_never_recognised() -> None:
    letters = ["rrrr", "wrrr", "wwrr", "wwwr", "wwww", "rrww", "wwrw"]
    times = recognition_times(
        [progress(each, f"film{i}", f"clip{i}") for i, each in enumerate(letters)], ["falling", "running"]
    )
    assert set(times) == {"falling"}
    found = times["falling"]
    assert found.recognised is not None
    assert found.recognised.value == pytest.approx(4 / 7)
    # Sorted: 0.25 0.5 0.75 1 never never never; the fourth is the median.
    assert found.median is not None
    assert found.median.value == 1.0


def test_where_most_are_never_recognised_there_is_no_median() -> None:
    letters = ["rrrr", "wwww", "wwww"]
    times = recognition_times([progress(each, str(i)) for i, each in enumerate(letters)], ["falling"])
    assert times["falling"].median is None


def test_what_is_never_recognised_does_not_lower_the_interval() -> None:
    """Seven of twelve are recognised at once, the others never."""
    letters = ["rrrr"] * 7 + ["wwww"] * 5
    examples = [progress(each, f"film{i}", f"clip{i}") for i, each in enumerate(letters)]
    found = recognition_times(examples, ["falling"])["falling"]
    median = known(found.median)
    assert median.value == 0.25
    assert known(median.interval).low == 0.25
    assert known(median.interval).high == math.inf
    assert found.shares == (0.25, 0.5, 0.75, 1.0)


def test_no_prediction_of_a_part_is_not_right() -> None:
    example = PartialPredictions("clip", "film", "falling", (0.5, 1.0), (None, "falling"))
    assert share_seen(example) == 1.0


def test_a_median_that_all_resamples_share_has_no_interval() -> None:
    examples = [progress("rrrr", f"film{i}", f"clip{i}") for i in range(12)]
    found = recognition_times(examples, ["falling"])["falling"]
    assert (known(found.median).value, known(found.median).interval) == (0.25, None)
    assert known(known(found.recognised).interval).method == "Wilson on the groups, 95 %"

"""From when on an action is recognised."""

from __future__ import annotations

import pytest

from actionbench.reports.evaluation.recognition_time import Progress, recognition_times, share_seen


def progress(predicted: str, group: str = "film", example: str = "clip") -> Progress:
    """One letter for each quarter: r for right, w for wrong."""
    answers = tuple("falling" if letter == "r" else "walking" for letter in predicted)
    return Progress(example, group, "falling", (0.25, 0.5, 0.75, 1.0), answers)


@pytest.mark.parametrize(
    ("predicted", "seen"),
    [("rrrr", 0.25), ("wrrr", 0.5), ("rwrr", 0.75), ("wwwr", 1.0), ("rrrw", None), ("wwww", None)],
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

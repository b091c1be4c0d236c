"""A training's predictions: all of the same classes, or one error that names the line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from actionbench.errors import UsageError
from actionbench.records.training import (
    PREDICTIONS,
    ExamplePrediction,
    chosen_on_validation,
    read_predictions,
    write_predictions,
)
from actionbench.reports.evaluation.predictions import joined

ONE = ExamplePrediction("validation", "a", "g", "s", "falling", {"falling": -0.1, "walking": -2.4})
OTHER = ExamplePrediction("validation", "b", "g", "s", "walking", {"walking": 0.0})


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write_predictions(tmp_path, [ONE, ONE], "resume")
    assert read_predictions(tmp_path) == [ONE, ONE]


def test_a_line_of_other_classes_is_named(tmp_path: Path) -> None:
    write_predictions(tmp_path, [ONE, OTHER], "resume")
    with pytest.raises(UsageError, match=r"predictions\.jsonl: line 2 is damaged: .*; found walking"):
        read_predictions(tmp_path)


@pytest.mark.parametrize("changed", [{"label": "yoga"}, {"log_probabilities": {"falling": 0.5}}])
def test_what_is_no_prediction_is_named(tmp_path: Path, changed: dict[str, object]) -> None:
    write_predictions(tmp_path, [ONE], "resume")
    path = tmp_path / PREDICTIONS
    path.write_text(json.dumps(json.loads(path.read_text()) | changed) + "\n")
    with pytest.raises(UsageError, match="line 1 is damaged: it holds no prediction"):
        read_predictions(tmp_path)


def test_an_operating_point_of_a_class_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no class 'yoga'; expected falling, walking"):
        chosen_on_validation([ONE], "yoga", "f1", tmp_path)


def test_trainings_of_different_classes_cannot_be_joined() -> None:
    with pytest.raises(UsageError, match="net: its trainings predict different classes"):
        joined("net", [ONE, OTHER])

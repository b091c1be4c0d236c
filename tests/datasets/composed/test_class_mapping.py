"""Which classes stand for which labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from actionbench.datasets.composed.class_mapping import read_mapping, same_names
from actionbench.errors import UsageError

VOCABULARY = ("jogging", "running on treadmill", "faceplanting", "yoga")


def test_probabilities_of_classes_are_added(tmp_path: Path) -> None:
    file = tmp_path / "mapping.yaml"
    file.write_text('running: [Jogging, running_on_treadmill]\nfalling: [faceplanting]\nother: "*"\n')
    matrix = read_mapping(file).matrix(("falling", "running", "other"), VOCABULARY)
    np.testing.assert_allclose(np.array([0.1, 0.2, 0.3, 0.4]) @ matrix, [0.3, 0.3, 0.4])


def test_classes_that_are_not_named_count_for_nothing(tmp_path: Path) -> None:
    file = tmp_path / "mapping.yaml"
    file.write_text("running: [jogging]\nfalling: []\n")
    matrix = read_mapping(file).matrix(("falling", "running"), VOCABULARY)
    assert matrix.sum() == 1
    assert matrix[0, 1] == 1


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("running: [joging]", "joging"),
        ("runing: [jogging]", "runing"),
        ("running: [jogging]\nfalling: [jogging]", "stands for two labels"),
        ("running: jogging", "names no classes"),
        ('running: "*"\nfalling: "*"', "more than one label"),
        ("- running", "label: "),
        ("running: [jogging", "not YAML"),
        ("", "label: "),
    ],
)
def test_mappings_that_are_refused(tmp_path: Path, text: str, named: str) -> None:
    file = tmp_path / "mapping.yaml"
    file.write_text(text)
    with pytest.raises(UsageError, match=named):
        read_mapping(file).matrix(("falling", "running"), VOCABULARY)


def test_a_network_of_the_sets_own_classes_needs_no_mapping() -> None:
    matrix = same_names(("yoga", "jogging"), VOCABULARY, "net").matrix(("yoga", "jogging"), VOCABULARY)
    np.testing.assert_array_equal(matrix.argmax(0), [3, 0])
    with pytest.raises(UsageError, match="falling"):
        same_names(("falling",), VOCABULARY, "net")

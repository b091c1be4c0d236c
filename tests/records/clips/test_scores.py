"""Rows of `scores.bin`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from actionbench.errors import UsageError
from actionbench.records.clips.scores import ScoreRows


def test_probabilities_that_are_no_numbers_are_an_error_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "scores.bin"
    np.array([[0.25, 0.75], [np.nan, 1.0]], "<f4").tofile(path)
    rows = ScoreRows(lambda: path.open("rb"), np.array([0, 8]), 2)
    np.testing.assert_array_equal(rows.rows(np.array([0])), [[0.25, 0.75]])
    with pytest.raises(UsageError, match=r"scores\.bin: is damaged"):
        rows.rows(np.array([1]))

"""Options of `bench experiments`; the trainings themselves are tested in tests/training."""

from __future__ import annotations

from pathlib import Path

import pytest

from ...conftest import Bench


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--favour", "speed"], "unknown value of --favour 'speed'"),
        (["--cost-miss", "3"], "one cost alone decides nothing"),
        (["--cost-miss", "3", "--cost-false-alarm", "0"], "--cost-miss, --cost-false-alarm: must be above 0"),
        (["--cost-miss", "3", "--cost-false-alarm", "1", "--favour", "f1"], "--favour: cannot be given"),
    ],
)
def test_what_operating_points_are_chosen_for_is_checked_first(
    bench: Bench, tmp_path: Path, options: list[str], named: str
) -> None:
    result = bench("experiments", tmp_path / "absent.yaml", "--out", tmp_path / "out", *options)
    assert result.returncode == 2
    assert named in result.stderr

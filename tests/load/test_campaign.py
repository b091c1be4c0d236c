"""The campaign, in short: minutes of a camera and a few clips. Whether memory grows takes longer to see."""

from __future__ import annotations

from pathlib import Path

import pytest

from .clips import run_clips
from .findings import Finding
from .stream import watch_stream

pytestmark = pytest.mark.slow


def broken(findings: list[Finding]) -> list[Finding]:
    """Beyond a bound, apart from growth: of a process that is still loading most of the time."""
    return [each for each in findings if each.broken and not each.allowed.startswith("growth")]


@pytest.mark.parametrize("people", [False, True])
def test_minutes_of_a_camera(tmp_path: Path, people: bool) -> None:
    findings = watch_stream(tmp_path, 1 / 40, segment_s=30, speed=4, period_s=0.05, people=people)
    assert broken(findings) == []
    assert {"command: open files", "worker 1: open files"} <= {each.what for each in findings}


def test_a_few_clips(tmp_path: Path) -> None:
    findings = run_clips(tmp_path, 40, 1.0, period_s=0.02, flow="dis")
    assert broken(findings) == []
    assert {"command: open files", "worker 1: open files"} <= {each.what for each in findings}

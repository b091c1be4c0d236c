"""The progress of a download: how much, how fast, how long still."""

from __future__ import annotations

import pytest

from actionbench.bench.console import progress


def test_rate_and_time_left(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    now = [100.0]
    monkeypatch.setattr(f"{progress.__name__}.time.monotonic", lambda: now[0])
    with progress.transfer("part\x1b_0") as show:
        show(0, 50_000_000)  # no rate yet
        now[0] += 40
        show(20_000_000, 50_000_000)
        now[0] += 1
        show(20_500_000, 50_000_000)  # too soon for another line
        now[0] += 40
        show(40_500_000, None)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "part\ufffd_0: 0.0 of 50.0 MB",
        "part\ufffd_0: 20.0 of 50.0 MB at 0.5 MB/s, about 60 s left",
        "part\ufffd_0: 40.5 MB at 0.5 MB/s",
    ]

"""Whether a process that holds more and more is found out, and one that does not is left alone."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from .findings import growth_of, left_behind, table
from .growth import BOUNDS, LEAST_SAMPLES, Watch, trend

TIMES_S = np.linspace(0, 1800, 900)

NOISE = np.random.default_rng(0).normal(0, 3, len(TIMES_S))


def test_noise_peaks_and_the_beginning_are_no_growth() -> None:
    memory = 200 + NOISE + 100 * (TIMES_S > 300) * (NOISE > 5)
    memory[:200] = np.linspace(50, 200, 200)
    found = trend(TIMES_S, memory)
    assert found.growth < 2
    assert found.begin == pytest.approx(200, abs=2)
    assert found.end == pytest.approx(200, abs=2)


def test_slow_growth_is_found_below_noise() -> None:
    found = trend(TIMES_S, 200 + NOISE + TIMES_S / 60)
    assert found.growth == pytest.approx(0.75 * 1800 / 60, rel=0.1)
    assert found.growth > BOUNDS["memory, MB"]


def test_a_step_is_growth() -> None:
    assert trend(TIMES_S, 200 + NOISE + 30 * (TIMES_S > 1500)).growth == pytest.approx(30, abs=2)


LEAKING = """
import sys, tempfile, threading, time
from pathlib import Path
kept, folder, leaks = [], Path(sys.argv[1]), sys.argv[2] == "leaks"
while True:
    time.sleep(0.02)
    opened = open("/dev/null")
    (path := folder / f"{time.monotonic_ns()}").touch()
    (thread := threading.Timer(1000 if leaks else 0, int)).start()
    block = bytearray(2_000_000)
    if leaks:
        kept += [opened, thread, block]
    else:
        opened.close()
        path.unlink()
        thread.join()
"""


@pytest.mark.parametrize("leaks", [True, False])
def test_a_process_that_leaks_is_found_out(tmp_path: Path, leaks: bool) -> None:
    command = [sys.executable, "-c", LEAKING, str(tmp_path), "leaks" if leaks else "tidy"]
    with subprocess.Popen(command, env=os.environ) as process:
        try:
            with Watch(process.pid, tmp_path, period_s=0.03) as watch:
                while not watch.processes():
                    assert process.poll() is None
                    time.sleep(0.05)
                time.sleep(0.03 * 2 * LEAST_SAMPLES)
        finally:
            process.kill()
    (watched,) = watch.processes()
    judged, *findings = growth_of([watched], least=1)
    assert not judged.broken
    assert [each.what for each in findings] == [f"command: {what}" for what in BOUNDS]
    assert [each.broken for each in findings] == [leaks] * len(BOUNDS)
    assert ("**growth up to 2**" in table(findings)) == leaks
    if leaks:
        assert left_behind(tmp_path).broken


def test_a_campaign_that_has_watched_too_few_processes_has_not_passed() -> None:
    (judged,) = growth_of([], least=2)
    assert judged.broken


def test_a_file_that_is_half_written_is_left_behind(tmp_path: Path) -> None:
    (tmp_path / "temporary").mkdir()
    (tmp_path / "run").mkdir()
    assert not left_behind(tmp_path / "temporary", tmp_path / "run").broken
    (tmp_path / "run" / "clips.jsonl.123.tmp").touch()
    found = left_behind(tmp_path / "temporary", tmp_path / "run")
    assert found.broken
    assert found.found == "1 clips.jsonl.123.tmp"

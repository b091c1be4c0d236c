"""Runs of many clips: time grows with their number, memory does not hold their records.

The small version is of ratios, which hold on any machine; `make benchmarks` measures a million.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from time import process_time

import pytest

from actionbench.datasets.clip import ClipSet
from actionbench.records.run_directory import RunWriter
from actionbench.reports.analysis.load_runs import merge, read_run
from actionbench.reports.analysis.summary import summarise

from .large_run import large_clips, write_large_run

SMALL, LARGE = 800, 4000
"""Records of two runs; the time and memory that each further record takes is their difference."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    folder = tmp_path_factory.mktemp("large")
    return {n: write_large_run(folder / str(n), 2, n // 2, classes=8, failing=100) for n in (SMALL, LARGE)}


def resume(path: Path) -> object:
    with RunWriter(path) as writer:
        return writer.tried("network-0@torch")


def most_bytes(work: Callable[[Path], object], path: Path) -> int:
    """Bytes of Python and NumPy that are in use at most."""
    tracemalloc.start()
    try:
        work(path)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return most


# Measured: 100 and 200 bytes, at most 270 on the way; as a `ClipRecord` it has 2000.
@pytest.mark.parametrize(("work", "bytes_each"), [(resume, 250), (read_run, 500)])
def test_a_record_is_not_held_as_an_object(
    runs: dict[int, Path], work: Callable[[Path], object], bytes_each: int
) -> None:
    work(runs[SMALL])
    small, large = (most_bytes(work, runs[n]) for n in (SMALL, LARGE))
    assert (large - small) / (LARGE - SMALL) < bytes_each


@pytest.mark.parametrize("work", [resume, lambda path: summarise(merge([read_run(path)]))])
def test_time_grows_with_the_number_of_records(runs: dict[int, Path], work: Callable[[Path], object]) -> None:
    work(runs[SMALL])
    small, large = (min(seconds(work, runs[n]) for _ in range(2)) for n in (SMALL, LARGE))
    assert large / small < 3 * LARGE / SMALL, "five times the records: what is quadratic takes 25 times"


def seconds(work: Callable[[Path], object], path: Path) -> float:
    begin = process_time()
    work(path)
    return process_time() - begin


MEASURED = """
import json, resource, sys, time

from pathlib import Path
from actionbench.bench.cli.app import run_app
from actionbench.records.run_directory import RunWriter
begin, cpu = time.monotonic(), time.process_time()
if sys.argv[1] == "resume":
    with RunWriter(Path(sys.argv[2])) as writer:
        writer.tried("network-0@torch")
else:
    assert run_app(["report", sys.argv[2]]) == 0
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"s": time.monotonic() - begin, "cpu_s": time.process_time() - cpu, "bytes": peak}))
"""


@pytest.mark.benchmark
@pytest.mark.slow
def test_a_million_records(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    """4 models, 250,000 clips, 400 classes: `scores.bin` has 1.6 GB, the folder 2.3 GB."""
    begin = process_time()
    clips = ClipSet("large", large_clips(250_000, 400, tmp_path))
    clips.digest()
    planned = process_time() - begin
    path = write_large_run(tmp_path / "run", 4, 250_000, 400)
    found = {}
    for work in ("resume", "report"):
        words = [sys.executable, "-c", MEASURED, work, str(path)]
        done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=1200)
        found[work] = json.loads(done.stdout.splitlines()[-1])
    record_property("figures", f"a million records: list of clips {planned:.1f} s of CPU; {found}")
    assert found["resume"]["cpu_s"] < 10
    assert found["report"]["cpu_s"] < 60

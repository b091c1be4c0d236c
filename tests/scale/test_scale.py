"""Runs of many clips: time grows with their number, memory does not hold their records.

Ratios hold on any machine; tests/benchmarks/test_large_run.py measures a million.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from time import process_time

import pytest

from actionbench.records.run_directory import RunWriter
from actionbench.reports.analysis.load_runs import merge, read_run
from actionbench.reports.analysis.summary import summarise

from .large_run import write_large_run

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

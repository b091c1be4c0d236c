"""The environment of a worker: freed memory that is kept is given out again without a page fault."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from actionbench.bench.worker import supervisor
from actionbench.bench.worker.job import Job
from actionbench.bench.worker.supervisor import Outcome, Worker, worker_environment
from actionbench.models.spec import LoadOptions
from actionbench.models.weights.descriptions import hara_views

PAGE_FAULTS = """
import json, resource
from concurrent.futures import ThreadPoolExecutor
import numpy as np
def faults_of_a_block(megabytes):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.empty(megabytes << 20, np.uint8)[::4096] = 1
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
large = faults_of_a_block(160)
here = faults_of_a_block(40)
with ThreadPoolExecutor(1) as thread:
    there = thread.submit(faults_of_a_block, 40).result()
print(json.dumps([large, here, there]))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
@pytest.mark.parametrize("kept", [True, False])
def test_a_block_comes_from_a_larger_one_that_was_freed(kept: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """In another thread too; and it does not by default."""
    # With huge pages, which NumPy asks for, there is little to count.
    monkeypatch.setenv("NUMPY_MADVISE_HUGEPAGE", "0")
    answer = subprocess.run(
        [sys.executable, "-c", PAGE_FAULTS],
        capture_output=True,
        text=True,
        check=True,
        env=worker_environment(1, keep_memory=kept),
    )
    large, *smaller = json.loads(answer.stdout)
    if kept:
        assert max(smaller) * 10 < large
    else:
        assert min(smaller) * 5 > large


def test_what_is_set_already_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLOC_ARENA_MAX", "3")
    assert worker_environment(1, keep_memory=True)["MALLOC_ARENA_MAX"] == "3"
    assert worker_environment(1)["MALLOC_ARENA_MAX"] == "3"


@pytest.mark.parametrize(
    ("backend", "variant", "kept"),
    [
        ("torch", "tuned", True),
        ("torch", "compiled", True),
        ("torch", "plain", False),
        ("openvino", "tuned", False),
    ],
)
def test_only_torchs_tuned_variants_keep_memory(
    backend: str, variant: str, kept: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Started(Exception):
        pass

    def environment(threads: int, keep_memory: bool) -> dict[str, str]:
        assert (threads, keep_memory) == (2, kept)
        raise Started

    monkeypatch.setattr(supervisor, "worker_environment", environment)
    options, views = LoadOptions(threads=2, variant=variant), hara_views(16)
    job = Job("arrays", f"resnext@{backend}:fp32:{variant}", {}, options, 400, views)
    with pytest.raises(Started):
        next(Worker(job, sys.executable, tmp_path / "log", 1, print).events(Outcome()))

"""Freed memory that is kept is given out again without a page fault."""

from __future__ import annotations

import platform
from collections.abc import Callable
from typing import Any

import pytest

SCRIPT = """
import resource
from concurrent.futures import ThreadPoolExecutor
import torch
from actionbench.models.host_memory import keep_freed_memory
def faults_of_a_block(numbers):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.empty(numbers).fill_(1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
if sys.argv[2] == "kept":
    keep_freed_memory()
large = faults_of_a_block(40_000_000)
here = faults_of_a_block(10_000_000)
with ThreadPoolExecutor(1) as thread:
    there = thread.submit(faults_of_a_block, 10_000_000).result()
give(large=large, smaller=[here, there])
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_a_block_comes_from_a_larger_one_that_was_freed(
    run_script: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In another thread too; and it would not without."""
    monkeypatch.setenv("MALLOC_ARENA_MAX", "1")
    kept, given_back = run_script(SCRIPT, "kept"), run_script(SCRIPT, "given back")
    assert max(kept["smaller"]) * 10 < kept["large"]
    assert min(given_back["smaller"]) * 5 > given_back["large"]

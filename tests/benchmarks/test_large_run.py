"""What a million records cost: 4 models, 250,000 clips, 400 classes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from time import process_time

import pytest

from actionbench.datasets.clip import ClipSet

from ..scale.large_run import large_clips, write_large_run
from .bars import Tell

pytestmark = pytest.mark.benchmark

MODELS, CLIPS, CLASSES = 4, 250_000, 400

RESUME = """
from pathlib import Path
from actionbench.records.run_directory import RunWriter
with RunWriter(Path(sys.argv[1])) as writer:
    assert len(writer.tried("network-0@torch")) == 250_000
"""
REPORT = """
from actionbench.bench.cli.app import run_app
assert run_app(["report", sys.argv[1]]) == 0
"""
COSTS = """
print(json.dumps([
    time.monotonic() - begin, time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
]))
"""


def test_memory_of_a_run_that_goes_on_and_of_a_report(tmp_path: Path, tell: Tell) -> None:
    """The folder has 2.2 GB, most of it scores. As objects, the records alone would take 2 GB of memory."""
    begin = process_time()
    ClipSet("large", large_clips(CLIPS, CLASSES, tmp_path)).digest()
    tell(f"a list of {CLIPS} clips and its digest: {process_time() - begin:.1f} s of CPU")
    path = write_large_run(tmp_path / "run", MODELS, CLIPS, CLASSES)
    for what, work, most in (("opening it to go on", RESUME, 400e6), ("its report", REPORT, 1.5e9)):
        code = f"import json, resource, sys, time\nbegin = time.monotonic()\n{work}{COSTS}"
        done = subprocess.run(
            [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True, timeout=3600
        )
        seconds, cpu_s, peak = json.loads(done.stdout.splitlines()[-1])
        tell(f"a million records, {what}: {seconds:.1f} s, {cpu_s:.1f} s of CPU, {peak / 1e6:.0f} MB")
        assert peak < most

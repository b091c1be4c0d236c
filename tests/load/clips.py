"""One run of many clips, as a user starts it: each is predicted once, and then by the scenario throughput."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from actionbench.datasets.sources.folder import load_folder
from actionbench.datasets.sources.manifest import write_manifest
from actionbench.models.labels import labels
from actionbench.records.run_directory import RunDirectory

from ..bench.conftest import write_video
from .findings import Finding, at_least, growth_of, left_behind, size_mb
from .growth import Watch

NETWORKS = Path(__file__).parent / "networks.py"

SIDE = 16
"""Height and width of a clip, pixels."""


def drawn_clips(folder: Path, count: int) -> Path:
    """The manifest of so many different clips of 5 frames of 16 × 16 pixels, of 400 classes."""
    names = labels("kinetics-400")
    noise = np.random.default_rng(0)
    for number in range(count):
        index = number % len(names)
        colour = np.array([index // 64, index // 8 % 8, index % 8]) / 8 + 1 / 16
        # No two clips are the same, in grey either, so that what is kept of one is not found for another.
        pixels = colour + noise.uniform(-0.03, 0.03, (SIDE, SIDE, 3))
        write_video(folder / names[index] / f"{number:06}.mp4", pixels, size=SIDE)
    write_manifest(folder / "clips.csv", load_folder(str(folder), vocabulary=()))
    return folder / "clips.csv"


def run_clips(folder: Path, count: int, seconds: float, period_s: float, flow: str) -> list[Finding]:
    """Predict so many clips.

    - `folder`: an empty one for all files.
    - `seconds`: that the scenario throughput measures after it has predicted every clip once, to warm up.
    - `period_s`: seconds between two looks at the processes.
    - `flow`: method by which optical flow is computed, which is kept in a cache.
    """
    temporary, home, out = folder / "tmp", folder / "home", folder / "run"
    temporary.mkdir()
    data = drawn_clips(folder / "videos", count)
    begin = time.monotonic()
    process = subprocess.Popen(
        [*(sys.executable, "-m", "actionbench"), *_words(data, out, count, seconds, flow)],
        stdout=subprocess.DEVNULL,
        env=os.environ | {"TMPDIR": str(temporary), "ACTIONBENCH_HOME": str(home)},
    )
    with Watch(process.pid, temporary, period_s) as watch:
        status = process.wait()
    took_s = time.monotonic() - begin
    directory = RunDirectory(out)
    answers = list(directory.clips())
    right = sum(each.error is None and each.top5[0][0] == each.label for each in answers)
    (measured,) = directory.samples("throughput")
    answered = measured.warm_up + measured.videos
    return [
        Finding("clips", f"{count:,} in {took_s:,.0f} s"),
        Finding("exit code", str(status), "0", status != 0),
        at_least("clips predicted rightly", right, count),
        at_least("clips of the scenario throughput", answered, count),
        at_least("clips with optical flow in the cache", len(list((home / "flow").iterdir())), count),
        Finding("written", f"run {size_mb(out):.1f} MB, cache {size_mb(home):.1f} MB"),
        *growth_of(watch.processes(), least=3),
        left_behind(temporary, home, out),
    ]


def _words(data: Path, out: Path, count: int, seconds: float, flow: str) -> list[str]:
    model = f"{NETWORKS}:flowing"
    return [
        *("run", "--models", model, "--weights", f"flowing-rgb={NETWORKS}"),
        *("--weights", f"flowing-flow={NETWORKS}", "--data", str(data), "--out", str(out), "--no-report"),
        *("--no-peak", "--threads", "2", "--processes", "1", "--scenarios", "throughput"),
        *("--latency-clips", str(count), "--throughput-seconds", f"{seconds:g}", "--flow", flow),
    ]

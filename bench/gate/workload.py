"""A light workload for the gate's self-test: `python -m actionbench.bench.gate.workload VIDEO`.

It decodes a small video, computes optical flow and does arithmetic, and prints its times as a gate reads
them: in turns where the gate says so, else once. `--slow 0.2` makes it do a fifth more work, nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np

from ...datasets.clip import Clip
from ...datasets.video.reader import read_frames
from ...flow.evaluation.known_motion import known_pair
from ...flow.registry import get_method
from .protocol import VARIABLE

SAMPLES = 12
"""The median over them is what a process says that takes no turns."""

TURN_S = 0.3
"""Seconds that a turn takes at least; its mean is what it says."""

UNITS = 10
"""Of work in each stage of a sample: a slowdown of 10 % is one more."""

STAGES = ("decode", "flow", "arithmetic")


def write_video(path: Path) -> None:
    """A small seeded video to decode."""
    noise = np.random.default_rng(0).integers(0, 255, (12, 20, 3), dtype=np.uint8)
    picture = np.kron(noise, np.ones((16, 16, 1), np.uint8))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 192, "yuv420p"
        for shift in range(6):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(np.roll(picture, shift, axis=1)), "rgb24")
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


def command(video: Path) -> list[str]:
    """One process of the workload, as it is."""
    return [sys.executable, "-P", "-m", __name__, str(video.absolute())]


def units(slow: float, slow_stage: str | None) -> dict[str, int]:
    """Stage → units of work in a sample; `slow` more of `slow_stage`, or of every stage (None)."""
    return {stage: UNITS + round(UNITS * slow) * (slow_stage in (None, stage)) for stage in STAGES}


def sample(work: dict[str, Callable[[], object]], amounts: dict[str, int]) -> dict[str, float]:
    """Stage → seconds that its units of work take."""
    seconds = {}
    for stage, once in work.items():
        begin = time.perf_counter()
        for _ in range(amounts[stage]):
            once()
        seconds[stage] = time.perf_counter() - begin
    return seconds


def stages(video: Path) -> dict[str, Callable[[], object]]:
    """Stage → one unit of its work."""
    previous, following, _ = known_pair()
    flow = get_method("dis")
    vector = np.linspace(0.5, 1.5, 200_000)

    def decode() -> None:
        for _ in read_frames(Clip(video.name, video)):
            pass

    return {
        "decode": decode,
        "flow": lambda: flow(previous, following),
        "arithmetic": lambda: np.sin(vector).sum(),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("video", type=Path)
    parser.add_argument("--slow", type=float, default=0.0)
    parser.add_argument("--slow-stage", choices=STAGES)
    arguments = parser.parse_args()
    work = stages(arguments.video)
    amounts = units(arguments.slow, arguments.slow_stage)
    sample(work, dict.fromkeys(STAGES, 1))  # warm
    if VARIABLE in os.environ:
        _say({"ready": {}})
        for _ in sys.stdin:
            _say(turn(work, amounts))
        return
    samples = [sample(work, amounts) for _ in range(SAMPLES)]
    medians = {stage: statistics.median(one[stage] for one in samples) for stage in STAGES}
    _say({"stages_s": medians, "total_s": statistics.median(sum(one.values()) for one in samples)})


def turn(work: dict[str, Callable[[], object]], amounts: dict[str, int]) -> dict[str, Any]:
    """What a turn says: means over samples until `TURN_S` have passed."""
    begin, cpu = time.perf_counter(), time.process_time()
    samples: list[dict[str, float]] = []
    while not samples or time.perf_counter() - begin < TURN_S:
        samples.append(sample(work, amounts))
    cpu_s = (time.process_time() - cpu) / len(samples)
    means = {stage: statistics.fmean(one[stage] for one in samples) for stage in STAGES}
    return {"stages_s": means, "total_s": sum(means.values()), "cpu_s": cpu_s}


def _say(facts: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()

"""A light workload for the gate's self-test: `python -m actionbench.bench.gate.workload VIDEO`.

It decodes a small video, computes optical flow and does arithmetic, for a second in all, imports and all, and
prints its times as a gate reads them. `--slow 0.2` makes it do a fifth more of the work, nothing else.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np

from ...flow.known_motion import known_pair
from ...flow.registry import get_method

ROUNDS = 20
"""Of each stage: a slowdown of 5 % is one more."""

STAGES = ("decode", "flow", "arithmetic")


def write_video(path: Path) -> None:
    """A small seeded video to decode."""
    noise = np.random.default_rng(0).integers(0, 255, (18, 32, 3), dtype=np.uint8)
    picture = cv2.resize(noise, (320, 180), interpolation=cv2.INTER_CUBIC)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        for shift in range(12):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(np.roll(picture, shift, axis=1)), "rgb24")
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


def times(video: Path, slow: float, slow_stage: str | None) -> dict[str, float]:
    """Stage → seconds; `slow` more rounds of `slow_stage`, or of every stage (None)."""
    previous, following, _ = known_pair()
    flow = get_method("dis")
    vector = np.linspace(0.5, 1.5, 200_000)

    def decode() -> None:
        with av.open(str(video)) as container:
            for frame in container.decode(video=0):
                frame.to_ndarray(format="rgb24")

    work: dict[str, Callable[[], object]] = {
        "decode": decode,
        "flow": lambda: [flow(previous, following) for _ in range(4)],
        "arithmetic": lambda: [np.sin(vector).sum() for _ in range(3)],
    }
    seconds = {}
    for stage, once in work.items():
        more = slow if slow_stage in (None, stage) else 0.0
        once()
        begin = time.perf_counter()
        for _ in range(round(ROUNDS * (1 + more))):
            once()
        seconds[stage] = time.perf_counter() - begin
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("video", type=Path)
    parser.add_argument("--slow", type=float, default=0.0)
    parser.add_argument("--slow-stage", choices=STAGES)
    arguments = parser.parse_args()
    stages_s = times(arguments.video, arguments.slow, arguments.slow_stage)
    sys.stdout.write(json.dumps({"stages_s": stages_s, "total_s": sum(stages_s.values())}) + "\n")


if __name__ == "__main__":
    main()

"""A real video of ten seconds, from its file to its answer, on two threads, stages overlapping.

The bars are those of a processor with AMX; on another one the networks compute in float32, the seconds are
told, and the test skipped.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from actionbench.models.capabilities import cpu_flags
from actionbench.reports.analysis.load_runs import merge, read_run
from actionbench.reports.analysis.summary import summarise

pytestmark = pytest.mark.benchmark

THREADS = 2
SECONDS = 10
"""Of the video: 250 frames at 25 a second."""


@dataclass(frozen=True)
class Bar:
    """`model` answers within `seconds`."""

    model: str
    flow: str
    seconds: float


BARS = (
    Bar("i3d@openvino", "tvl1-fast", 3.5),
    Bar("i3d@openvino", "tvl1-balanced", 5.0),
    Bar("resnext@openvino", "none needed", 1.0),
)


@pytest.fixture(scope="session")
def video(shared_data: Path) -> Path:
    return shared_data / "videos" / "kinetics_like" / "abseiling" / "abseiling_k400.mp4"


@pytest.mark.parametrize("bar", BARS, ids=lambda bar: f"{bar.model} {bar.flow}")
def test_ten_seconds_of_video_take(bar: Bar, video: Path, tmp_path: Path) -> None:
    has_amx = "amx_bf16" in cpu_flags()
    model = f"{bar.model}:{'bf16' if has_amx else 'fp32'}"
    flow = ["--flow", bar.flow] if bar.model.startswith("i3d") else []
    subprocess.run(
        [
            *(sys.executable, "-m", "actionbench", "run", "--models", model, "--data", str(video)),
            *("--weights", "random", "--scenarios", "pipelined", "--processes", "1", *flow),
            *("--threads", str(THREADS), "--no-report", "--out", str(tmp_path / "run")),
        ],
        check=True,
        capture_output=True,
        # More cores than threads would be help from what the threads are not counted for.
        preexec_fn=lambda: os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS]),
    )
    (summary,) = summarise(merge([read_run(tmp_path / "run")])).models
    pipelined = summary.scenarios["pipelined"]
    answer = pipelined.estimate("answer_s_per_video")
    assert answer is not None
    taken = answer.value
    text = (
        f"{model}, {bar.flow}: {taken:.2f} s for {SECONDS} s of video, {SECONDS / taken:.1f}× real time "
        f"(bar {bar.seconds:g} s)"
    )
    print(f"\n{text}")
    if not has_amx:
        pytest.skip(f"{text}: this processor has no AMX, which the bar is for")
    if pipelined.disturbed:
        pytest.skip(f"{text}: something else was computing")
    assert taken <= bar.seconds, text

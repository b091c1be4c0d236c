"""Trained weights on real clips: every backend and precision of this machine says the same, and is right.

Needs `bench weights fetch tfhub-i3d-kinetics-400` and the folder of real videos.
"""

from __future__ import annotations

import csv
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from actionbench.records.run_directory import RunDirectory

Bench = Callable[..., subprocess.CompletedProcess[str]]

CLIPS = {
    "arm_wrestling/mmaction2_demo.mp4": "arm wrestling",
    "flipping_pancake/flipping_a_pancake.mkv": "flipping pancake",
    "walking_the_dog/v_ZNVhz7ctTq0.mp4": "walking the dog",
}
FRAMES = 64
RATE = 25

LARGEST_DRIFT = {"fp32": 1e-4, "bf16": 5e-2}
"""Of a probability, from float32 in the first backend. Seen: 4e-6 in float32, 0.01 in bfloat16."""


@pytest.mark.slow
def test_every_backend_names_real_clips(
    bench: Bench, trained_weights: Path, shared_data: Path, tmp_path: Path
) -> None:
    manifest = tmp_path / "clips.csv"
    with manifest.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "label", "start_s", "end_s"])
        for path, label in CLIPS.items():
            rows.writerow([shared_data / "videos" / "kinetics_like" / path, label, 0, FRAMES / RATE])
    out = tmp_path / "run"
    answer = bench(
        *("run", "--models", "i3d-rgb", "--backends", "tensorflow,torch,onnx,openvino"),
        *("--precisions", "fp32,bf16", "--weights", f"i3d-rgb={trained_weights}", "--data", manifest),
        *("--latency-clips", 0, "--out", out),
    )
    directory = RunDirectory(out)
    computed = {model.key: model for model in directory.run.models if model.state == "done"}
    assert {model.backend for model in computed.values()} == {"tensorflow", "torch", "onnx", "openvino"}
    # What this machine does not compute is a row of the run, and the only thing that may be amiss.
    for model in directory.run.models:
        assert model.key in computed or "cannot run it" in (model.error or ""), answer.stderr
    records = {(record.model, record.clip): record for record in directory.clips()}
    clips = sorted({clip for _, clip in records})
    assert len(clips) == len(CLIPS)
    reference = next(iter(computed))
    for key, model in computed.items():
        for clip in clips:
            record, expected = records[key, clip], records[reference, clip]
            assert record.error is None
            assert record.frames == FRAMES, clip
            assert record.top5[0][0] == record.label
            assert record.top5[0][1] > 0.9
            drift = np.abs(directory.scores(record) - directory.scores(expected)).max()
            assert drift <= LARGEST_DRIFT[model.precision]
    assert answer.stderr.count(" to rounding") + answer.stderr.count("drifts from") == len(computed) - 1
    assert "DOES NOT MATCH" not in (out / "report.md").read_text()

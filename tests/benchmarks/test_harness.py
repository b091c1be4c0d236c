"""What the harness itself costs, and whether it keeps the cores busy: ratios within one run."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actionbench.bench.scenarios.latency import LatencySettings, measure_latency
from actionbench.bench.scenarios.scenario import Loaded
from actionbench.bench.scenarios.stream_networks import StreamNetwork
from actionbench.bench.worker.events import Event, Measured
from actionbench.bench.worker.job import Job
from actionbench.datasets.sources.registry import load_clips
from actionbench.models.registry import find_model, load_network
from actionbench.models.spec import LoadOptions, Weights
from actionbench.preprocessing.preparer import Preparer
from actionbench.reports.analysis.load_runs import merge, read_run
from actionbench.reports.analysis.scenarios import value_of
from actionbench.reports.analysis.summary import ModelSummary, summarise

TINY = Path(__file__).parents[1] / "bench" / "networks" / "tiny.py"

pytestmark = pytest.mark.benchmark


def test_the_latency_scenario_costs_two_percent_more_than_a_bare_loop(tmp_path: Path) -> None:
    """ResNeXt on one window that is network input already: CPU time, one thread, with the reading of it."""
    request = find_model("resnext@torch")
    weights = {"rgb": Weights("random", request.model.streams["rgb"])}
    network = load_network(request, weights, LoadOptions(threads=1))
    pixels = np.random.default_rng(0).normal(0, 50, (16, 112, 112, 3)).astype(np.float32)
    np.savez(tmp_path / "clip.npz", rgb=pixels)
    clips = load_clips(str(tmp_path), vocabulary=()).clips
    options, settings = LoadOptions(threads=1), LatencySettings()
    job = Job("latency", "resnext@torch", weights, options, 400, clips=tuple(clips), settings=settings)
    preparer = Preparer({"rgb": weights["rgb"].description.preprocessing}, request.model.views)

    def bare() -> float:
        begin = time.process_time()
        network.download(network.forward(network.upload({"rgb": pixels[None]})))
        return time.process_time() - begin

    def harness() -> tuple[float, float]:
        samples: list[Mapping[str, Any]] = []

        def send(event: Event) -> None:
            if isinstance(event, Measured):
                samples.append(event.values)

        loaded = Loaded(request.model, (StreamNetwork(("rgb",), network),), preparer)
        measure_latency(job, loaded, send)
        between = 1 - sum(samples[-1]["stages_s"].values()) / samples[-1]["total_s"]
        return samples[-1]["cpu_s"], between

    bare()
    pairs = [(bare(), *harness(), bare()) for _ in range(9)]
    ratio = statistics.median(whole / ((before + after) / 2) for before, whole, _, after in pairs)
    between = statistics.median(between for _, _, between, _ in pairs)
    print(f"\nCPU time, scenario / bare loop: {ratio:.4f}; of the time, between stages: {between:.2%}")
    assert ratio <= 1.02
    assert between <= 0.02


def throughput_of(tmp_path: Path, model: str, data: str | Path, seconds: float, *more: str) -> ModelSummary:
    out = tmp_path / "run"
    subprocess.run(
        [
            *(sys.executable, "-m", "actionbench", "run", "--models", model, "--data", str(data)),
            *("--weights", "random", "--scenarios", "throughput", "--processes", "1", "--out", str(out)),
            *("--throughput-seconds", str(seconds), *more),
        ],
        check=True,
        capture_output=True,
    )
    (summary,) = summarise(merge([read_run(out)])).models
    return summary


def test_throughput_keeps_nine_tenths_of_the_cores_busy(tmp_path: Path) -> None:
    summary = throughput_of(tmp_path, "resnext@torch", "demo", 15)
    t = summary.scenarios["throughput"]
    busy = t.estimate("cores_busy")
    assert busy is not None
    print(f"\n{busy.value:.1%} of {t.figures['threads']} threads busy; waiting {t.waiting:.1%}")
    if t.disturbed:
        pytest.skip(f"something else was computing: threads waited {t.waiting:.0%} of the time")
    assert busy.value >= 0.9


def test_memory_is_flat_over_500_clips(tmp_path: Path, drawn_videos: Path) -> None:
    summary = throughput_of(tmp_path, f"{TINY}:tiny", drawn_videos, 25, "--latency-clips", "8")
    figures = summary.scenarios["throughput"].figures
    videos, growth = value_of(figures["videos"]), value_of(figures["memory_growth"])
    assert videos is not None
    assert growth is not None
    print(f"\n{videos} videos; memory {growth:+.2%} from the first third to the last")
    if videos < 500:
        pytest.skip(f"only {videos} videos in the time")
    assert growth <= 0.03


@pytest.fixture
def drawn_videos(tmp_path: Path) -> Path:
    """Eight videos of moving noise, 64 × 64 pixels, 25 frames."""
    import av

    folder = tmp_path / "videos"
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(8):
        noise = random.integers(0, 255, (96, 64, 3), np.uint8)
        with av.open(str(folder / f"{number}.mp4"), "w") as container:
            stream = container.add_stream("mpeg4", rate=25)
            stream.width = stream.height = 64
            stream.pix_fmt = "yuv420p"
            for shift in range(25):
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(noise[shift : shift + 64]), "rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
    return folder

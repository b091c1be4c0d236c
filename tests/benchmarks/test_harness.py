"""What the harness itself costs, and whether it keeps the cores busy: ratios within one run."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
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
from actionbench.reports.analysis.summary import summarise

from .bars import Bar, Call, Tell, skip
from .served import served

TINY = Path(__file__).parents[1] / "bench" / "networks" / "tiny.py"

pytestmark = pytest.mark.benchmark


def test_the_latency_scenario_costs_two_percent_more_than_a_bare_loop(
    tmp_path: Path, judged: Callable[[Bar, Call, Call], None], tell: Tell
) -> None:
    """ResNeXt on one window that is network input already: CPU time, one thread, with the reading of it."""
    request = find_model("resnext@torch")
    weights = {"rgb": Weights("random", request.model.streams["rgb"])}
    network = load_network(request, weights, LoadOptions(threads=1))
    pixels = np.random.default_rng(0).normal(0, 50, (16, 112, 112, 3)).astype(np.float32)
    np.savez(tmp_path / "clip.npz", rgb=pixels)
    clips = load_clips(str(tmp_path), vocabulary=()).clips
    options, settings = LoadOptions(threads=1), LatencySettings()
    views = request.model.views
    job = Job("latency", "resnext@torch", weights, options, 400, views, tuple(clips), settings=settings)
    preparer = Preparer({"rgb": weights["rgb"].description.preprocessing}, views)
    loaded = Loaded(request.model, (StreamNetwork(("rgb",), network),), preparer)
    between: list[float] = []

    def bare() -> float:
        begin = time.process_time()
        network.download(network.forward(network.upload({"rgb": pixels[None]})))
        return time.process_time() - begin

    def harness() -> float:
        samples: list[Mapping[str, Any]] = []

        def send(event: Event) -> None:
            if isinstance(event, Measured):
                samples.append(event.values)

        measure_latency(job, loaded, send)
        between.append(1 - sum(samples[-1]["stages_s"].values()) / samples[-1]["total_s"])
        return float(samples[-1]["cpu_s"])

    bare(), harness()
    judged(Bar("the latency scenario", "a bare loop of its calls", 1 / 1.02, quiet=0.02), harness, bare)
    least = statistics.median(sorted(between)[: len(between) // 4])
    tell(f"the latency scenario: {least:.2%} of the time between stages (the least quarter of samples)")
    assert least <= 0.02


THROUGHPUT = """
import hashlib
from concurrent.futures import ThreadPoolExecutor
from actionbench.bench.plan.config import RunConfig
from actionbench.bench.plan.plan import make_plan
from actionbench.bench.scenarios.scenario import Loaded, scenario
from actionbench.bench.scenarios.stream_networks import load_stream_networks
from actionbench.bench.worker.events import Measured
from actionbench.preprocessing.assembly import assemble

config = RunConfig(
    models=("resnext@torch",), weights={"*": "random"}, device="cpu", views="single", throughput_seconds=2
)
plan = make_plan(config)
(planned,) = plan.models
job = scenario("throughput").job(planned, plan.clips.clips[:2], config)
networks = load_stream_networks(planned.request, job.weights, job.options, apart=True)
preparer = assemble(
    job.weights, job.views, flow=None, threads=1, window=job.window,
    networks=[each.network for each in networks],
)
loaded = Loaded(planned.request.model, networks, preparer)
threads = job.settings.threads

def throughput():
    found = []
    scenario("throughput").measure(job, loaded, found.append)
    (values,) = [event.values for event in found if isinstance(event, Measured)]
    return values["wall_s"] * threads / values["cpu_s"]

def hash_for_a_second(_):
    end = time.perf_counter() + 1
    while time.perf_counter() < end:
        hashlib.sha256(bytes(1 << 20))  # lets other threads go on meanwhile

def hashing():
    wall, cpu = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(hash_for_a_second, range(threads)))
    return (time.perf_counter() - wall) * threads / (time.process_time() - cpu)

serve(throughput=throughput, hashing=hashing)
"""


def test_throughput_keeps_nine_tenths_of_the_cores_busy(
    judged: Callable[[Bar, Call, Call], None],
) -> None:
    """Seconds for a second of CPU time on each thread, against those of threads that wait for nothing."""
    bar = Bar("throughput, cores busy", "threads that only compute", 0.9)
    with served(THROUGHPUT) as ask:
        judged(bar, partial(ask, "throughput", "given"), partial(ask, "hashing", "given"))


def test_memory_is_flat_over_500_clips(tmp_path: Path, drawn_videos: Path, tell: Tell) -> None:
    out = tmp_path / "run"
    subprocess.run(
        [
            *(sys.executable, "-m", "actionbench", "run", "--models", f"{TINY}:tiny"),
            *("--data", str(drawn_videos), "--latency-clips", "8", "--weights", "random"),
            *("--scenarios", "throughput", "--throughput-seconds", "25", "--processes", "1"),
            *("--out", str(out)),
        ],
        check=True,
        capture_output=True,
    )
    (summary,) = summarise(merge([read_run(out)])).models
    figures = summary.scenarios["throughput"].figures
    videos, growth = value_of(figures["videos"]), value_of(figures["memory_growth"])
    assert videos is not None
    assert growth is not None
    text = f"memory {growth:+.2%} from the first third of {videos:.0f} videos to the last (bar +3 %)"
    if videos < 500:
        skip(f"{text}: not decided here, fewer than 500 videos in the time", tell)
    tell(text)
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

"""A real video of ten seconds, from its file to its answer: its stages overlapping on two threads, against
the sum of its stages one after the other on one thread, in the same minutes.

The bar is that of a processor with AMX; on another one the networks compute in float32, and the figures are
told.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from actionbench.bench.plan.config import RunConfig
from actionbench.bench.plan.selection import unable
from actionbench.models.registry import find_model

from .bars import Bar, Call, Tell, skip
from .served import served

pytestmark = pytest.mark.benchmark

THREADS = 2
SECONDS = 10
"""Of the video: 250 frames at 25 a second."""

VIDEO = """
import numpy as np
from actionbench.bench.plan.config import RunConfig
from actionbench.bench.plan.plan import plan_models
from actionbench.bench.scenarios.inference import forward_views
from actionbench.bench.scenarios.pipeline import Pipeline
from actionbench.bench.scenarios.scenario import scenario
from actionbench.bench.scenarios.stream_networks import load_stream_networks
from actionbench.bench.scenarios.thread_pool import ThreadPool
from actionbench.datasets.sources.registry import load_clips
from actionbench.preprocessing.assembly import assemble
from actionbench.preprocessing.stopwatch import Stopwatch

model, flow, threads, video = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
config = RunConfig(models=(model,), weights={"*": "random"}, device="cpu", threads=threads, flow=flow)
(planned,) = plan_models(config, target=None)
(clip,) = load_clips(video, vocabulary=planned.labels).clips
job = scenario("pipelined").job(planned, (clip,), config)
networks = load_stream_networks(planned.request, job.weights, job.options, apart=True)
preparer = assemble(
    job.weights,
    planned.request.model.views,
    flow=job.flow,
    threads=job.options.threads,
    networks=[each.network for each in networks],
)

def pipelined():
    answers = []
    with ThreadPool(threads) as pool:
        def answered(answer):
            answers.append(answer)
            pool.end()
        pipeline = Pipeline(pool, preparer, networks, job.classes, 1, answered, lambda *_: None)
        pipeline.start(clip)
        pool.wait()
    (answer,) = answers
    assert answer.error is None, answer.error
    return answer.seconds

def stage_after_stage():
    prepared = preparer(clip)
    watch = Stopwatch()
    for each in networks:
        for view in prepared.views:
            forward_views(each.network, [{name: view[name] for name in each.streams}], job.classes, watch)
    return sum(prepared.stages_s.values()) + sum(watch.seconds.values())

serve(pipelined=pipelined, stage_after_stage=stage_after_stage)
"""


@dataclass(frozen=True, slots=True)
class Video:
    """`model` answers at least `times` as fast as its stages take one after the other, where there is AMX."""

    model: str
    flow: str | None
    times: float | None

    def __str__(self) -> str:
        return f"{self.model}, {self.flow or 'RGB only'}"


VIDEOS = (Video("i3d@openvino", "tvl1-fast", 1 / 0.6), Video("resnext@openvino", None, None))


@pytest.fixture(scope="session")
def video(shared_data: Path) -> Path:
    return shared_data / "videos" / "kinetics_like" / "abseiling" / "abseiling_k400.mp4"


@pytest.mark.parametrize("case", VIDEOS, ids=str)
def test_ten_seconds_of_video(
    case: Video, video: Path, judged: Callable[[Bar, Call, Call], None], tell: Tell
) -> None:
    has_amx = Bar("", "", case.times, "AMX").missing is None
    model = f"{case.model}:{'bf16' if has_amx else 'fp32'}"
    reason = unable(find_model(model), RunConfig(device="cpu"))
    if reason is not None:
        skip(f"{model}: {reason}", tell)
    cores = sorted(os.sched_getaffinity(0))[:THREADS]
    if len(cores) < THREADS:
        skip(f"{model}: needs {THREADS} cores", tell)
    bar = Bar(
        f"{SECONDS} s of video by {model}, {case.flow or 'RGB only'}, pipelined on {THREADS} threads",
        "its stages one after the other on one",
        case.times,
        "AMX",
    )
    with served(VIDEO, model, case.flow or "tvl1", THREADS, video, cores=cores) as ask:
        judged(bar, partial(ask, "pipelined", "given"), partial(ask, "stage_after_stage", "given"))

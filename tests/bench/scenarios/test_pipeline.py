"""The pipeline gives what one stage after the other gives, and a bad clip costs that clip."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from actionbench.bench.scenarios.inference import average_views, forward
from actionbench.bench.scenarios.pipeline import Answer, Pipeline
from actionbench.bench.scenarios.scenario import Loaded
from actionbench.bench.scenarios.stream_networks import StreamNetwork
from actionbench.bench.scenarios.thread_pool import ThreadPool
from actionbench.bench.scenarios.throughput import MeasurementWindow, ThroughputSettings, measure_throughput
from actionbench.bench.worker.events import Event, Measured
from actionbench.bench.worker.job import Job
from actionbench.datasets.clip import Clip
from actionbench.datasets.sources.registry import load_clips
from actionbench.flow.fields import flow_fields
from actionbench.flow.registry import get_method
from actionbench.models.spec import LoadOptions, Preprocessing, Views
from actionbench.preprocessing.preparer import Preparer
from actionbench.preprocessing.stopwatch import Stopwatch

from ...known import known

RGB = Preprocessing("rgb", None, 16, "opencv-bilinear", "round", 16, "floor", scale=1 / 255)
FLOW = replace(RGB, modality="flow", flow_bound=20.0)
WHOLE = Views(None, None, "drop", "logits", 1)
WINDOWS = Views(4, 4, "loop", "softmax", 1)
CLIPS = Views(4, None, "loop", "softmax", 1, clips=3, crops=3)


class Sums:
    """A network whose three logits depend on every value of its input, and on its place."""

    concurrent = True

    def upload(self, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
        return {stream: np.asarray(array) for stream, array in inputs.items()}

    def forward(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        total: np.ndarray = np.sum([self.logits(array) for array in inputs.values()], axis=0)
        return total

    @staticmethod
    def logits(array: np.ndarray) -> np.ndarray:
        places = np.arange(array[0].size, dtype=np.float64)
        flat = array.reshape(len(array), -1).astype(np.float64)
        return np.stack([flat.mean(1), (flat * np.cos(places)).mean(1), (flat * np.sin(places)).mean(1)], 1)

    def download(self, logits: np.ndarray) -> np.ndarray:
        return logits.astype(np.float32)

    def synchronize(self) -> None:
        pass

    def describe(self) -> dict[str, Any]:
        return {}


def answers(
    clips: list[Clip], preparer: Preparer, networks: list[StreamNetwork], threads: int = 3, batch: int = 1
) -> dict[str, Answer]:
    return answers_and_counts(clips, preparer, networks, threads, batch)[0]


def answers_and_counts(
    clips: list[Clip], preparer: Preparer, networks: list[StreamNetwork], threads: int, batch: int
) -> tuple[dict[str, Answer], tuple[int, int]]:
    found: dict[str, Answer] = {}
    lock = threading.Lock()
    with ThreadPool(threads) as pool:

        def answered(answer: Answer) -> None:
            with lock:
                assert answer.clip.id not in found
                found[answer.clip.id] = answer
                if len(found) == len(clips):
                    pool.end()

        pipeline = Pipeline(pool, preparer, networks, 3, batch, answered, lambda *_: None)
        for clip in clips:
            pipeline.start(clip)
        pool.wait()
    return found, pipeline.counted()


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Clip]:
    """Moving noise, of different lengths, around and on the limits of a run of flow."""
    folder = tmp_path_factory.mktemp("arrays")
    random = np.random.default_rng(0)
    for frames in (2, 9, 16, 17, 18, 41):
        noise = random.integers(0, 255, (16 + frames, 24, 3), np.uint8)
        np.savez(folder / f"{frames}.npz", frames=np.stack([noise[n : n + 16] for n in range(frames)]))
    return list(load_clips(str(folder), vocabulary=()).clips)


@pytest.mark.parametrize("views", [WHOLE, WINDOWS, CLIPS])
@pytest.mark.parametrize("apart", [True, False])
@pytest.mark.parametrize("batch", [1, 3])
def test_it_gives_the_probabilities_of_one_stage_after_the_other(
    clips: list[Clip], views: Views, apart: bool, batch: int
) -> None:
    preparer = Preparer({"rgb": RGB, "flow": FLOW}, views, flow=get_method("farneback"))
    networks = (
        [StreamNetwork(("rgb",), Sums()), StreamNetwork(("flow",), Sums())]
        if apart
        else [StreamNetwork(("rgb", "flow"), Sums())]
    )
    if views.window is not None:
        clips = clips[1:]  # a window of one distinct frame pair is enough to test elsewhere
    found = answers(clips, preparer, networks, batch=batch)
    for clip in clips:
        prepared = preparer(clip)
        logits, _ = forward(Sums(), prepared, 1, 3, Stopwatch())
        answer = found[clip.id]
        assert answer.error is None
        assert (answer.views, answer.frames) == (len(prepared.views), prepared.frames)
        assert answer.video_s == prepared.video_s
        assert answer.source_frames == prepared.source_frames
        np.testing.assert_allclose(
            known(answer.probabilities), average_views(logits, views.average), rtol=1e-6, atol=1e-7
        )


class FlowOnGpu:
    """A method that says that it computes on a GPU, and fails where two clips meet there."""

    name = "on a GPU"
    device = SimpleNamespace(type="cuda")

    def __init__(self) -> None:
        self.pairs: list[int] = []
        self._flow = get_method("farneback")
        self._busy = threading.Lock()

    def __call__(self, previous: np.ndarray, following: np.ndarray) -> np.ndarray:
        return self._flow(previous, following)

    def describe(self) -> dict[str, Any]:
        return {}

    def fields(self, grey: np.ndarray, *_: object, **__: object) -> np.ndarray:
        assert self._busy.acquire(blocking=False), "two clips at once"
        self.pairs.append(len(grey) - 1)
        fields = flow_fields(grey, self._flow)
        self._busy.release()
        return fields

    def fields_on_device(self, grey: np.ndarray, *_: object, **__: object) -> torch.Tensor:
        return torch.from_numpy(self.fields(grey))


@pytest.mark.parametrize("views", [WHOLE, WINDOWS])
def test_a_gpu_has_the_flow_of_one_whole_view_at_a_time(clips: list[Clip], views: Views) -> None:
    method = FlowOnGpu()
    streams = {"rgb": RGB, "flow": FLOW}
    found = answers(
        clips[1:], Preparer(streams, views, flow=method), [StreamNetwork(tuple(streams), Sums())], threads=6
    )
    pairs = method.pairs.copy()
    plain = Preparer(streams, views, flow=get_method("farneback"))
    expected = []
    for clip in clips[1:]:
        prepared = plain(clip)
        logits, _ = forward(Sums(), prepared, 1, 3, Stopwatch())
        np.testing.assert_allclose(
            known(found[clip.id].probabilities), average_views(logits, views.average), rtol=1e-6, atol=1e-7
        )
        expected += [len(view["flow"]) for view in prepared.views]
    assert sorted(pairs) == sorted(expected)


def test_what_was_computed_is_counted(clips: list[Clip]) -> None:
    """One thread decodes 41 frames, whose ten windows of 4 are then computed 3, 3, 3 and 1 at a time."""
    preparer = Preparer({"rgb": RGB}, replace(WINDOWS, tail="drop"))
    long = [clip for clip in clips if clip.path.stem == "41"]
    assert answers_and_counts(long, preparer, [StreamNetwork(("rgb",), Sums())], 1, batch=3)[1] == (4, 10)
    assert answers_and_counts(long, preparer, [StreamNetwork(("rgb",), Sums())], 1, batch=1)[1] == (10, 10)


def test_flow_that_stays_on_the_gpu_meets_flow_that_comes_from_a_file(
    clips: list[Clip], tmp_path: Path
) -> None:
    """A tensor and an array of one shape are no batch."""
    noise = np.random.default_rng(1).uniform(-1, 1, (16, 16, 16, 2)).astype(np.float32)
    np.savez(tmp_path / "ready.npz", flow=noise)
    ready = Clip("ready", tmp_path / "ready.npz")
    seventeen = [clip for clip in clips if clip.path.stem == "17"]
    preparer = Preparer({"flow": FLOW}, WHOLE, flow=FlowOnGpu(), on_device=True)
    found = answers([*seventeen, ready], preparer, [StreamNetwork(("flow",), Sums())], threads=2, batch=2)
    assert all(answer.error is None for answer in found.values())
    through_host = replace(preparer, flow=get_method("farneback"), on_device=False)
    logits, _ = forward(Sums(), through_host(seventeen[0]), 1, 3, Stopwatch())
    np.testing.assert_allclose(
        known(found[seventeen[0].id].probabilities), average_views(logits, "logits"), rtol=1e-5, atol=1e-6
    )


def test_a_bad_clip_costs_that_clip(clips: list[Clip], tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    preparer = Preparer(
        {"rgb": RGB, "flow": FLOW}, replace(WHOLE, min_frames=9), flow=get_method("farneback")
    )
    found = answers(
        [*clips, Clip("broken", broken, None)], preparer, [StreamNetwork(("rgb", "flow"), Sums())]
    )
    errors = {id_ for id_, answer in found.items() if answer.error is not None}
    short = {clip.id for clip in clips if clip.path.stem in ("2", "9")}  # 9 frames have 8 fields
    assert errors == {"broken"} | short
    assert all(found[clip.id].probabilities is not None for clip in clips if clip.id not in short)


def test_a_network_that_fails_ends_it(clips: list[Clip]) -> None:
    class Broken(Sums):
        def forward(self, _: dict[str, np.ndarray]) -> np.ndarray:
            raise MemoryError

    with pytest.raises(MemoryError):
        answers(clips, Preparer({"rgb": RGB}, WHOLE), [StreamNetwork(("rgb",), Broken())])


def test_a_measurement_window_counts_after_the_warm_up_and_in_whole_groups(clips: list[Clip]) -> None:
    counts = iter([(10, 20), (14, 30)])
    window = MeasurementWindow(warm_up=3, seconds=0, multiple=2, counted=lambda: next(counts))
    answer = Answer(clips[0], 1.0)
    over = [window.add(answer) for _ in range(5)]
    assert over == [False, False, False, False, True]
    assert len(window.answers) == len(window.rss_bytes) == 2
    assert window.mean_batch == 2.5
    took = window.meter.wall_s
    assert took > 0
    assert window.add(answer), "an answer that comes too late"
    assert len(window.answers) == 2
    assert window.meter.wall_s == took


@pytest.mark.parametrize("threads", [1, 4])
def test_a_throughput_is_no_more_than_its_time(clips: list[Clip], threads: int) -> None:
    """A network that sleeps for 20 ms answers 50 times a second on each thread, and no more."""

    class Sleeps(Sums):
        def forward(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
            time.sleep(0.02)
            return super().forward(inputs)

    measured: list[Mapping[str, Any]] = []

    def send(event: Event) -> None:
        if isinstance(event, Measured):
            measured.append(event.values)

    job = Job("throughput", "sleeps", {}, LoadOptions(threads=1), 3, WHOLE, tuple(clips[:2]))
    job = replace(job, settings=ThroughputSettings(0.5, threads=threads, in_flight=threads + 1))
    loaded = Loaded(None, (StreamNetwork(("rgb",), Sleeps()),), Preparer({"rgb": RGB}, WHOLE))  # type: ignore[arg-type]
    begin = time.perf_counter()
    measure_throughput(job, loaded, send)
    took = time.perf_counter() - begin
    (window,) = measured
    assert 0.5 <= window["wall_s"] <= took
    assert window["videos"] / window["wall_s"] <= 50 * threads

"""Several cameras and one network whose time is known, in real time."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from actionbench.bench.scenarios.scenario import Loaded
from actionbench.bench.scenarios.stream import CameraSettings, measure_stream
from actionbench.bench.scenarios.stream_networks import StreamNetwork
from actionbench.bench.scenarios.timed import record_of
from actionbench.bench.worker.events import Event, Measured
from actionbench.bench.worker.job import Job
from actionbench.datasets.sources.registry import load_clips
from actionbench.errors import ClipError
from actionbench.models.spec import LoadOptions
from actionbench.preprocessing.preparer import Preparer
from actionbench.records.scenarios.stream import StreamRecord, keeps_up, least_answered

FORWARD_S = 0.05

FOUR = CameraSettings(Fraction(20), window=4, stride=4, seconds=2.0, decoding=True)
"""A label is due every 0.2 s: of four cameras' labels the network could just compute all."""

Watch = Callable[..., StreamRecord]


@pytest.fixture
def videos(coloured_videos: Callable[[list[int], int], Path]) -> Path:
    return coloured_videos([42], 1)


@pytest.fixture
def watch(videos: Path, tiny_module: ModuleType) -> Watch:
    """Function that shows a video to a network that takes FORWARD_S; before each pass but that of warming up
    `before` is called with its number."""

    def run(settings: CameraSettings, before: Callable[[int], None] = lambda _: None) -> StreamRecord:
        class Slow(tiny_module.Tiny):  # type: ignore[name-defined,misc]
            passes = 0

            def forward(self, inputs: Any) -> Any:
                if self.passes:
                    before(self.passes)
                    time.sleep(FORWARD_S)
                self.passes += 1
                return super().forward(inputs)

        clips = tuple(load_clips(str(videos), vocabulary=[]))
        job = Job(
            "stream", "slow", {}, LoadOptions(threads=1), 400, tiny_module.VIEWS, clips, settings=settings
        )
        model = tiny_module.tiny()
        network = StreamNetwork(("rgb",), Slow(fragile=False))
        loaded = Loaded(model, (network,), Preparer({"rgb": tiny_module.PIXELS}, tiny_module.VIEWS))
        measured: list[Mapping[str, Any]] = []

        def send(event: Event) -> None:
            if isinstance(event, Measured):
                measured.append(event.values)

        measure_stream(job, loaded, send)
        (values,) = measured
        record: StreamRecord = record_of("stream", Measured(values), "slow", process=0)
        return record

    return run


def cameras(number: int) -> CameraSettings:
    return CameraSettings(FOUR.fps, FOUR.window, FOUR.stride, FOUR.seconds, number, decoding=True)


def test_cameras_are_served_in_turn_as_long_as_the_network_has_time(watch: Watch) -> None:
    """Three cameras' windows are complete at once; they take 0.15 of the 0.2 s: one waits 0.05, one 0.1 s."""
    # A machine that does something else for a quarter of a second in between loses labels.
    record = next((each for each in (watch(cameras(3)) for _ in range(5)) if keeps_up(each)), None)
    assert record is not None
    assert (record.cameras, record.frames, record.due) == (3, 3 * 44, 3 * 11)
    assert [(each.labels, each.dropped) for each in record.served] == 3 * [(11, 0)]
    ages = sorted(np.median(np.reshape(record.age_s, (3, 11)), axis=1))
    assert all(age >= least for age, least in zip(ages, (0.05, 0.09, 0.13), strict=True))
    assert record.stages_s.keys() == {"decode", "resize"}
    assert record.frame_s >= record.stages_s["decode"] > 0
    assert (record.preparing_threads, record.resident_bytes is not None) == (3, True)


def test_too_many_cameras_are_all_served_less_often(watch: Watch) -> None:
    """Six cameras' labels take 0.3 of every 0.2 s: two thirds of them are computed, of every camera."""
    record = watch(cameras(6))
    assert not keeps_up(record)
    assert len(record.age_s) * FORWARD_S <= record.wall_s
    counts = [each.labels for each in record.served]
    assert max(counts) - min(counts) <= 2, "none is served at the cost of another one"
    assert least_answered(record) == min(counts) / 11
    assert record.forward_s is not None
    assert record.forward_s >= FORWARD_S


def test_what_the_threads_waited_for_a_core_is_counted(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the threads that there are when it is asked: those of the cameras and the network are among them."""
    alive: list[int] = []

    def threads() -> float:
        alive.append(threading.active_count())
        return 0.0

    monkeypatch.setattr("actionbench.preprocessing.stopwatch.waited_s", threads)
    watch(CameraSettings(FOUR.fps, FOUR.window, FOUR.stride, seconds=0.4, cameras=2, decoding=True))
    before, after = alive
    assert after - before == 2 + 1


def test_one_camera_has_its_frames_decoded_beforehand(watch: Watch) -> None:
    record = watch(CameraSettings(FOUR.fps, FOUR.window, FOUR.stride, seconds=0.4))
    assert (record.cameras, record.served, record.due) == (1, (), 3)
    assert record.stages_s.keys() == {"resize"}


def test_an_error_of_the_network_ends_all_cameras(watch: Watch) -> None:
    def fail(number: int) -> None:
        raise ArithmeticError(f"pass {number}")

    begin = time.perf_counter()
    with pytest.raises(ArithmeticError, match="pass 1"):
        watch(cameras(2), fail)
    assert time.perf_counter() - begin < FOUR.seconds


def test_a_video_that_vanishes_ends_the_measurement(watch: Watch, videos: Path) -> None:
    def remove(_: int) -> None:
        shutil.rmtree(videos, ignore_errors=True)

    with pytest.raises(ClipError, match="does not exist"):
        watch(cameras(2), remove)

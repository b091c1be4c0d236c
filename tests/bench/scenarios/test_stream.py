"""Several cameras and one network whose time is known, in real time."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
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
from actionbench.models.detectors.detector import Boxes
from actionbench.models.detectors.registry import ChosenDetector
from actionbench.models.spec import LoadOptions
from actionbench.preprocessing.preparer import Preparer
from actionbench.records.scenarios.stream import STREAM, StreamRecord, keeps_up, least_answered

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


@pytest.mark.slow
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


class Standing:
    """A detector that finds persons who stand side by side: as many as `persons` says of its next look.

    Of one camera of FOUR.fps, look 0 is that of warming up, and look n is at frame 2 · (n - 1).
    """

    def __init__(self, persons: Callable[[int], int], pause: Callable[[int], float] = lambda _: 0.0) -> None:
        self._persons, self._pause, self._looks = persons, pause, 0

    def detect(self, frame: np.ndarray) -> Boxes:
        number, self._looks = self._persons(self._looks), self._looks + 1
        time.sleep(self._pause(self._looks - 1))
        height, width = frame.shape[:2]
        corners = [[n * width / 8, 0, (n + 1) * width / 8, height] for n in range(number)]
        return Boxes(np.array(corners, np.float32).reshape(-1, 4), np.ones(number, np.float32))

    def describe(self) -> dict[str, Any]:
        return {"detector": "standing"}


@pytest.fixture
def watch_persons(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> Callable[..., StreamRecord]:
    """The same with a detector; frames are decoded beforehand, unless there are several cameras."""

    def run(detector: Standing, cameras: int = 1) -> StreamRecord:
        monkeypatch.setattr("actionbench.bench.scenarios.stream.load_detector", lambda *_, **__: detector)
        people = ChosenDetector("standing")
        return watch(replace(FOUR, cameras=cameras, decoding=cameras > 1, people=people))

    return run


def test_a_label_of_each_person_is_due_at_each_stride(watch_persons: Callable[..., StreamRecord]) -> None:
    """Persons count from their third look on, that of frame 4: of the 11 strides, which end with frames 3, 7,
    …, 43, the first one has nobody. Three labels take 0.15 of the 0.2 s."""
    tries = (watch_persons(Standing(lambda _: 3, pause=lambda _: 0.01)) for _ in range(5))
    record = next((each for each in tries if keeps_up(each)), None)
    assert record is not None
    assert (record.persons, record.due, len(record.age_s)) == ((0,) + 10 * (3,), 30, 30)
    # No further than 0.05 s apart: the three windows of a stride are complete at once.
    ages = np.sort(np.reshape(record.age_s, (10, 3)), axis=1)
    assert (np.median(ages, axis=0) >= (0.05, 0.10, 0.15)).all()
    assert STREAM.metric("labels_per_s").value(record) == pytest.approx(3 * 10 / 11 * 20 / 4)
    # The mean: persons are looked for, for 0.01 s, in 22 of the 44 frames.
    assert record.stages_s.keys() == {"people", "resize"}
    assert record.stages_s["people"] >= 0.005
    assert record.frame_s >= sum(record.stages_s.values())


@pytest.mark.slow
def test_too_many_persons_are_all_labelled_less_often(watch_persons: Callable[..., StreamRecord]) -> None:
    """Six labels take 0.3 of every 0.2 s. In the 1.8 s from the first window to the last one the network
    computes 36 of the 60, and then the six that wait."""
    record = watch_persons(Standing(lambda _: 6))
    assert (record.due, keeps_up(record)) == (60, False)
    assert len(record.age_s) <= 36 + 6 + 1


def test_a_person_who_leaves_is_due_as_long_as_they_are_followed(
    watch_persons: Callable[..., StreamRecord],
) -> None:
    """The second person is not found from the look at frame 12 on, and is given up at the 11th such look,
    that of frame 32: at the strides that end with frames 7 to 31 two labels are due, later one."""
    # On a machine that does something else for a second, frames are lost, and looks are at later ones.
    tries = (watch_persons(Standing(lambda look: 2 if look < 7 else 1)) for _ in range(5))
    record = next((each for each in tries if not each.dropped), None)
    assert record is not None
    assert record.persons == (0,) + 7 * (2,) + 3 * (1,)
    assert record.due == 7 * 2 + 3


def test_nobody_in_the_picture_is_no_pass(watch_persons: Callable[..., StreamRecord]) -> None:
    record = watch_persons(Standing(lambda _: 0))
    assert (record.persons, record.due, record.age_s, record.forward_s) == (11 * (0,), 0, (), None)
    assert keeps_up(record) is None
    assert STREAM.metric("labels_per_s").value(record) is None
    first, *_ = STREAM.remarks(record)
    assert first.startswith("nobody was found: no label was due (clip ")


def test_labels_of_lost_frames_are_due_all_the_same(watch_persons: Callable[..., StreamRecord]) -> None:
    """One look, at frame 8, takes 1.7 s: of the 34 frames of that time the buffer holds 20."""
    record = watch_persons(Standing(lambda _: 1, pause=lambda look: 1.7 * (look == 5)))
    assert record.dropped >= 10
    assert (record.persons, record.due) == ((0,) + 10 * (1,), 10)
    assert len(record.age_s) < 10
    assert keeps_up(record) is False


def test_each_camera_is_judged_by_its_own_due_labels(watch_persons: Callable[..., StreamRecord]) -> None:
    record = watch_persons(Standing(lambda _: 1), cameras=2)
    assert len(record.persons) == 2 * 11
    assert [each.due for each in record.served] == [10, 10]
    assert record.due == 20
    assert record.stages_s.keys() == {"decode", "people", "resize"}


def test_more_persons_than_are_recognised_are_told(watch_persons: Callable[..., StreamRecord]) -> None:
    record = watch_persons(Standing(lambda _: 10))
    assert (max(record.persons), record.due) == (10, 80)
    assert "10 persons were in the picture, of whom 8 were recognised" in record.notes

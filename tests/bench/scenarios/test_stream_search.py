"""The searches of `--find-peak` and `--streams` with a network whose time is known, and no process."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from actionbench.bench.console.progress import Console
from actionbench.bench.plan.config import RunConfig
from actionbench.bench.plan.plan import Plan, make_plan
from actionbench.bench.runner import planned_run
from actionbench.bench.scenarios import stream_search
from actionbench.bench.scenarios.camera import due_windows
from actionbench.bench.scenarios.stream import CameraSettings
from actionbench.bench.scenarios.stream_search import search_pass
from actionbench.bench.worker.events import Measured
from actionbench.bench.worker.job import Job
from actionbench.bench.worker.supervisor import Outcome
from actionbench.records.run_directory import RunWriter
from actionbench.reports.analysis.load_runs import merge, read_run
from actionbench.reports.analysis.summary import summarise
from actionbench.reports.tables.stream_peaks import stream_peaks

from ..conftest import NETWORKS

FORWARD_S = 0.085


def ages(due: int, stride_s: float, forward_s: float) -> list[float]:
    """Of windows that are due every `stride_s`: the newest one waits while another is in the network."""
    found: list[float] = []
    now, last = 0.0, -1
    while True:
        window = max(min(int(now / stride_s), due - 1), last + 1)
        if window >= due:
            return found
        now = max(now, window * stride_s) + forward_s
        found.append(now - window * stride_s)
        last = window


def ages_of_cameras(cameras: int, due: int, stride_s: float, forward_s: float) -> list[list[float]]:
    """The same of cameras that begin at the same time and take turns; of each the newest window waits."""
    found: list[list[float]] = [[] for _ in range(cameras)]
    last, served, now = [-1] * cameras, [-1.0] * cameras, 0.0
    while True:
        newest = min(int(now / stride_s + 1e-9), due - 1)
        waiting = [camera for camera in range(cameras) if last[camera] < newest]
        if not waiting:
            if newest == due - 1:
                return found
            now = (newest + 1) * stride_s
            continue
        camera = min(waiting, key=lambda each: served[each])
        last[camera], served[camera] = newest, now
        now += forward_s
        found[camera].append(now - newest * stride_s)


class FakeWorker:
    """A process whose network takes `FORWARD_S`; it fails at the trials that `failing` counts.

    `persons`: in each camera's picture all the time; None: nobody is looked for.
    """

    started = 0
    failing: tuple[int, ...] = ()
    persons: int | None = None

    def __init__(self, job: Job, *_: object) -> None:
        self.camera: CameraSettings = job.settings

    def events(self, outcome: Outcome) -> Iterator[Measured]:
        FakeWorker.started += 1
        if FakeWorker.started in FakeWorker.failing:
            outcome.failed = "the process was killed"
            return
        camera, fps = self.camera, float(self.camera.fps)
        frames = int(camera.seconds * fps) + camera.window
        due = due_windows(frames, camera.window, camera.stride)
        of_each = [ages(due, camera.stride / fps, FORWARD_S)]
        if camera.cameras > 1:
            of_each = ages_of_cameras(camera.cameras, due, camera.stride / fps, FORWARD_S)
        if self.persons is not None:
            of_each = ages_of_cameras(self.persons, due, camera.stride / fps, FORWARD_S)
        values: dict[str, Any] = {
            "clip": "a",
            "fps": fps,
            "window": camera.window,
            "stride": camera.stride,
            "frames": camera.cameras * frames,
            "dropped": 0,
            "due": camera.cameras * due,
            "age_s": [age for each in of_each for age in each],
            "frame_s": 0.001,
            "forward_s": FORWARD_S,
            "preparing_threads": 1,
            "network_threads": 1,
            "wall_s": frames / fps,
            "cpu_s": 1.5 * frames / fps,
            "cameras": camera.cameras,
            "resident_bytes": 500_000_000 + 64_000_000 * camera.cameras,
        }
        if camera.cameras > 1:
            values["served"] = [{"labels": len(each), "dropped": 0} for each in of_each]
        if self.persons is not None:
            values |= {"due": self.persons * due, "persons": due * [self.persons]}
        yield Measured(values)


@pytest.fixture
def plan(coloured_videos: Callable[[list[int], int], Path], monkeypatch: pytest.MonkeyPatch) -> Plan:
    monkeypatch.setattr(stream_search, "Worker", FakeWorker)
    monkeypatch.setattr(FakeWorker, "started", 0)
    return make_plan(
        RunConfig(
            models=(f"{NETWORKS}:tiny",),
            data=str(coloured_videos([39], 1)),
            weights={"*": "random"},
            scenarios=("stream",),
            find_peak=True,
        )
    )


def carry_out(plan: Plan, out: Path) -> dict[str, str]:
    with RunWriter(out, None if out.exists() else planned_run(plan)) as writer:
        return search_pass(plan.models, plan.clips.clips, plan.config, writer, Console())


def test_a_network_with_a_known_time(plan: Plan, tmp_path: Path) -> None:
    """85 ms are 2.1 frames at 25 frames/s and 2.6 at 30; at stride 8 they suffice for 94 frames/s."""
    out = tmp_path / "run"
    assert carry_out(plan, out) == {}
    summary = summarise(merge([read_run(out)]))
    strides = [(1, False), (2, False), (4, True), (3, True)]
    rates = [(25, True), (50, True), (100, False), (75, True), (87, True), (93, True), (96, False)]
    trials = read_run(out).stream_trials
    assert [(t.measured.fps, t.measured.stride, t.passed) for t in trials] == [
        *((25, *each) for each in strides),
        *((30, *each) for each in strides),
        *((fps, 8, passed) for fps, passed in rates),
    ]
    at_25, at_30, fastest = summary.models[0].stream_peaks
    assert at_25.kept_up is not None
    assert at_25.kept_up.age_s == pytest.approx([0.085] * len(at_25.kept_up.age_s))
    assert all(peak.ended for peak in (at_25, at_30, fastest))
    notes = stream_peaks(summary).notes
    assert notes[0] == (
        "tiny: can be deployed at 25 frames/s with a label every 3 frames, 85.0 ms old in the median and "
        "85.0 ms at most; it does not keep up with a label every 2 frames."
    )
    assert notes[2] == (
        "tiny: with a label every 8 frames, it keeps up with 93 frames/s, the labels 85.0 ms old in the "
        "median and 85.0 ms at most; it does not keep up with 96."
    )


def test_a_search_goes_on_where_it_was_interrupted(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    monkeypatch.setattr(FakeWorker, "failing", (4,))
    assert carry_out(plan, out) == {"tiny": "search: the process was killed"}
    unfinished = read_run(out)
    assert [t.measured.stride for t in unfinished.stream_trials] == [1, 2, 4]
    summary = summarise(merge([unfinished]))
    (peak,) = summary.models[0].stream_peaks
    assert not peak.ended
    assert stream_peaks(summary).notes[0].endswith("a label every 2 frames; the search is not finished.")

    with (out / "stream_trials.jsonl").open("ab") as file:
        file.write(b'{"torn')
    assert carry_out(plan, out) == {}
    again = read_run(out)
    assert again.stream_trials[:3] == unfinished.stream_trials
    assert len(again.stream_trials) == FakeWorker.started - 1 == 15
    assert all(peak.ended for peak in summarise(merge([again])).models[0].stream_peaks)
    assert carry_out(plan, out) == {}
    assert FakeWorker.started == 16, "nothing is tried again"


def test_as_many_cameras_as_the_network_has_time_for(plan: Plan, tmp_path: Path) -> None:
    """A label takes 85 ms and is due every 320 ms: of 3 cameras they take 255 ms, of 4 cameras 340.

    In the 10 s and one window of a trial the network computes 118 labels, and 4 more when the cameras have
    ended: of the 4 · 32 that are due, 95 %.
    """
    out = tmp_path / "run"
    cameras = replace(plan, config=replace(plan.config, find_peak=False, streams=True))
    assert carry_out(cameras, out) == {}
    run = read_run(out)
    assert [(t.search, t.measured.cameras, t.passed) for t in run.stream_trials] == [
        ("cameras", 1, True),
        ("cameras", 2, True),
        ("cameras", 4, False),
        ("cameras", 3, True),
    ]
    assert all((t.measured.fps, t.measured.stride) == (25, 8) for t in run.stream_trials)
    sentence = stream_peaks(summarise(merge([run]))).notes[0]
    assert sentence == (
        "tiny: serves 3 cameras at 25 frames/s with a label every 8 frames on this machine, the labels 170 "
        "ms old in the median and 255 ms at most; with 4, the camera that was served worst had only 93.7 % "
        "of its due labels computed (1.50 cores busy)."
    )
    assert carry_out(cameras, out) == {}
    assert FakeWorker.started == 4, "nothing is tried again"


def test_no_camera_is_served(plan: Plan, tmp_path: Path) -> None:
    """A label is due every 40 ms."""
    out = tmp_path / "run"
    cameras = replace(plan, config=replace(plan.config, find_peak=False, streams=True, stride=1))
    assert carry_out(cameras, out) == {}
    table = stream_peaks(summarise(merge([read_run(out)])))
    assert re.fullmatch(
        r"tiny: serves no camera at 25 frames/s with a label for every frame: with 1, the camera had only "
        r"47\.\d % of its due labels computed \(1\.50 cores busy\)\.",
        table.notes[0],
    )
    assert FakeWorker.started == 1


def test_two_persons_halve_the_rate(plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two labels take 170 ms: at stride 8 they suffice for 47 frames/s, and stride 4, the longest one, is 160
    ms at 25."""
    monkeypatch.setattr(FakeWorker, "persons", 2)
    out = tmp_path / "run"
    assert carry_out(plan, out) == {}
    summary = summarise(merge([read_run(out)]))
    at_25, _, fastest = summary.models[0].stream_peaks
    assert at_25.kept_up is None
    assert fastest.kept_up is not None
    assert 45 <= fastest.kept_up.fps <= 48
    sentence = stream_peaks(summary).notes[2]
    assert "ms at most, with 2 persons in the picture in the median and 2 at most; it does not" in sentence


def test_a_search_ends_where_nobody_is_found(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeWorker, "persons", 0)
    out = tmp_path / "run"
    assert carry_out(plan, out) == {}
    assert [(t.measured.fps, t.passed) for t in read_run(out).stream_trials] == [
        (25, None),
        (30, None),
        (25, None),
    ]
    assert carry_out(plan, out) == {}
    assert FakeWorker.started == 3, "nothing is tried again"
    notes = stream_peaks(summarise(merge([read_run(out)]))).notes
    assert all("nobody was found: no label was due (clip a), which ended the search." in n for n in notes[:3])

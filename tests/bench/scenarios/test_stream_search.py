"""The searches of `--find-peak` with a network whose time is known, and no process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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


class FakeWorker:
    """A process whose network takes `FORWARD_S`; it fails at the trials that `failing` counts."""

    started = 0
    failing: tuple[int, ...] = ()

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
        values: dict[str, Any] = {
            "clip": "a",
            "fps": fps,
            "window": camera.window,
            "stride": camera.stride,
            "frames": frames,
            "dropped": 0,
            "due": due,
            "age_s": ages(due, camera.stride / fps, FORWARD_S),
            "frame_s": 0.001,
            "forward_s": FORWARD_S,
            "preparing_threads": 1,
            "network_threads": 1,
            "wall_s": frames / fps,
            "cpu_s": 1.0,
        }
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
    assert carry_out(plan, out) == {"tiny": "find peak: the process was killed"}
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

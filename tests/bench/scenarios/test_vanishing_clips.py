"""Videos that become unreadable while they are timed, as on a network share that is lost: the run ends."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from actionbench.bench.cli.app import run_app
from actionbench.bench.scenarios.latency import LatencySettings, measure_latency
from actionbench.bench.scenarios.scenario import Loaded
from actionbench.bench.scenarios.stream_networks import StreamNetwork
from actionbench.bench.scenarios.throughput import ThroughputSettings, measure_throughput
from actionbench.bench.worker.events import ClipFailed, Event, Measured
from actionbench.bench.worker.job import Job
from actionbench.datasets.sources.registry import load_clips
from actionbench.datasets.video.reader import read_frames
from actionbench.errors import ClipError, MeasurementError
from actionbench.models.spec import LoadOptions
from actionbench.preprocessing.preparer import Preparer
from actionbench.records.run_directory import RunDirectory

from ..conftest import NETWORKS

pytestmark = pytest.mark.usefixtures("no_pictures")

Videos = Callable[[list[int], int], Path]


class Recorder:
    """Events of a worker. Fails where far more clips are tried in vain than a round has."""

    def __init__(self) -> None:
        self.kinds: Counter[type[Event]] = Counter()

    def __call__(self, event: Event) -> None:
        self.kinds[type(event)] += 1
        assert self.kinds[ClipFailed] < 20, "the worker tries unreadable clips again and again"


@pytest.fixture
def measure(coloured_videos: Videos, tiny_module: ModuleType) -> Callable[..., None]:
    """Function that measures two videos with a network during whose `forwards`-th pass they vanish."""
    folder = coloured_videos([40, 41], 1)

    def run(work: Callable[..., None], events: Recorder, settings: Any, forwards: int) -> None:
        class Vanishing(tiny_module.Tiny):  # type: ignore[name-defined,misc]
            left = forwards

            def forward(self, inputs: Any) -> Any:
                self.left -= 1
                if self.left == 0:
                    shutil.rmtree(folder)
                return super().forward(inputs)

        model = tiny_module.tiny()
        clips = tuple(load_clips(str(folder), vocabulary=()).clips)
        if forwards == 0:
            shutil.rmtree(folder)
        preparer = Preparer({"rgb": tiny_module.PIXELS}, model.views)
        job = Job(
            "latency", "vanishing", {}, LoadOptions(threads=1), 400, model.views, clips, settings=settings
        )
        work(job, Loaded(model, (StreamNetwork(("rgb",), Vanishing(fragile=False)),), preparer), events)

    return run


@pytest.mark.parametrize(
    ("busy", "measured", "failed"),
    [
        pytest.param(False, 4, 2, id="at the end of a round"),
        pytest.param(False, 3, 3, id="within a round"),
        pytest.param(True, 3, 4, id="a disturbed sample is taken again in vain"),
    ],
)
def test_latency_ends_after_a_round_without_a_sample(
    measure: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    busy: bool,
    measured: int,
    failed: int,
) -> None:
    """Whether samples are disturbed is given: the machine's own load would change the numbers.

    Each of the two videos is tried once a round, and again if its sample was disturbed; the last round has no
    sample. A sample takes two forward passes, one a view, after as many that warm the network up.
    """
    monkeypatch.setattr("actionbench.bench.scenarios.latency.is_disturbed", lambda _: busy)
    events = Recorder()
    ended = f"any more, after {measured} timed videos: .*file does not exist"
    with pytest.raises(MeasurementError, match=ended):
        measure(measure_latency, events, LatencySettings(1e9), forwards=2 + 2 * measured)
    assert events.kinds[Measured] == measured
    assert events.kinds[ClipFailed] == failed


@pytest.mark.parametrize("in_flight", [1, 3])
def test_throughput_and_pipelined_end(measure: Callable[..., None], in_flight: int) -> None:
    events = Recorder()
    settings = ThroughputSettings(1e9, threads=2, in_flight=in_flight)
    with pytest.raises(MeasurementError, match=r"any more, after \d+ timed videos: .*file does not exist"):
        measure(measure_throughput, events, settings, forwards=30)
    assert events.kinds[Measured] == 0


@pytest.mark.parametrize(
    ("work", "settings"),
    [(measure_latency, LatencySettings(1e9)), (measure_throughput, ThroughputSettings(1e9))],
)
def test_clips_that_never_could_be_used_end_it_with_their_reason(
    measure: Callable[..., None], work: Callable[..., None], settings: object
) -> None:
    with pytest.raises(MeasurementError, match=r"no clip could be timed: .*file does not exist"):
        measure(work, Recorder(), settings, forwards=0)


def test_a_clip_that_vanishes_while_it_is_opened_is_the_clips_error(
    coloured_videos: Videos, monkeypatch: pytest.MonkeyPatch
) -> None:
    (clip,) = load_clips(str(coloured_videos([45], 1)), vocabulary=()).clips
    monkeypatch.setattr("actionbench.datasets.video.reader.require_file", Path.unlink)
    with pytest.raises(ClipError, match="file does not exist"):
        read_frames(clip)


def test_a_share_that_answers_with_an_error_is_the_clips_error(
    coloured_videos: Videos, monkeypatch: pytest.MonkeyPatch
) -> None:
    (clip,) = load_clips(str(coloured_videos([42], 1)), vocabulary=()).clips

    def stale(*_: object, **__: object) -> None:
        raise OSError(116, "Stale file handle")

    monkeypatch.setattr(type(clip.path), "stat", stale)
    with pytest.raises(ClipError, match="file cannot be read; found Stale file handle"):
        read_frames(clip)


def test_a_run_keeps_what_it_measured_says_why_it_ended_and_can_be_resumed(
    bench_process: Callable[..., subprocess.CompletedProcess[str]], coloured_videos: Videos, tmp_path: Path
) -> None:
    data, out = coloured_videos([43, 44], 1), tmp_path / "run"
    kept = shutil.copytree(data, tmp_path / "kept")
    options = ("--weights", "random", "--threads", 1, "--processes", 1, "--latency-seconds", 0.5)
    answer = bench_process(
        *("run", "--models", f"{NETWORKS}:vanishing", "--data", data, "--out", out, "--no-report", *options),
        timeout=60,
        TINY_VANISHES=str(data),
    )
    assert answer.returncode == 2, answer.stderr
    assert "no clip can be read any more" in answer.stderr
    (process,) = RunDirectory(out).processes("latency")
    assert process.error is not None
    samples = RunDirectory(out).samples("latency")
    assert samples
    assert RunDirectory(out).run.state == "incomplete"

    shutil.copytree(kept, data, dirs_exist_ok=True)
    assert run_app(["run", "--resume", str(out)]) == 0
    assert RunDirectory(out).samples("latency")[: len(samples)] == samples
    assert [p.error is None for p in RunDirectory(out).processes("latency")] == [False, True]

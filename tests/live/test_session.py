"""Live sessions of fake sources, networks and outputs: ages, drops and strides as computed by hand."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actionbench.errors import ClipError, MeasurementError
from actionbench.live import session as session_module
from actionbench.live.capture.picture import Picture, SourceLost
from actionbench.live.capture.source import Source, parse_source
from actionbench.live.decision import Decision
from actionbench.live.events import ActionEvent
from actionbench.live.frame import Frame
from actionbench.live.measurements import Measurements, SessionSummary
from actionbench.live.outputs.output import Shown
from actionbench.live.preparation import Preparation
from actionbench.live.recognition import Recognised
from actionbench.live.session import SessionSettings, run_session
from actionbench.preprocessing.preparer import Preparer, View

from .waiting import wait_until

CAMERA = Source("camera", "0", "camera 0")
FILE = Source("file", "/walk.mp4", "walk.mp4")
LABELS = ("walking", "falling")
EVEN = np.array([0.5, 0.5], np.float32)


class EveryAnswer:
    """A decider with an event for each answer."""

    no_action = "never"

    def __init__(self) -> None:
        self.answers: list[Recognised] = []

    def update(self, recognised: Recognised) -> Decision:
        self.answers.append(recognised)
        best = int(recognised.probabilities.argmax())
        event = action("update", recognised.end_s)
        return Decision(
            LABELS[best], float(recognised.probabilities[best]), recognised.probabilities, (event,)
        )

    def finish(self, time_s: float) -> tuple[ActionEvent, ...]:
        return (action("end", time_s),)


def action(state: Any, end_s: float) -> ActionEvent:
    return ActionEvent("1", state, "falling", 0.0, end_s, 0.5, 0.0, end_s, 0.0, 4, 2, 25.0, "fake", "now")


class Recorder:
    """An output that keeps what it is given. `fails_at`: number of the frame at which it raises."""

    def __init__(self, fails_at: int | None = None, wait: Callable[[], object] = lambda: None) -> None:
        self.frames: list[tuple[int, Shown]] = []
        self.events: list[ActionEvent] = []
        self.closed = 0
        self._fails_at, self._wait = fails_at, wait

    def frame(self, frame: Frame, shown: Shown) -> None:
        self._wait()
        if frame.number == self._fails_at:
            raise OSError("disk full")
        self.frames.append((frame.number, shown))

    def event(self, event: ActionEvent) -> None:
        self.events.append(event)

    def close(self) -> None:
        self.closed += 1


def pictures(number: int, fps: float = 25) -> Iterator[Picture]:
    for n in range(number):
        yield Picture(np.full((16, 16, 3), n, np.uint8), n / fps, 1 / fps, 0.0)


class Run:
    """A session with its parts."""

    def __init__(self, preparer: Preparer, **settings: Any) -> None:
        self.preparer = preparer
        self.settings = SessionSettings(**{"window": 4, "rate": Fraction(25), "stride": 2, **settings})
        self.measured = Measurements(self.settings.stride)
        self.stop = threading.Event()
        self.decider = EveryAnswer()
        self.said: list[str] = []

    def __call__(
        self,
        source: Source,
        read: Callable[[], Iterator[Picture]],
        network: Callable[[View], np.ndarray],
        *outputs: Recorder,
        clock: Callable[[], float] = time.monotonic,
    ) -> SessionSummary:
        return run_session(
            source,
            network,
            self.preparer,
            LABELS,
            self.settings,
            outputs,
            self.measured,
            self.stop,
            decider=self.decider,  # type: ignore[arg-type]
            say=self.said.append,
            read=lambda *_: read(),
            clock=clock,
        )


@pytest.fixture(autouse=True)
def _short_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "TICK_S", 0.02)


def test_ages_drops_and_strides_of_a_slow_network(preparer: Preparer) -> None:
    """Labels are due at frames 3, 5, 7, 9, 11, a frame being 0.04 s. The network takes the first window when
    frame 3 is there (0.12 s) and answers at 0.60 s; meanwhile each window replaces the one before it, so that
    the next is that of frame 11 (0.44 s), answered at 0.75 s."""
    run = Run(preparer)
    now = 0.0
    taken, go = threading.Event(), threading.Event()

    def network(view: View) -> np.ndarray:
        nonlocal now
        assert view["rgb"].shape == (4, 16, 16, 3)
        if not taken.is_set():
            taken.set()
            assert go.wait(5)
        else:
            now = 0.75
        return EVEN

    def read() -> Iterator[Picture]:
        nonlocal now
        for n, picture in enumerate(pictures(12)):
            if n == 4:
                assert taken.wait(5)
            now = n / 25
            yield picture
        wait_until(lambda: run.measured.status().processed == 12)
        now = 0.60
        go.set()
        wait_until(lambda: run.measured.status().labels == 2)
        run.stop.set()

    output = Recorder()
    summary = run(CAMERA, read, network, output, clock=lambda: now)
    assert [round(each.age_s, 6) for each in run.decider.answers] == [0.48, 0.31]
    assert [(each.start_s, each.end_s) for each in run.decider.answers] == [(0, 0.12), (8 / 25, 11 / 25)]
    assert [each.rate for each in run.decider.answers] == [25, 25]
    # 0.48 s are 6 strides of 0.08 s, 0.15 s are 2: twice in a row the network needed 2 of them at least.
    assert run.measured.status().stride == 4
    assert [each.stride for each in run.decider.answers] == [2, 2], "as in effect when they were asked for"
    assert (summary.captured, summary.processed, summary.labels) == (12, 12, 2)
    assert (summary.late, summary.dropped, summary.unshown) == (3, 0, 0)
    assert summary.age_p50_s == pytest.approx(0.31, rel=0.011)
    assert summary.age_p95_s is None
    assert [number for number, _ in output.frames] == list(range(12))
    assert [event.state for event in output.events] == ["update", "update", "end"]
    assert output.closed == 1


def test_frames_that_preparation_is_too_slow_for_are_dropped_and_counted(
    preparer: Preparer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """12 frames, half a second, may wait: of 40 that come while the first is prepared, 27 are lost."""
    run = Run(preparer)
    entered, go = threading.Event(), threading.Event()
    original = Preparation.add

    def add(self: Any, frame: Frame, multiple: int) -> Any:
        entered.set()
        assert go.wait(5)
        return original(self, frame, multiple)

    monkeypatch.setattr(Preparation, "add", add)

    def read() -> Iterator[Picture]:
        for n, picture in enumerate(pictures(40)):
            if n == 1:
                assert entered.wait(5)
            yield picture
        assert run.measured.status().queues["preparation"] == 12
        go.set()
        wait_until(lambda: run.measured.status().labels > 0)
        run.stop.set()

    summary = run(CAMERA, read, lambda _: EVEN)
    assert (summary.captured, summary.dropped) == (40, 27)
    assert not run.measured.status().keeps_up
    # Frame 0, and those from 28 on: as the hole is longer than a window, the window begins anew behind it.
    assert summary.processed == 13
    assert run.decider.answers[0].start_s >= 28 / 25
    assert {each.rate for each in run.decider.answers} == {25}


def test_as_fast_as_possible_nothing_is_dropped_and_each_frame_has_its_label(preparer: Preparer) -> None:
    run = Run(preparer, lossless=True, stride=3)

    def network(view: View) -> np.ndarray:
        time.sleep(0.002)
        falling = float(view["rgb"][-1].mean() * 255 > 29.5)
        return np.array([1 - falling, falling], np.float32)

    output = Recorder(wait=lambda: time.sleep(0.001))
    summary = run(FILE, lambda: pictures(60), network, output)
    assert (summary.captured, summary.processed, summary.labels) == (60, 60, 19)
    assert (summary.dropped, summary.late, summary.unshown) == (0, 0, 0)
    assert [number for number, _ in output.frames] == list(range(60))
    labels = [None if shown.decision is None else shown.decision.label for _, shown in output.frames]
    # Windows end at frames 3, 6, …, 57; frame 30 is the first bright one.
    assert labels == [None] * 3 + ["walking"] * 27 + ["falling"] * 30
    assert output.frames[-1][1].top == (("falling", 1.0), ("walking", 0.0))
    assert [event.end_s for event in output.events[:-1]] == [n / 25 for n in range(3, 60, 3)]


def test_a_network_that_raises_once_is_reported_and_goes_on(preparer: Preparer) -> None:
    run, calls = Run(preparer, lossless=True), []

    def network(view: View) -> np.ndarray:
        calls.append(view)
        if len(calls) == 2:
            raise ValueError("out of\x1b[2J luck")
        return EVEN

    output = Recorder()
    summary = run(FILE, lambda: pictures(20), network, output)
    assert len(calls) == 9
    assert summary.labels == 8
    assert run.said == ["the network failed: out of�[2J luck"]
    assert run.measured.status().caveats == ()
    assert output.closed == 1


@pytest.mark.parametrize("lossless", [True, False])
def test_a_network_that_always_raises_ends_the_session_with_its_files_closed(
    preparer: Preparer, lossless: bool
) -> None:
    run, output = Run(preparer, lossless=lossless, stride=1), Recorder()

    def read() -> Iterator[Picture]:
        for picture in pictures(2000):
            if run.stop.is_set():
                return
            time.sleep(0.0 if lossless else 0.001)
            yield picture

    with pytest.raises(MeasurementError, match="the network failed: no luck, 5 times in a row"):
        run(
            FILE if lossless else CAMERA, read, lambda _: (_ for _ in ()).throw(ValueError("no luck")), output
        )
    assert output.closed == 1
    assert len(run.said) == 5


def test_a_network_that_does_not_answer_ends_the_session(
    preparer: Preparer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "ENDING_S", 0.05)
    run, output, over = Run(preparer, stall_s=0.1), Recorder(), threading.Event()

    def read() -> Iterator[Picture]:
        yield from pictures(10)
        over.wait(5)

    def network(_: View) -> np.ndarray:
        over.wait(5)
        return EVEN

    with pytest.raises(MeasurementError, match=r"no answer of the network for 0\.1 s"):
        run(CAMERA, read, network, output)
    over.set()
    assert output.closed == 1


def test_an_output_that_raises_is_closed_and_the_others_go_on(preparer: Preparer) -> None:
    run, broken, whole = Run(preparer, lossless=True), Recorder(fails_at=7), Recorder()
    summary = run(FILE, lambda: pictures(30), lambda _: EVEN, broken, whole)
    assert summary.labels == 14
    assert [number for number, _ in broken.frames] == list(range(7))
    assert [number for number, _ in whole.frames] == list(range(30))
    assert (broken.closed, whole.closed) == (1, 1)
    assert run.said == ["the output Recorder failed and gets nothing more: disk full"]
    assert "disk full" in run.measured.status().caveats[0]


def test_a_slow_output_loses_frames_but_no_event_and_delays_no_label(preparer: Preparer) -> None:
    run, go = Run(preparer), threading.Event()
    output = Recorder(wait=lambda: go.wait(5))

    def read() -> Iterator[Picture]:
        for n, picture in enumerate(pictures(60)):
            yield picture
            wait_until(lambda: run.measured.status().processed == n + 1)  # noqa: B023  called at once
            if n >= 3 and n % 2:
                wait_until(lambda: run.measured.status().labels == n // 2)  # noqa: B023
        run.stop.set()
        go.set()

    summary = run(CAMERA, read, lambda _: EVEN, output)
    assert summary.labels == 29
    assert len(output.events) == 30, "and the last one, of the end"
    assert [event.end_s for event in output.events] == sorted(event.end_s or 0 for event in output.events)
    assert summary.unshown == 60 - len(output.frames) > 0
    assert output.closed == 1


def test_a_label_from_before_an_interruption_is_not_shown_after_it(
    preparer: Preparer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actionbench.live.capture.capture.FIRST_WAIT_S", 0.01)
    run, output, opened = Run(preparer, lossless=True), Recorder(), iter((1, 2))

    def read() -> Iterator[Picture]:
        yield from pictures(10)
        if next(opened) == 2:
            run.stop.set()
        raise SourceLost("unplugged")

    run(CAMERA, read, lambda _: EVEN, output)
    waiting = [number for number, shown in output.frames if shown.decision is None]
    assert waiting == [0, 1, 2, 10, 11, 12]
    assert output.frames[12][1].waiting == "waiting for the first window"


def test_what_goes_on_ends_while_no_picture_comes(
    preparer: Preparer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "GAP_S", 0.1)
    run, output = Run(preparer), Recorder()
    ended_in_silence = []

    def states() -> list[str]:
        return [event.state for event in output.events]

    def read() -> Iterator[Picture]:
        yield from pictures(6)
        wait_until(lambda: "end" in states())
        ended_in_silence.append(states().count("end"))
        run.stop.set()

    run(CAMERA, read, lambda _: EVEN, output)
    assert ended_in_silence == [1]


def test_it_ends_though_an_output_never_returns_and_nothing_may_be_dropped(
    preparer: Preparer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "ENDING_S", 0.05)
    monkeypatch.setattr("actionbench.live.dispatch.CLOSING_S", 0.05)
    run, over = Run(preparer, lossless=True), threading.Event()

    def stuck() -> None:
        run.stop.set()
        over.wait(5)

    begin = time.monotonic()
    run(FILE, lambda: pictures(60), lambda _: EVEN, Recorder(wait=stuck))
    assert time.monotonic() - begin < 3
    over.set()
    assert run.said == ["the output Recorder did not end in time, and was left as it is"]


def test_a_source_that_cannot_be_opened_closes_the_outputs(preparer: Preparer) -> None:
    def read() -> Iterator[Picture]:
        yield from ()
        raise SourceLost("Connection refused")

    output = Recorder()
    with pytest.raises(ClipError, match="camera 0: Connection refused"):
        Run(preparer)(CAMERA, read, lambda _: EVEN, output)
    assert output.closed == 1


@pytest.mark.parametrize("how", ["stop", "seconds"])
def test_it_ends_while_the_source_is_silent(preparer: Preparer, how: str) -> None:
    run = Run(preparer, seconds=0.1 if how == "seconds" else None)
    output, over = Recorder(), threading.Event()

    def read() -> Iterator[Picture]:
        yield from pictures(10)
        if how == "stop":
            run.stop.set()
        over.wait(5)

    begin = time.monotonic()
    summary = run(CAMERA, read, lambda _: EVEN, output)
    over.set()
    assert time.monotonic() - begin < 3
    assert summary.captured == 10
    assert output.closed == 1


def test_a_real_stream_that_is_cut_and_comes_back(
    preparer: Preparer,
    tmp_path: Path,
    write_video: Callable[..., Path],
    pictures: Callable[..., list[np.ndarray]],
    http_server: Callable[..., AbstractContextManager[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """MPEG-TS over HTTP, of 4 grey levels more in each frame: no window spans the cut."""
    monkeypatch.setattr("actionbench.live.capture.capture.FIRST_WAIT_S", 0.05)
    content = write_video(tmp_path / "v.ts", pictures(50)).read_bytes()
    run, output, spans = Run(preparer, stride=1), Recorder(), []

    def network(view: View) -> np.ndarray:
        grey = view["rgb"].mean(axis=(1, 2, 3)) * 255
        spans.append(float(np.abs(np.diff(grey)).max()))
        return EVEN

    def watch() -> None:
        wait_until(lambda: run.measured.status().captured >= 60 and run.measured.status().reconnects == 1)
        run.stop.set()

    with http_server(content, [slice(0, len(content) * 3 // 5 + 77), slice(None)]) as address:
        watcher = threading.Thread(target=watch)
        watcher.start()
        summary = run_session(
            parse_source(address),
            network,
            preparer,
            LABELS,
            run.settings,
            [output],
            run.measured,
            run.stop,
            decider=run.decider,  # type: ignore[arg-type]
            say=run.said.append,
        )
        watcher.join()
    assert summary.reconnects == 1
    assert summary.labels > 0
    # Neighbours differ by 4, and by 4 more for each that was dropped between them; the cut's sides by 100.
    assert max(spans) < 60
    assert not any("s3cret" in words for words in run.said)
    assert output.closed == 1

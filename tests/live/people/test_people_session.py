"""Live sessions of several persons: who is recognised when, by a network that knows whom it sees."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from actionbench.live import session as session_module
from actionbench.live.capture.picture import Picture
from actionbench.live.capture.source import Source
from actionbench.live.decision import Decider, DecisionSettings
from actionbench.live.events import ActionEvent
from actionbench.live.frame import Frame
from actionbench.live.labelling import Labelling
from actionbench.live.measurements import Measurements, SessionSummary
from actionbench.live.outputs.output import Shown
from actionbench.live.people.finder import MOST_PEOPLE, People, Present
from actionbench.live.people.zones import Zones
from actionbench.live.session import SessionSettings, run_session
from actionbench.preprocessing.preparer import Preparer, View

from ...preprocessing.people.moving import HEIGHT, WIDTH, Box, Knowing, frame

CAMERA = Source("camera", "0", "camera 0")
FILE = Source("file", "/walk.mp4", "walk.mp4")
LABELS = ("walking", "falling")
LEFT, RIGHT = (20, 30, 50, 90), (140, 30, 170, 90)


def falls_on_the_right(view: View) -> np.ndarray:
    """Red is the column of the picture: whoever is right of its middle falls."""
    falling = float(view["rgb"][..., 0].mean() * 255 > WIDTH / 2)
    return np.array([1 - falling, falling], np.float32)


class Recorder:
    def __init__(self) -> None:
        self.shown: list[Shown] = []
        self.events: list[ActionEvent] = []

    def frame(self, frame: Frame, shown: Shown) -> None:  # noqa: ARG002
        self.shown.append(shown)

    def event(self, event: ActionEvent) -> None:
        self.events.append(event)

    def close(self) -> None:
        pass


class Run:
    """A session of people with its parts."""

    def __init__(
        self,
        preparer: Preparer,
        where: Callable[[int], Sequence[Box]],
        zones: Zones | None = None,
        **settings: Any,
    ) -> None:
        self.preparer, self.people = preparer, People(Knowing(where), zones)
        self.settings = SessionSettings(
            **{"window": 4, "rate": Fraction(25), "stride": 2, "lossless": True, **settings}
        )
        self.measured, self.stop, self.output = Measurements(2), threading.Event(), Recorder()

    def __call__(
        self,
        source: Source,
        read: Callable[[], Iterator[Picture]],
        network: Callable[[View], np.ndarray] = falls_on_the_right,
    ) -> SessionSummary:
        decision = DecisionSettings(smoothing_s=0, hold_s=0, clear_after_s=0.4)
        return run_session(
            source,
            network,
            self.preparer,
            LABELS,
            self.settings,
            [self.output],
            self.measured,
            self.stop,
            decider=Decider(LABELS, decision, None, "net"),
            people=self.people,
            read=lambda *_: read(),
        )


@pytest.fixture(autouse=True)
def _short_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "TICK_S", 0.02)


def pictures(number: int) -> Iterator[Picture]:
    for n in range(number):
        yield Picture(frame(n), n / 25, 1 / 25, 0.0)


def events_of(run: Run, person: int) -> list[tuple[str, str, int]]:
    """State, label, and last frame of the window or of the action, of each event but updates."""
    return [
        (each.state, each.label, round(25 * (each.start_s if each.end_s is None else each.end_s)))
        for each in run.output.events
        if each.person == person and each.state != "update"
    ]


def test_each_person_has_windows_labels_and_events_of_their_own(preparer: Preparer) -> None:
    """Persons are looked for in each second frame, found three times until frame 4, which fills a window.

    The right one is not found from frame 30 on, and given up after a second: with frame 54, the 13th look.
    The last label is that of frame 52; 0.4 s after that the action is cleared.
    """
    run = Run(preparer, lambda number: (LEFT, RIGHT) if number < 30 else (LEFT,))
    summary = run(FILE, lambda: pictures(80))
    assert events_of(run, 1) == [("start", "walking", 4), ("end", "walking", 78)]
    assert events_of(run, 2) == [
        ("start", "falling", 4),
        ("end", "falling", 52),
        ("cleared", "falling", 52),
    ]
    cleared = run.output.events[[each.state for each in run.output.events].index("cleared")]
    assert cleared.cleared_s == pytest.approx(62.5 / 25, abs=0.021), "0.4 s after frame 52"
    assert len({each.id for each in run.output.events}) == 2
    assert {each.zone for each in run.output.events} == {None}
    assert summary.labels == 38 + 25
    assert (summary.late, summary.dropped) == (0, 0)
    assert summary.people_s is not None
    assert summary.people_s > 0
    assert sum(run.measured.histograms()["people"].counts) == 80
    first, then, last = run.output.shown[3], run.output.shown[20], run.output.shown[-1]
    assert (first.people, first.waiting) == ((), "nobody in the picture")
    assert then.people is not None
    assert [(each.person.id, each.decision.label) for each in then.people if each.decision] == [
        (1, "walking"),
        (2, "falling"),
    ]
    assert then.people[1].person.box == pytest.approx((140 / WIDTH, 30 / HEIGHT, 170 / WIDTH, 90 / HEIGHT))
    assert then.person == 1, "of two that are equally sure, the first"
    assert then.top[0] == ("walking", 1.0)
    assert last.people is not None
    assert [each.person.id for each in last.people] == [1]


def test_nothing_is_lost_where_the_next_frame_is_prepared_before_it_is_known_who_is_there(
    preparer: Preparer, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = Labelling.seen

    def late(labelling: Labelling, people: tuple[Present, ...], time_s: float) -> None:
        time.sleep(0.01)
        seen(labelling, people, time_s)

    monkeypatch.setattr(Labelling, "seen", late)
    run = Run(preparer, lambda _: (LEFT, RIGHT))
    hung = threading.Timer(5, run.stop.set)
    hung.start()
    summary = run(FILE, lambda: pictures(30))
    hung.cancel()
    assert len(run.output.shown) == 30
    assert summary.labels == 2 * 13, "of each person with frames 4, 6, …, 28"


def test_who_comes_back_is_another_person(preparer: Preparer) -> None:
    run = Run(preparer, lambda number: (RIGHT,) if number < 20 or number > 60 else ())
    run(FILE, lambda: pictures(90))
    assert events_of(run, 1)[-1] == ("cleared", "falling", events_of(run, 1)[1][2])
    assert [event[:2] for event in events_of(run, 2)] == [("start", "falling"), ("end", "falling")]
    nobody = [shown.waiting for shown in run.output.shown if shown.people == ()]
    assert set(nobody) == {"nobody in the picture"}
    assert len(nobody) > 10


def test_nobody_has_no_label(preparer: Preparer) -> None:
    run = Run(preparer, lambda _: ())
    summary = run(FILE, lambda: pictures(20), lambda _: pytest.fail("nobody is to be recognised"))
    assert (summary.labels, run.output.events) == (0, [])
    assert run.output.shown[-1].waiting == "nobody in the picture"


def test_only_persons_in_a_zone_are_recognised_and_events_name_it(preparer: Preparer) -> None:
    """The feet are at row 90 of 120, and the middle of the box goes from column 25 to 135: from frame 38 on
    it is in the zone, which begins at column 100."""
    zone = np.array([[0.5, 0.5], [1, 0.5], [1, 1], [0.5, 1]], np.float32)

    def where(number: int) -> Sequence[Box]:
        x = min(10 + 2 * number, 120)
        return [(x, 30, x + 30, 90), (10, 0, 40, 30)]

    run = Run(preparer, where, Zones({"bed": zone}))
    run(FILE, lambda: pictures(70), lambda _: np.array([0, 1], np.float32))
    assert {(each.person, each.zone, each.label) for each in run.output.events} == {(1, "bed", "falling")}
    start = run.output.events[0].start_s * 25
    # Where nobody looks, in every second frame, the position is predicted.
    assert start == pytest.approx(38, abs=1)
    outside = run.output.shown[20]
    assert outside.waiting == "nobody in a zone"
    assert outside.people is not None
    assert [(each.person.zone, each.person.watched) for each in outside.people] == [(None, False)] * 2


def test_an_action_ends_where_the_person_leaves_the_zone_and_returns_as_another(preparer: Preparer) -> None:
    zone = np.array([[0, 0], [1, 0], [1, 0.5], [0, 0.5]], np.float32)

    def where(number: int) -> Sequence[Box]:
        y = 0 if number < 20 or number >= 44 else 10  # the feet are in the zone down to row 60
        return [(140, y, 170, y + 56)]

    run = Run(preparer, where, Zones({"up": zone}), stride=1)
    run(FILE, lambda: pictures(60))
    states = [event.state for event in run.output.events if event.state != "update"]
    assert states == ["start", "end", "cleared", "start", "end"]
    assert {each.person for each in run.output.events} == {1}
    ids = [event.id for event in run.output.events if event.state == "start"]
    assert len(set(ids)) == 2, "one person, two actions"


def test_persons_take_turns_where_the_network_is_too_slow(preparer: Preparer) -> None:
    """While the first answer is awaited, all get newer windows; then the oldest label is first."""
    where = [(10, 30, 30, 70), (60, 30, 80, 70), (110, 30, 130, 70)]
    run = Run(preparer, lambda _: where, lossless=False)
    order: list[int] = []
    entered, go, over = threading.Event(), threading.Event(), threading.Event()

    def network(view: View) -> np.ndarray:
        order.append(int(view["rgb"][..., 0].mean() * 255) // 50)
        if len(order) == 1:
            entered.set()
            assert go.wait(5)
        elif len(order) <= 4:
            time.sleep(0.1)  # a stride is 0.08 s: three persons take four of them
        if len(order) == 4:
            over.set()
        return np.array([0.5, 0.5], np.float32)

    def read() -> Iterator[Picture]:
        for n, picture in enumerate(pictures(21)):
            if n == 5:
                assert entered.wait(5)
            yield picture
            for _ in range(1000):
                if run.measured.status().processed == n + 1:
                    break
                time.sleep(0.005)
        assert run.measured.status().queues["network"] == 3
        go.set()
        assert over.wait(5)
        run.stop.set()

    run(CAMERA, read, network)
    assert order[:4] == [0, 1, 2, 0]
    status = run.measured.status()
    # Labels are due at frames 4, 6, …, 20: of 27 windows 4 were answered.
    assert status.late == 27 - 4
    assert "3 persons take turns" in status.caveats
    assert any(caveat.startswith("cannot keep up: a label every") for caveat in status.caveats)
    assert status.stride > 2


def test_of_a_crowd_the_first_are_recognised_and_it_says_so(preparer: Preparer) -> None:
    crowd = [(1 + 19 * n, 30, 17 + 19 * n, 70) for n in range(MOST_PEOPLE + 2)]
    run = Run(preparer, lambda _: crowd)
    run(FILE, lambda: pictures(20))
    assert {event.person for event in run.output.events} == set(range(1, MOST_PEOPLE + 1))
    last = run.output.shown[-1]
    assert last.people is not None
    assert len(last.people) == MOST_PEOPLE + 2
    assert "10 persons, of whom 8 are recognised" in run.measured.status().caveats


def test_frames_that_are_missing_cost_no_detection(preparer: Preparer) -> None:
    """A camera of 5 frames a second: each frame stands at five points of the grid, and is looked at once."""
    run = Run(preparer, lambda _: (LEFT,))

    def slow() -> Iterator[Picture]:
        for n in range(20):
            yield Picture(frame(n), n / 5, 1 / 5, 0.0)

    run.settings = replace(run.settings, window=8)
    run(FILE, slow)
    assert run.people.detector.asked == list(range(20))  # type: ignore[attr-defined]  # a `Knowing`
    assert sum(run.measured.histograms()["people"].counts) == 20
    assert run.measured.status().processed == 19 * 5 + 1
    assert {event.rate for event in run.output.events if event.state == "update"} <= {3.125, 6.25}
    assert events_of(run, 1)[0][:2] == ("start", "walking")

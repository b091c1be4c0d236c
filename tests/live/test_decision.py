"""Labels and events by hand-computed cases, and what holds for every stream."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actionbench.errors import UsageError
from actionbench.live.decision import GAP_S, Decider, DecisionSettings
from actionbench.live.events import ActionEvent
from actionbench.operating_point import OperatingPoint

from .making import NOON, answer, noon

LABELS = ("falling", "running", "walking")
PLAIN = DecisionSettings(smoothing_s=0, hold_s=0, clear_after_s=2)
"""No smoothing, no minimal time: what a window says counts at once."""


def decider(
    settings: DecisionSettings = PLAIN,
    labels: tuple[str, ...] = LABELS,
    point: OperatingPoint | None = None,
) -> Decider:
    return Decider(labels, settings, point, "net", noon)


def told(decider: Decider, answers: Sequence[tuple[float, Sequence[float]]]) -> list[tuple[float, str, str]]:
    """(time, state, label) of the events of answers (time, probabilities)."""
    return [
        (time_s, event.state, event.label)
        for time_s, probabilities in answers
        for event in decider.update(answer(time_s, probabilities)).events
    ]


def test_hysteresis_between_enter_and_exit() -> None:
    """Starts at 0.5, goes on down to 0.7 · 0.5 = 0.35, and is cleared two seconds after its last window."""
    falling = [0.4, 0.5, 0.36, 0.34, 0.45, 0.1, 0.1]
    answers = [(float(t), (p, (1 - p) / 2, (1 - p) / 2)) for t, p in enumerate(falling)]
    session = decider()
    assert told(session, answers) == [
        (1.0, "start", "falling"),
        (2.0, "update", "falling"),
        (3.0, "end", "falling"),
        (4.0, "cleared", "falling"),
    ]
    assert session.finish(7.0) == ()


def test_the_events_of_one_action_are_tied_together_and_say_when() -> None:
    session = decider()
    events = [
        event
        for time_s, p in [(1.0, 0.6), (2.0, 0.9), (3.0, 0.1), (4.0, 0.1)]
        for event in session.update(answer(time_s, (p, 1 - p, 0) if p > 0.5 else (p, 0.45, 0.45))).events
    ]
    start, update, end, cleared = events
    assert {each.id for each in events} == {"20261129T120000000-1"}
    assert (start.start_s, start.end_s, start.window_start_s, start.window_end_s) == (1.0, None, 0.0, 1.0)
    assert start.confidence == pytest.approx(0.6)
    assert (start.age_s, start.window, start.stride, start.rate, start.model) == (0.25, 25, 6, 25.0, "net")
    assert start.time == NOON.isoformat(timespec="milliseconds")
    assert update.confidence == pytest.approx(0.9)
    assert (end.start_s, end.end_s, end.window_end_s) == (1.0, 2.0, 3.0)
    assert end.confidence == cleared.confidence == pytest.approx(0.9)
    assert (cleared.end_s, cleared.window_end_s, cleared.cleared_s) == (2.0, 4.0, 4.0)
    assert [each.cleared_s for each in (start, update, end)] == [None] * 3


def test_a_clock_that_jumps_changes_the_time_of_day_alone() -> None:
    """By a day, forward and back, at each event."""
    jumps = iter([timedelta(days=days) for days in (0, 1, -1)] * 100)
    steady, jumping = decider(), Decider(LABELS, PLAIN, None, "net", lambda: NOON + next(jumps))
    for time_s, p in [(1.0, 0.6), (2.0, 0.9), (3.0, 0.1), (4.0, 0.1), (5.0, 0.8)]:
        probabilities = (p, (1 - p) / 2, (1 - p) / 2)
        expected, found = (each.update(answer(time_s, probabilities)).events for each in (steady, jumping))
        assert [replace(each, time="") for each in found] == [replace(each, time="") for each in expected]
    assert [each.state for each in jumping.finish(6.0)] == ["end"]


def test_a_class_must_be_decided_for_a_minimal_time_without_a_break() -> None:
    session = decider(DecisionSettings(smoothing_s=0, hold_s=0.5, clear_after_s=9))
    high, low = (0.8, 0.2, 0.0), (0.1, 0.45, 0.45)
    answers = [(0.0, high), (0.25, high), (0.5, low), (0.75, high), (1.0, high), (1.25, high)]
    (start,) = [event for t, p in answers for event in session.update(answer(t, p)).events]
    assert (start.start_s, start.window_end_s) == (0.75, 1.0)


def test_one_decision_is_enough_where_they_are_further_apart_than_the_minimal_time() -> None:
    """But not the first of a session, before which nobody looked."""
    session = decider(DecisionSettings(smoothing_s=0, hold_s=0.5, clear_after_s=9))
    high, low = (0.8, 0.2, 0.0), (0.1, 0.45, 0.45)
    assert told(session, [(0.0, high), (3.0, low), (6.0, high)]) == [(6.0, "start", "falling")]


def test_the_time_in_which_nobody_looked_does_not_count_for_the_minimal_time() -> None:
    session = decider(DecisionSettings(smoothing_s=2, hold_s=0.5, clear_after_s=9))
    high, low = (0.8, 0.2, 0.0), (0.1, 0.45, 0.45)
    assert told(session, [(0.0, low), (0.5, low)]) == []
    session.finish(0.5)
    assert told(session, [(2.0, high), (2.25, high), (2.5, high)]) == [(2.5, "start", "falling")]


def test_windows_are_averaged_over_time_not_by_number() -> None:
    """The last 0.5 s: three windows at a stride of a quarter of a second, one at a stride of a second."""
    settings = DecisionSettings(smoothing_s=0.5, hold_s=0, clear_after_s=9)
    session = decider(settings)
    means = [
        session.update(answer(t, (p, 1 - p, 0.0))).smoothed[0]
        for t, p in [(0.0, 1.0), (0.25, 0.5), (0.5, 0.0), (0.75, 0.1), (1.75, 0.2)]
    ]
    np.testing.assert_allclose(means, [1.0, 0.75, 0.5, 0.2, 0.2], rtol=1e-6)


def test_another_class_takes_over_and_the_actions_do_not_overlap() -> None:
    """Falling stays above its exit level while running is decided for the minimal time."""
    session = decider(DecisionSettings(smoothing_s=0, hold_s=1.5, clear_after_s=9))
    falls, runs = (0.6, 0.4, 0.0), (0.4, 0.6, 0.0)
    events = [
        event
        for t, p in enumerate([falls, falls, falls, runs, runs])
        for event in session.update(answer(float(t), p)).events
    ]
    assert [(e.state, e.label, e.start_s, e.end_s) for e in events] == [
        ("start", "falling", 0.0, None),
        ("end", "falling", 0.0, 2.0),
        ("start", "running", 3.0, None),
    ]


def test_a_class_that_does_not_take_over_changes_nothing() -> None:
    session = decider(DecisionSettings(smoothing_s=0, hold_s=1.5, clear_after_s=9))
    falls, runs = (0.6, 0.4, 0.0), (0.4, 0.6, 0.0)
    decisions = [session.update(answer(t, p)) for t, p in enumerate([falls, falls, falls, runs, falls])]
    assert [decision.label for decision in decisions] == [None, None, "falling", "falling", "falling"]
    (end,) = session.finish(4.0)
    assert (end.state, end.end_s) == ("end", 4.0)


def test_a_class_that_comes_back_is_cleared_only_after_its_last_end() -> None:
    session = decider()
    falls, nothing = (0.6, 0.4, 0.0), (0.2, 0.4, 0.4)
    events = [
        event
        for t, p in enumerate([falls, nothing, falls, nothing, nothing, nothing])
        for event in session.update(answer(float(t), p)).events
    ]
    assert [(e.state, e.id[-1], e.window_end_s) for e in events] == [
        ("start", "1", 0.0),
        ("end", "1", 1.0),
        ("start", "2", 2.0),
        ("end", "2", 3.0),
        ("cleared", "1", 4.0),
        ("cleared", "2", 4.0),
    ]


def test_what_clears_is_shown() -> None:
    session = decider()
    falls, nothing = (0.6, 0.4, 0.0), (0.2, 0.4, 0.4)
    shown = [session.update(answer(t, p)) for t, p in enumerate([falls, nothing, nothing])]
    assert [(each.label, each.clearing) for each in shown] == [
        ("falling", ()),
        (None, ("falling",)),
        (None, ()),
    ]
    assert shown[1].confidence == pytest.approx(0.4)


def test_an_action_does_not_go_on_over_a_gap_in_the_stream() -> None:
    session = decider(DecisionSettings(smoothing_s=60, hold_s=1, clear_after_s=0))
    falls = (0.9, 0.1, 0.0)
    told(session, [(0.0, falls), (1.0, falls)])
    back = 1 + GAP_S + 1
    decision = session.update(answer(back, (0.4, 0.6, 0.0)))
    assert [(event.state, event.end_s) for event in decision.events] == [("end", 1.0), ("cleared", 1.0)]
    assert decision.smoothed[0] == pytest.approx(0.4)
    assert session.update(answer(back + 0.5, (0.4, 0.6, 0.0))).label is None
    assert session.update(answer(back + 1, (0.4, 0.6, 0.0))).label == "running"


@pytest.mark.parametrize("name", ["other", "Other", "no_action"])
def test_a_class_for_no_action_needs_no_threshold(name: str) -> None:
    """Falling starts as the likeliest class, and goes on down to 0.7 of the probability of the likeliest."""
    session = decider(labels=("falling", "running", name))
    assert session.no_action == f"the likeliest class is '{name}'"
    answers = [
        (0.0, (0.3, 0.3, 0.4)),
        (1.0, (0.4, 0.3, 0.3)),
        (2.0, (0.36, 0.14, 0.5)),
        (3.0, (0.3, 0.2, 0.5)),
    ]
    assert told(session, answers) == [
        (1.0, "start", "falling"),
        (2.0, "update", "falling"),
        (3.0, "end", "falling"),
    ]


def test_a_threshold_holds_beside_a_class_for_no_action() -> None:
    session = decider(DecisionSettings(threshold=0.6, smoothing_s=0, hold_s=0), ("falling", "other"))
    assert (
        session.no_action
        == "the likeliest class is 'other', or the likeliest class has a probability below 0.6"
    )
    assert session.update(answer(0.0, (0.55, 0.45))).label is None
    assert session.update(answer(1.0, (0.65, 0.35))).label == "falling"


def test_an_operating_point_decides_for_its_class() -> None:
    """Falling from 0.2 on, down to 0.14, however likely walking is; the others by the threshold."""
    session = decider(point=OperatingPoint("falling", 0.2))
    assert session.no_action == (
        "the likeliest class has a probability below 0.5; 'falling' is recognised from 0.2 on "
        "(its operating point)"
    )
    answers = [
        (0.0, (0.1, 0.45, 0.45)),
        (1.0, (0.2, 0.1, 0.7)),
        (2.0, (0.15, 0.42, 0.43)),
        (3.0, (0.1, 0.1, 0.8)),
    ]
    assert told(session, answers) == [
        (1.0, "start", "falling"),
        (2.0, "update", "falling"),
        (3.0, "end", "falling"),
        (3.0, "start", "walking"),
    ]


def test_an_operating_point_above_one_half_keeps_its_class_from_being_decided() -> None:
    session = decider(point=OperatingPoint("falling", 0.8))
    assert session.update(answer(0.0, (0.7, 0.2, 0.1))).label is None


def test_an_operating_point_beside_a_class_for_no_action() -> None:
    session = decider(labels=("falling", "other"), point=OperatingPoint("falling", 0.3))
    assert session.update(answer(0.0, (0.25, 0.75))).label is None
    assert session.update(answer(1.0, (0.35, 0.65))).label == "falling"


def test_an_operating_point_of_another_network_is_refused() -> None:
    with pytest.raises(UsageError, match="net: has an operating point of a class that it lacks"):
        decider(point=OperatingPoint("jumping", 0.3))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("threshold", 1.5),
        ("exit_share", -0.1),
        ("smoothing_s", -1),
        ("hold_s", math.nan),
        ("clear_after_s", math.inf),
    ],
)
def test_settings_out_of_range_are_refused(name: str, value: float) -> None:
    with pytest.raises(UsageError, match=name):
        DecisionSettings(**{name: value})


def test_probabilities_that_are_no_numbers_recognise_nothing() -> None:
    session = decider()
    assert session.update(answer(0.0, (0.9, 0.1, 0.0))).label == "falling"
    decision = session.update(answer(1.0, (math.nan,) * 3))
    assert (decision.label, [event.state for event in decision.events]) == (None, ["end"])
    assert decision.events[0].confidence == pytest.approx(0.9)


STEPS = st.lists(
    st.tuples(
        st.sampled_from([0.04, 0.25, 1.0, 3.0, GAP_S + 1]),
        st.tuples(*[st.integers(0, 8)] * 3).filter(any),
    ),
    max_size=60,
)
SETTINGS = st.builds(
    DecisionSettings,
    threshold=st.sampled_from([None, 0.0, 0.4, 0.6]),
    exit_share=st.sampled_from([0.0, 0.5, 1.0]),
    smoothing_s=st.sampled_from([0.0, 0.5, 3.0]),
    hold_s=st.sampled_from([0.0, 0.3, 2.0]),
    clear_after_s=st.sampled_from([0.0, 1.0, 5.0]),
)


def replayed(
    steps: Sequence[tuple[float, tuple[int, ...]]], settings: DecisionSettings, *, idle: bool, point: bool
) -> tuple[list[ActionEvent], list[str | None]]:
    """All events of a stream to its end, and the label after each window."""
    labels = ("falling", "running", "other" if idle else "walking")
    session = decider(settings, labels, OperatingPoint("falling", 0.3) if point else None)
    now, events, shown = 0.0, list[ActionEvent](), []
    for step_s, weights in steps:
        now += step_s
        decision = session.update(answer(now, [weight / sum(weights) for weight in weights]))
        events += decision.events
        shown.append(decision.label)
    return [*events, *session.finish(now)], shown


@given(STEPS, SETTINGS, st.booleans(), st.booleans())
def test_what_holds_for_every_stream(
    steps: list[tuple[float, tuple[int, ...]]], settings: DecisionSettings, idle: bool, point: bool
) -> None:
    events, shown = replayed(steps, settings, idle=idle, point=point)
    assert (events, shown) == replayed(steps, settings, idle=idle, point=point)
    states: dict[str, list[str]] = {}
    for each in events:
        states.setdefault(each.id, []).append(each.state)
    for those in states.values():
        assert those[0] == "start"
        assert those.count("start") == those.count("end") == 1
        assert those.count("cleared") <= 1
        middle = those[1 : those.index("end")]
        assert set(middle) <= {"update"}
        assert those[those.index("end") + 1 :] in ([], ["cleared"])
    ends = [each for each in events if each.state == "end"]
    for before, after in pairwise(ends):
        assert before.end_s is not None
        assert before.start_s <= before.end_s <= after.start_s
        assert before.label != after.label or before.end_s < after.start_s
    times = [each.window_end_s for each in events]
    assert times == sorted(times)
    assert all(0 <= each.confidence <= 1 for each in events)
    assert "other" not in shown
    for end in ends:
        for cleared in events:
            if (cleared.id, cleared.state) == (end.id, "cleared"):
                assert end.end_s is not None
                assert cleared.cleared_s is not None
                assert cleared.cleared_s - end.end_s >= settings.clear_after_s


def test_persons_have_deciders_and_ids_of_their_own() -> None:
    """What goes on when nobody looks any more ends then, and is cleared by a later call."""
    whole = Decider(("falling", "other"), DecisionSettings(hold_s=0, clear_after_s=2), None, "net", noon)
    first, second = whole.for_person(1), whole.for_person(2)
    assert first.no_action == whole.no_action
    events = [each.update(answer(1.0, (0.9, 0.1))).events[0] for each in (first, second)]
    assert [event.id for event in events] == ["20261129T120000000-1-1", "20261129T120000000-2-1"]
    (end,) = first.finish(2.0)
    assert (end.state, end.end_s) == ("end", 1.0)
    assert not first.over
    assert first.finish(2.9) == ()
    (cleared,) = first.finish(3.0)
    assert cleared.state == "cleared"
    assert (cleared.window_end_s, cleared.cleared_s) == (1.0, 3.0), "the time, not the last window's"
    assert [first.over, second.over] == [True, False]

"""Time to recognition and false alarms of a session, by hand-computed cases."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actionbench.records.live import AnnotatedAction, LabelTimeline, ShownLabel
from actionbench.reports.evaluation.live_recognition import (
    FalseAlarms,
    LiveRecognition,
    false_alarms,
    live_recognition,
    recognitions,
)

from ...known import known

FALL = AnnotatedAction("falling", 10.0, 14.0)


def timeline(*labels: tuple[float, str | None], end_s: float = 20.0, age_s: float = 0.5) -> LabelTimeline:
    shown = (ShownLabel(time_s, age_s, () if label is None else (label,)) for time_s, label in labels)
    return LabelTimeline(tuple(shown), end_s)


@pytest.mark.parametrize(
    ("labels", "share", "stays_s", "first_s"),
    [
        # Right from the frame at 11 on, a quarter of the action; there half a second later.
        ([(9.0, None), (11.0, "falling"), (12.0, "falling"), (13.0, "falling")], 0.25, 1.5, 1.5),
        # It does not stay right before 13.
        ([(11.0, "falling"), (12.0, None), (13.0, "falling")], 0.75, 3.5, 1.5),
        # Right, and wrong at the end.
        ([(11.0, "falling"), (13.0, "walking")], math.inf, math.inf, 1.5),
        # Wrong after the end only.
        ([(11.0, "falling"), (13.75, None)], 0.25, 1.5, 1.5),
        # There before the action began, and it stays.
        ([(9.0, "falling"), (12.0, "falling")], 0.0, 0.0, 0.0),
        # About a frame from before the start, there after it.
        ([(9.75, "falling"), (12.0, "falling")], 0.0, 0.25, 0.25),
        # No label at all, and none within the action.
        ([], math.inf, math.inf, math.inf),
        ([(15.0, "falling")], math.inf, math.inf, math.inf),
    ],
)
def test_right_and_stays_right(
    labels: list[tuple[float, str | None]], share: float, stays_s: float, first_s: float
) -> None:
    assert live_recognition(timeline(*labels), FALL) == LiveRecognition(first_s, stays_s, share)


def test_a_late_label_is_recognised_and_not_right_to_the_end() -> None:
    """The action ends at 14; the label of the frame at 15 is there at 15.5."""
    shown = timeline((9.0, None), (15.0, "falling"), (17.0, None))
    assert live_recognition(shown, FALL, until_s=15.5) == LiveRecognition(5.5, math.inf, math.inf)
    assert live_recognition(shown, FALL, until_s=15.4).first_s == math.inf


def test_a_label_after_the_start_of_the_next_action_of_the_class_is_that_ones() -> None:
    second = AnnotatedAction("falling", 15.0, 18.0)
    between = AnnotatedAction("walking", 14.0, 15.0)
    shown = timeline((9.0, None), (16.0, "falling"), age_s=0.0)
    found = recognitions(shown, [second, between, FALL], late_s=5.0)
    assert [(action, when.first_s) for action, when in found] == [
        (FALL, math.inf),
        (between, math.inf),
        (second, 1.0),
    ]


def test_of_several_persons_each_has_a_label() -> None:
    labels = [ShownLabel(9.0, 0.0, ()), ShownLabel(11.0, 0.0, ("falling", "walking"))]
    shown = LabelTimeline((*labels, ShownLabel(19.0, 0.0, ())), 20.0)
    assert live_recognition(shown, FALL) == LiveRecognition(1.0, 1.0, 0.25)
    assert false_alarms(shown, "walking", [FALL]).times_s == (11.0,)
    assert false_alarms(shown, "falling", [FALL]).times_s == ()


def test_an_action_must_last() -> None:
    with pytest.raises(ValueError, match="does not last"):
        live_recognition(timeline(), AnnotatedAction("falling", 3.0, 3.0))


def test_false_alarms_of_a_class() -> None:
    """Falling at 2–4 s (false), at 12–15 s (the action), and at 17–20 s (false); 100 s were watched."""
    labels = [
        *[(0.0, None), (2.0, "falling"), (3.0, "falling"), (4.0, "walking")],
        *[(12.0, "falling"), (15.0, None), (17.0, "falling"), (20.0, None)],
    ]
    found = false_alarms(timeline(*labels, end_s=100.0), "falling", [FALL])
    assert (found.times_s, found.observed_s) == ((2.0, 17.0), 96.0)
    assert known(found.per_hour).value == pytest.approx(2 * 3600 / 96)
    within = false_alarms(timeline(*labels, end_s=100.0), "falling", [FALL], tolerance_s=3.0)
    assert (within.times_s, within.observed_s) == ((2.0,), 93.0)
    others = false_alarms(timeline(*labels, end_s=100.0), "walking", [FALL])
    assert (others.times_s, others.observed_s) == ((4.0,), 100.0)


def test_what_begins_early_and_goes_on_into_the_action_is_no_false_alarm() -> None:
    assert false_alarms(timeline((9.0, "falling"), (12.0, None)), "falling", [FALL]).times_s == ()


def test_eight_quiet_minutes_do_not_prove_much() -> None:
    """No alarm in 8 minutes: up to 27.7 an hour, by the exact interval −ln(0.025) / (8 / 60)."""
    rate = known(false_alarms(timeline((0.0, None), end_s=480.0), "falling", []).per_hour)
    assert rate.value == 0
    assert known(rate.interval).high == pytest.approx(-math.log(0.025) / (8 / 60))


@pytest.mark.parametrize("labels", [(), ((20.0, "falling"),)])
def test_without_observed_time_there_is_no_rate(labels: tuple[tuple[float, str], ...]) -> None:
    assert false_alarms(timeline(*labels), "falling", []).per_hour is None


@given(
    st.lists(st.tuples(st.integers(0, 40), st.sampled_from(["falling", None])), max_size=12),
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 9)), max_size=5),
)
def test_observed_seconds_are_those_outside_every_action(
    labels: list[tuple[int, str | None]], spans: list[tuple[int, int]]
) -> None:
    """Counted second by second as the oracle."""
    shown = timeline(
        *((float(time_s), label) for time_s, label in sorted(labels, key=lambda x: x[0])), end_s=40.0
    )
    actions = [AnnotatedAction("falling", start, start + length) for start, length in spans]
    found: FalseAlarms = false_alarms(shown, "falling", actions)
    begin = int(shown.labels[0].time_s) if labels else 40
    inside = {second for start, length in spans for second in range(start, start + length)}
    assert found.observed_s == len(set(range(begin, 40)) - inside)

"""How soon a live session recognised what happened, and how often it recognised what did not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from ...records.live import AnnotatedAction, LabelTimeline
from ..statistics.intervals import Estimate, poisson_rate
from .recognition_time import right_from

HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class LiveRecognition:
    """When the label of an action became right and stayed right until the action's end.

    - `share`: share of the action that had been seen by then, 0–1; infinite if that never happened.
    - `delay_s`: seconds from the action's start until the label was there, its age included; 0 where it was
      there already, infinite if that never happened.
    """

    share: float
    delay_s: float


@dataclass(frozen=True, slots=True)
class FalseAlarms:
    """Times that a class was recognised where it was not.

    - `label`: the class. `times_s`: when each began, seconds on the session's timeline.
    - `observed_s`: seconds without the action.
    - `per_hour`: their rate, with the interval that those seconds allow; None where there are none.
    """

    label: str
    times_s: tuple[float, ...]
    observed_s: float
    per_hour: Estimate | None


def live_recognition(timeline: LabelTimeline, action: AnnotatedAction) -> LiveRecognition:
    """When `action` was recognised, by the definition of `recognition_time.right_from`.

    Labels count that were there within the action, and the one that held at its start. What had been seen is
    counted by the last frame that a label is about. Raises ValueError for an action that does not last.
    """
    length_s = action.end_s - action.start_s
    if not length_s > 0:
        raise ValueError(f"an action from {action.start_s} to {action.end_s} s does not last")
    held: str | None = None
    seen_s, there_s, labels = [], [], []
    for each in timeline.labels:
        delay_s = each.time_s + each.age_s - action.start_s
        if delay_s <= 0:
            held = each.label
        elif delay_s <= length_s:
            seen_s.append(max(0.0, each.time_s - action.start_s))
            there_s.append(delay_s)
            labels.append(each.label)
    shown = (held, *labels)
    return LiveRecognition(
        share=right_from((0.0, *seen_s), shown, action.label) / length_s,
        delay_s=right_from((0.0, *there_s), shown, action.label),
    )


def false_alarms(
    timeline: LabelTimeline, label: str, actions: Sequence[AnnotatedAction], tolerance_s: float = 0.0
) -> FalseAlarms:
    """Times that `label` was recognised without an annotated action of that class.

    - `actions`: what really happened, of all classes.
    - `tolerance_s`: what is recognised so soon after an action's end is late, not false: the length of a
      window, which still has the action in it. Those seconds do not count as observed.

    Labels count by their frames, without their age. An action that is recognised before its annotated start
    and goes on into it is no false alarm.
    """
    own = sorted((each.start_s, each.end_s + tolerance_s) for each in actions if each.label == label)
    begin_s = timeline.labels[0].time_s if timeline.labels else timeline.end_s
    times = []
    for start_s, end_s in _runs(timeline, label):
        if not any(start_s <= own_end and own_start <= end_s for own_start, own_end in own):
            times.append(start_s)
    observed_s = timeline.end_s - begin_s - _covered(own, begin_s, timeline.end_s)
    rate = poisson_rate(len(times), observed_s / HOUR_S) if observed_s > 0 else None
    return FalseAlarms(label, tuple(times), observed_s, rate)


def _runs(timeline: LabelTimeline, label: str) -> list[tuple[float, float]]:
    """From when to when the label held, each time."""
    ends = [*(each.time_s for each in timeline.labels), timeline.end_s][1:]
    holding = [(each.label, each.time_s, end_s) for each, end_s in zip(timeline.labels, ends, strict=True)]
    runs = []
    for shown, group in groupby(holding, key=lambda each: each[0]):
        spans = list(group)
        if shown == label:
            runs.append((spans[0][1], spans[-1][2]))
    return runs


def _covered(spans: Sequence[tuple[float, float]], begin_s: float, end_s: float) -> float:
    """Seconds between two times that lie in at least one span."""
    cuts = sorted({begin_s, end_s, *(min(max(time_s, begin_s), end_s) for span in spans for time_s in span)})
    return sum(
        after - before
        for before, after in pairwise(cuts)
        if any(start <= before and after <= end for start, end in spans)
    )

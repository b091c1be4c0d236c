"""How soon a live session recognised what happened, and how often it recognised what did not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from ...records.live import AnnotatedAction, LabelTimeline
from ..statistics.intervals import Estimate, poisson_rate
from .recognition_time import right_from

HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class LiveRecognition:
    """When an action was recognised.

    - `first_s`: seconds from the action's start until a label of its class was there for the first time, its
      age included; 0 where it was there already. Within the action or soon after its end, else infinite.
    - `stays_s`: the same until the label was right and stayed right to the action's end; infinite if it was
      not right then.
    - `share`: share of the action that had been seen when it was right and stayed right, 0–1; infinite as
      `stays_s`.
    """

    first_s: float
    stays_s: float
    share: float


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


def live_recognition(
    timeline: LabelTimeline, action: AnnotatedAction, until_s: float | None = None
) -> LiveRecognition:
    """When `action` was recognised; right and stays right by the definition of `recognition_time.right_from`.

    - `until_s`: time on the timeline until which a first label counts: after the action's end, since its last
      windows are answered later. None: its end.

    Labels count that were there within that time, and those that held at the action's start. What had been
    seen is counted by the last frame that a label is about. Raises ValueError for an action that does not
    last.
    """
    length_s = action.end_s - action.start_s
    if not length_s > 0:
        raise ValueError(f"an action from {action.start_s} to {action.end_s} s does not last")
    longest_s = length_s if until_s is None else until_s - action.start_s
    right = [False]
    seen_s, there_s = [0.0], [0.0]
    for each in timeline.labels:
        delay_s = each.time_s + each.age_s - action.start_s
        is_right = action.label in each.labels
        if delay_s <= 0:
            right[0] = is_right
        elif delay_s <= longest_s:
            seen_s.append(max(0.0, each.time_s - action.start_s))
            there_s.append(delay_s)
            right.append(is_right)
    within = sum(delay_s <= length_s for delay_s in there_s)
    return LiveRecognition(
        first_s=next((there for there, is_right in zip(there_s, right, strict=True) if is_right), math.inf),
        stays_s=right_from(there_s[:within], right[:within], True),
        share=right_from(seen_s[:within], right[:within], True) / length_s,
    )


def recognitions(
    timeline: LabelTimeline, actions: Sequence[AnnotatedAction], late_s: float
) -> list[tuple[AnnotatedAction, LiveRecognition]]:
    """Each action, in the order of time, with when it was recognised.

    - `late_s`: seconds after an action's end in which a first label still counts as its own, but for those
      after the start of the next action of its class.
    """
    found = []
    for action in sorted(actions, key=lambda each: (each.start_s, each.end_s)):
        later = [each.start_s for each in actions if each.label == action.label]
        following = [start_s for start_s in later if start_s >= action.end_s]
        found.append((action, live_recognition(timeline, action, min([action.end_s + late_s, *following]))))
    return found


def false_alarms(
    timeline: LabelTimeline, label: str, actions: Sequence[AnnotatedAction], tolerance_s: float = 0.0
) -> FalseAlarms:
    """Times that `label` was recognised without an annotated action of that class.

    - `actions`: what really happened, of all classes.
    - `tolerance_s`: what is recognised so soon after an action's end is late, not false: windows still have
      the action in them. Those seconds do not count as observed.

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
    holding = [
        (label in each.labels, each.time_s, end_s) for each, end_s in zip(timeline.labels, ends, strict=True)
    ]
    runs = []
    for holds, group in groupby(holding, key=lambda each: each[0]):
        spans = list(group)
        if holds:
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

"""Tables and chart of an evaluation of live labels: settings, time to recognition, false alarms."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from ...records.live import AnnotatedAction, LabelTimeline, RecordedSession
from ..charts.chart import Axis, Chart, Points, label, style
from ..numbers import UNKNOWN, one_line, share, spread
from ..statistics.intervals import Estimate, poisson_rate
from ..tables.table import Column, Line, Record, Table, table, values
from .live_recognition import HOUR_S, FalseAlarms, LiveRecognition, false_alarms, recognitions
from .recognition_time import median_reached, share_reached


@dataclass(frozen=True, slots=True)
class Watched:
    """A video with what was shown and what happened.

    - `name`: for reading. `group`: the film, person or event that it belongs to.
    - `timeline`: with at least one label. `actions`: on the same timeline.
    - `window_s`: length of a window, seconds.
    """

    name: str
    group: str
    timeline: LabelTimeline
    actions: tuple[AnnotatedAction, ...]
    window_s: float


@dataclass(frozen=True, slots=True)
class Found:
    """An action of a video, and when it was recognised."""

    video: Watched
    action: AnnotatedAction
    when: LiveRecognition


@dataclass(frozen=True)
class LiveEvaluation:
    """What the document of an evaluation of live labels holds.

    - `name`: of the set. `session`: how its videos were watched. `target`: the class that matters most.
    - `labels`: the classes that can be recognised: all of the network's but that of no action.
    - `videos`: at least one.
    - `decision_s`: longest time from a window to the label that it leads to: smoothing and hold, seconds.
    - `notes`: what must stand beside the figures: videos that are left out, weights, licences.
    """

    name: str
    session: RecordedSession
    target: str
    labels: tuple[str, ...]
    videos: tuple[Watched, ...]
    decision_s: float
    notes: tuple[str, ...] = ()

    def late_s(self, video: Watched) -> float:
        """Seconds after an action's end in which its label is late, not false: windows still hold it."""
        return video.window_s + self.decision_s

    @cached_property
    def found(self) -> tuple[Found, ...]:
        """All actions of classes that can be recognised."""
        return tuple(
            Found(video, action, when)
            for video in self.videos
            for action, when in recognitions(video.timeline, video.actions, self.late_s(video))
            if action.label in self.labels
        )

    def of_class(self, name: str) -> list[Found]:
        """The actions of a class."""
        return [each for each in self.found if each.action.label == name]

    def false_alarms(self, name: str) -> list[tuple[Watched, FalseAlarms]]:
        """Those of a class, video by video."""
        return [
            (video, false_alarms(video.timeline, name, video.actions, self.late_s(video)))
            for video in self.videos
        ]


def settings_table(session: RecordedSession) -> Table:
    """How labels were decided, one line for each setting."""
    rate = "the videos' own" if session.rate is None else f"{session.rate:g} frames/s"
    units = {"stride": "frames", "smoothing": "s", "hold": "s"}
    rows = {
        "network": session.model,
        **{f"weights, {stream}": kind for stream, kind in session.weights.items()},
        "classes": ", ".join(session.labels),
        "window": f"{session.window} frames",
        "rate": rate,
        **{
            name.replace("_", " "): f"{value} {units[name]}" if name in units else str(value)
            for name, value in session.settings.items()
            if value is not None
        },
        "no action": session.rule,
    }
    lines: Iterable[Line] = (
        ((name, one_line(text)), {"setting": name, "value": text}) for name, text in rows.items()
    )
    return table("settings", "Settings", (Column("Setting", "left"), Column("Value", "left")), lines)


def recognition_table(contents: LiveEvaluation) -> Table:
    """One line for each class with an action: whether, and when, its actions were recognised."""
    columns = (
        Column("Class", "left"),
        Column("Actions"),
        Column("Groups"),
        Column("Recognised"),
        Column("First label\ns after the start: median, range"),
        Column("Right to\nthe end"),
        Column("Right and stays right\ns after the start: median, range"),
        Column("Share of\nthe action seen"),
    )
    by_class = {name: found for name in contents.labels if (found := contents.of_class(name))}
    figures = {name: _figures(found) for name, found in by_class.items()}
    late_text = _late(contents)
    early = [each for each in contents.found if each.action.start_s < each.video.timeline.labels[0].time_s]
    cut = [
        each
        for each in contents.found
        if math.isinf(each.when.first_s)
        and each.video.timeline.end_s < each.action.end_s + contents.late_s(each.video)
    ]
    notes = [
        "Seconds and shares are medians over all actions; one that is not recognised counts as later than "
        "all others. –: that is so of more than half; ∞: by the interval it may be. Ranges are of those that "
        "were recognised.",
        f"Recognised: a label of the class was there within the action, or up to {late_text} after its end "
        "(window, smoothing and hold: until then windows with the action in them can lead to a label). Right "
        "to the end: it was there at the action's end.",
        "Times are those of the video: how long the machine takes for a label, its age, comes on top.",
        *_methods([figure for each in figures.values() for figure in each.values() if figure is not None]),
    ]
    if early:
        notes.append(
            f"{len(early)} of {len(contents.found)} actions began before the first whole window of their "
            "video: a camera that has been watching could recognise them sooner."
        )
    if cut:
        notes.append(
            "Actions that are not recognised, and whose video ends before a late label could come: "
            f"{len(cut)}."
        )
    lines = (_class_line(name, found, figures[name]) for name, found in by_class.items())
    return table("recognition", "Time to recognition", columns, lines, notes)


def _late(contents: LiveEvaluation) -> str:
    """For how long a label is late, in words: of videos of different rates a range."""
    late = sorted({round(contents.late_s(video), 2) for video in contents.videos})
    return f"{late[0]:g} s" if len(late) == 1 else f"{late[0]:g} to {late[-1]:g} s"


def _figures(found: Sequence[Found]) -> dict[str, Estimate | None]:
    groups = [each.video.group for each in found]
    first, stays, seen = (
        [getattr(each.when, name) for each in found] for name in ("first_s", "stays_s", "share")
    )
    return {
        "recognised": share_reached(first, groups),
        "first_s": median_reached(first, groups),
        "right_to_the_end": share_reached(stays, groups),
        "stays_right_s": median_reached(stays, groups),
        "share_seen": median_reached(seen, groups),
    }


def _class_line(name: str, found: Sequence[Found], figures: Mapping[str, Estimate | None]) -> Line:
    groups = len({each.video.group for each in found})
    record: Record = {"class": name, "actions": len(found), "groups": groups}
    for key, figure in figures.items():
        record |= values(key, figure)
    texts = (
        one_line(name),
        str(len(found)),
        str(groups),
        share(figures["recognised"]),
        _with_range(figures["first_s"], [each.when.first_s for each in found]),
        share(figures["right_to_the_end"]),
        _with_range(figures["stays_right_s"], [each.when.stays_s for each in found]),
        _reached(figures["share_seen"], 100, " %"),
    )
    return texts, record


def _reached(figure: Estimate | None, scale: float = 1.0, unit: str = "") -> str:
    """A median with its interval, whose end may be infinite: "1.20 [0.90–∞]"."""
    if figure is None:
        return UNKNOWN
    text = f"{_number(figure.value * scale, unit)}{unit}"
    if figure.interval is None:
        return text
    ends = (_number(end * scale, unit) for end in (figure.interval.low, figure.interval.high))
    return f"{text} [{'–'.join(ends)}]"


def _number(value: float, unit: str) -> str:
    if math.isinf(value):
        return "∞"
    return f"{value:.0f}" if unit else f"{value:.2f}"


def _with_range(median: Estimate | None, seconds: Sequence[float]) -> str:
    """A median of seconds, and on a second line the least and the greatest that are finite."""
    finite = [each for each in seconds if math.isfinite(each)]
    return f"{_reached(median)}\n{min(finite):.2f}–{max(finite):.2f}" if finite else UNKNOWN


def false_alarm_table(contents: LiveEvaluation) -> Table:
    """False alarms per hour: of the target by kind of footage, of the other classes on all of it."""
    columns = (
        Column("Class", "left"),
        Column("Footage", "left"),
        Column("Videos"),
        Column("Minutes"),
        Column("False alarms"),
        Column("Per hour"),
    )
    late_text = _late(contents)
    notes = [
        f"A false alarm is a label of the class without an annotated action of it, and not up to {late_text} "
        "after one, when it is late. Minutes: from the first whole window of each video, without the actions "
        "and these times. Time that is not annotated counts as time without any action.",
        "Intervals: Garwood, 95 %, exact for alarms that come independently of one another. Those of one "
        "video hardly do, so that it is rather too narrow.",
    ]
    target = contents.target
    if not any(alarms.observed_s > 0 for _, alarms in contents.false_alarms(target)):
        notes.insert(0, f"There is no footage without {one_line(target)}: its false alarms are not known.")
    return table("false_alarms", "False alarms", columns, _alarm_lines(contents), notes)


def _alarm_lines(contents: LiveEvaluation) -> Iterator[Line]:
    target = contents.target
    alarms = contents.false_alarms(target)
    with_it = [pair for pair in alarms if any(action.label == target for action in pair[0].actions)]
    without = [pair for pair in alarms if pair not in with_it]
    name = one_line(target)
    if with_it and without:
        yield _alarm_line(target, f"videos without {name}", without)
        yield _alarm_line(target, f"videos with {name}, outside it", with_it)
    yield _alarm_line(target, "all", alarms)
    for each in contents.labels:
        if each != target:
            yield _alarm_line(each, "all", contents.false_alarms(each))


def _alarm_line(name: str, footage: str, alarms: Sequence[tuple[Watched, FalseAlarms]]) -> Line:
    observed = [each for _, each in alarms if each.observed_s > 0]
    seconds, events = sum(each.observed_s for each in observed), sum(len(each.times_s) for each in observed)
    rate = poisson_rate(events, seconds / HOUR_S) if seconds > 0 else None
    record: Record = {"class": name, "footage": footage, "videos": len(observed)}
    record |= {"minutes": seconds / 60, "false_alarms": events} | values("per_hour", rate)
    texts = (one_line(name), footage, str(len(observed)), f"{seconds / 60:.1f}", str(events), spread(rate))
    return texts, record


def action_table(contents: LiveEvaluation) -> Table:
    """One line for each action."""
    columns = (
        Column("Video", "left"),
        Column("Class", "left"),
        Column("Action, s"),
        Column("First label\ns after the start"),
        Column("Right and stays right\ns after the start"),
        Column("Share of\nthe action seen"),
    )

    def lines() -> Iterator[Line]:
        for each in contents.found:
            action, when = each.action, each.when
            first, stays, seen = (
                value if math.isfinite(value) else None for value in (when.first_s, when.stays_s, when.share)
            )
            record: Record = {
                "video": each.video.name,
                "group": each.video.group,
                "class": action.label,
                "start_s": action.start_s,
                "end_s": action.end_s,
                "first_s": first,
                "stays_right_s": stays,
                "share_seen": seen,
            }
            yield (
                (
                    one_line(each.video.name),
                    one_line(action.label),
                    f"{action.start_s:.2f}–{action.end_s:.2f}",
                    *(UNKNOWN if value is None else f"{value:.2f}" for value in (first, stays)),
                    UNKNOWN if seen is None else f"{100 * seen:.0f} %",
                ),
                record,
            )

    return table("actions", "Actions", columns, lines(), ["–: not recognised."])


def false_alarm_list(contents: LiveEvaluation) -> Table:
    """One line for each false alarm, those of the target first."""
    columns = (Column("Video", "left"), Column("Class", "left"), Column("At, s"))
    names = sorted(contents.labels, key=lambda each: each != contents.target)
    lines: Iterator[Line] = (
        (
            (one_line(video.name), one_line(name), f"{time_s:.2f}"),
            {"video": video.name, "group": video.group, "class": name, "start_s": time_s},
        )
        for name in names
        for video, alarms in contents.false_alarms(name)
        for time_s in alarms.times_s
    )
    return table("false_alarm_list", "Each false alarm", columns, lines)


def recognition_chart(contents: LiveEvaluation) -> Chart:
    """Share of the actions of each class that have been recognised, by time since their start."""
    by_class = {name: found for name in contents.labels if (found := contents.of_class(name))}
    series = []
    for place, (name, found) in enumerate(by_class.items()):
        delays = sorted(each.when.first_s for each in found if math.isfinite(each.when.first_s))
        x, y = [0.0], [0.0]
        for count, delay_s in enumerate(delays, 1):
            x += [delay_s, delay_s]
            y += [y[-1], 100 * count / len(found)]
        texts = tuple(f"{percent:.0f} % after {seconds:.2f} s" for seconds, percent in zip(x, y, strict=True))
        series.append(Points(label(name), tuple(x), tuple(y), texts, style(place)[0], line="solid"))
    counts = ", ".join(f"{len(found)} of {label(name)}" for name, found in by_class.items())
    return Chart(
        "recognition",
        "Recognised by time",
        "Share of the actions of each class that have been recognised, by seconds since the action's start.",
        f"First label; {counts}.",
        Axis("seconds since the start of the action"),
        Axis("recognised, %", limits=(0, 102)),
        tuple(series),
        18,
    )


def _methods(found: Sequence[Estimate]) -> list[str]:
    """Which intervals stand beside the figures."""
    methods = sorted({e.interval.method for e in found if e.interval is not None})
    if not methods:
        return ["Without intervals: there are too few groups."]
    return [f"Intervals: {'; '.join(methods)}; none for classes of too few groups."]

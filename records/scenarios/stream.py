"""The scenario "stream": a simulated camera at its rate, or several at once."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from ..disturbance import waiting_ratio
from .declaration import WAITING, Metric, ScenarioType, ShownColumn

KEPT_UP = 0.99
"""Fraction of the due labels that must be computed, and of the frames that must be processed, to keep up."""

RATES = (25, 30)
"""Frame rates of the cameras that are judged, per second: PAL and most films; NTSC and most webcams."""

OF_PERSONS = (
    "at each stride a label is due of each person whose window is whole; work on a frame is a mean, as "
    "persons are looked for in some frames only; where the clip begins again, persons jump: who is not found "
    "there is followed for another second"
)
"""What belongs beside the figures where persons are looked for."""


@dataclass(frozen=True, slots=True)
class Served:
    """What one camera of several got.

    - `labels`: computed for it. `dropped`: its frames that were lost.
    - `due`: labels that were due; None in older runs: the same of each.
    """

    labels: int
    dropped: int
    due: int | None = None


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """Simulated cameras on one clip: frames arrive by the clock, whether the processing keeps up or not.

    - `fps`: frames per second of a camera.
    - `window`: frames that a label is about. `stride`: frames from one label to the next.
    - `frames`: frames of the camera. `dropped`: those overwritten in the buffer before they were processed.
    - `due`: windows that were complete by the camera's clock; where persons are looked for, those of them
      that were whole at each stride. Of several cameras, these three are sums.
    - `age_s`: for each label, seconds from the arrival of its window's last frame to the label in memory.
    - `frame_s`, `forward_s`: median seconds of work on one frame (decoding where it is counted, finding
      persons, resizing, flow) and on one window (upload to download); `forward_s` is None without a label.
    - `stages_s`: stage of the work on a frame ("decode" where it is counted, "people", "resize", "flow") →
      its median seconds per frame; empty in older runs. Where persons are looked for, which is not done in
      every frame, these and `frame_s` are means over all frames.
    - `waiting_frames`: for each processed frame, the later ones that waited in the camera's buffer when it
      was taken; empty in older runs.
    - `preparing_threads`, `network_threads`: threads that work at the same time.
    - `wall_s`, `cpu_s`, `waited_s`: of the whole measurement; see `LatencyRecord`.
    - `cameras`: cameras at once, of which one network computes all labels.
    - `served`: what each of them got; empty for one camera.
    - `resident_bytes`: memory of the process at the end, while the cameras still have their windows and
      decoders; None in older runs.
    - `persons`: for each stride of each camera, the persons in the picture, whether they have a window or
      not; empty where nobody is looked for. At a stride whose frame was lost, `due` and `persons` count those
      of the last frame before that was processed.

    Raises ValueError if `fps`, `stride`, `frames` or `cameras` is not positive: others are divided by them.
    """

    model: str
    process: int
    clip: str
    fps: float
    window: int
    stride: int
    frames: int
    dropped: int
    due: int
    age_s: tuple[float, ...]
    frame_s: float
    forward_s: float | None
    preparing_threads: int
    network_threads: int
    wall_s: float
    cpu_s: float
    waited_s: float | None = None
    stages_s: dict[str, float] = field(default_factory=dict)
    waiting_frames: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    cameras: int = 1
    served: tuple[Served, ...] = ()
    resident_bytes: int | None = None
    persons: tuple[int, ...] = ()
    kind: Literal["stream"] = "stream"

    def __post_init__(self) -> None:
        for name in ("fps", "stride", "frames", "cameras"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}")


def _answered(r: StreamRecord) -> float | None:
    return len(r.age_s) / r.due if r.due else None


def least_answered(r: StreamRecord) -> float | None:
    """Fraction of its due labels that were computed for the camera for which it is the smallest; None if no
    label was due."""
    due = [r.due / r.cameras if each.due is None else each.due for each in r.served]
    shares = [each.labels / of_each for each, of_each in zip(r.served, due, strict=True) if of_each]
    return min(shares, default=_answered(r))


def least_processed(r: StreamRecord) -> float:
    """Fraction of its frames that were processed of the camera of which it is the smallest."""
    return 1 - max((each.dropped for each in r.served), default=r.dropped) * r.cameras / r.frames


def keeps_up(r: StreamRecord) -> bool | None:
    """Whether of every camera at least `KEPT_UP` of the due labels were computed, and of the frames
    processed. None if no label was due and the frames were processed, which says nothing of the network."""
    if least_processed(r) < KEPT_UP:
        return False
    answered = least_answered(r)
    return None if answered is None else answered >= KEPT_UP


def _late(r: StreamRecord) -> int:
    """Due labels that were not there when the next window was due: one stride of the camera later."""
    return r.due - sum(age <= r.stride / r.fps for age in r.age_s)


def _labels_per_s(r: StreamRecord) -> float | None:
    answered = _answered(r)
    if answered is None:
        return None
    due_at_a_stride = r.due / len(r.persons) if r.persons else 1
    return answered * due_at_a_stride * r.cameras * r.fps / r.stride


def persons_in_the_picture(r: StreamRecord) -> tuple[float, int] | None:
    """The median over the strides, and the most; None where nobody is looked for."""
    return (statistics.median(r.persons), max(r.persons)) if r.persons else None


def persons_in_words(r: StreamRecord) -> str:
    """How many persons there were, as a phrase; empty where nobody is looked for."""
    if (persons := persons_in_the_picture(r)) is None:
        return ""
    median, most = persons
    counted = "1 person" if median == 1 else f"{median:g} persons"
    return f"{counted} in the picture in the median and {most} at most"


def no_label_due(r: StreamRecord) -> str:
    """Why no label of a record was due, as a clause."""
    found = "nobody was found" if not any(r.persons) else "nobody was followed for a whole window"
    return f"{found}: no label was due (clip {r.clip})"


def _remarks(r: StreamRecord) -> Iterable[str]:
    if r.due == 0:
        yield no_label_due(r)
    elif r.persons:
        yield persons_in_words(r)
    if r.persons:
        yield OF_PERSONS


def _waiting(r: StreamRecord) -> float | None:
    """Of the threads that prepare frames, and of the one that has the network."""
    return waiting_ratio(r.waited_s, r.wall_s, r.preparing_threads + 1)


def _threads(r: StreamRecord) -> int:
    return r.preparing_threads + r.network_threads


STREAM = ScenarioType(
    "stream",
    "Camera stream",
    StreamRecord,
    (
        Metric("fps", lambda r: r.fps, over="first", unit="frames / s", shown="number"),
        Metric("window", lambda r: r.window, over="first", unit="frames", shown="whole"),
        Metric("stride", lambda r: r.stride, over="first", unit="frames", shown="whole"),
        Metric("keeps_up", keeps_up, over="min", better="more", shown="whole"),
        Metric("labels_per_s", _labels_per_s, unit="labels / s", better="more"),
        Metric("age_s", lambda r: r.age_s, unit="s", better="less", shown="ms spread"),
        Metric("age_s_p95", lambda r: r.age_s, over="95 %", unit="s", better="less", shown="ms"),
        Metric("age_s_worst", lambda r: r.age_s, over="max", unit="s", better="less", shown="ms"),
        Metric("labels", lambda r: len(r.age_s), over="sum", shown="whole"),
        Metric("labels_due", lambda r: r.due, over="sum", shown="whole"),
        Metric("labels_answered", _answered, over="min", better="more", shown="percent"),
        Metric("labels_late", _late, over="sum", better="less", shown="whole"),
        Metric("persons", lambda r: r.persons, shown="number"),
        Metric("persons_most", lambda r: r.persons, over="max", shown="whole"),
        Metric("frames", lambda r: r.frames, over="sum", shown="whole"),
        Metric("frames_lost", lambda r: r.dropped, over="sum", better="less", shown="whole"),
        Metric("frames_waiting", lambda r: r.waiting_frames, better="less", shown="number"),
        Metric("frames_waiting_most", lambda r: r.waiting_frames, over="max", better="less", shown="whole"),
        Metric("frame_s", lambda r: r.frame_s, unit="s", better="less", shown="ms"),
        Metric("people_s", lambda r: r.stages_s.get("people"), unit="s", better="less", shown="ms"),
        Metric("resize_s", lambda r: r.stages_s.get("resize"), unit="s", better="less", shown="ms"),
        Metric("flow_s", lambda r: r.stages_s.get("flow"), unit="s", better="less", shown="ms"),
        Metric("forward_s", lambda r: r.forward_s, unit="s", better="less", shown="ms"),
        Metric("threads", _threads, over="first", shown="whole"),
        Metric(WAITING, _waiting, over="bare median", better="less", shown="number", column="waiting_ratio"),
    ),
    (
        ShownColumn("Camera\nframes / s,\nwindow,\nstride", "{fps}\n{window}\n{stride}"),
        ShownColumn("Keeps up", "{keeps_up}"),
        ShownColumn("Labels / s", "{labels_per_s}"),
        ShownColumn("Age of a label, ms\nmedian,\n95 %,\nworst", "{age_s}\n{age_s_p95}\n{age_s_worst}"),
        ShownColumn(
            "Labels computed\nof those due,\nin the worst process",
            "{labels} of {labels_due}\n{labels_answered}",
        ),
        ShownColumn("Labels late", "{labels_late} of {labels_due}"),
        ShownColumn("Frames lost", "{frames_lost} of {frames}"),
        ShownColumn("Frames waiting\nmedian,\nmost", "{frames_waiting}\n{frames_waiting_most}"),
        ShownColumn(
            "Work, ms\n/ frame,\npeople,\nresize,\nflow,\n/ window",
            "{frame_s}\n{people_s}\n{resize_s}\n{flow_s}\n{forward_s}",
        ),
    ),
    (
        "A simulated camera at a fixed rate; each frame is resized and its flow computed once. Age: from the "
        "arrival of a window's last frame to its label. A window that is complete while the network computes "
        "another one waits; a newer window replaces it.",
        "Late: not there when the next window was due, one stride of the camera after its own; labels that "
        "were not computed are among them. Frames waiting: in the camera's buffer, behind the one that was "
        "taken. Work / frame: all of it, then what finding persons, resizing and "
        "flow take of it; / window: the network.",
        "Keeps up: at least 99 % of the due labels computed and of the frames processed, in every process.",
    ),
    asks="whether a model keeps up with a camera",
    remarks=_remarks,
)

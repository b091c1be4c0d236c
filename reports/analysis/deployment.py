"""Which network can be deployed on this machine: what keeps up with a camera, and the best of all models."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from ...records.scenarios.stream import RATES
from ..numbers import one_line, spread
from ..statistics.intervals import Estimate
from ..tables.table import Column, Line, Record, Table, table, values
from .load_runs import machine
from .summary import ModelSummary, Summary

Answer = Literal["yes", "not always", "no", "unknown"]


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast preprocessing and network together work through a video, one at a time.

    - `factor`: the real-time factor; None if unknown.
    - `frames_per_s`: frames of the video itself per second of work; None for weights with a frame rate of
      their own, which take as many frames a second of any camera, and if unknown.
    """

    factor: Estimate | None
    frames_per_s: Estimate | None

    @property
    def known(self) -> bool:
        """Whether it says anything about a camera."""
        return self.factor is not None or self.frames_per_s is not None

    def answers(self) -> tuple[tuple[int, Answer], ...]:
        """(Camera's frames per second, whether the work keeps up), for each of `RATES`.

        By the frames per second where the network takes the camera's own frames, else by the real-time
        factor.
        """
        if self.frames_per_s is not None:
            return tuple((asked, keeps_up(self.frames_per_s, asked)) for asked in RATES)
        return tuple((asked, keeps_up(self.factor, 1)) for asked in RATES)

    def share_of(self, asked: float) -> float:
        """What is sustained, as a fraction of a camera's `asked` frames per second; 0 if unknown."""
        if self.frames_per_s is not None:
            return self.frames_per_s.value / asked
        return 0.0 if self.factor is None else self.factor.value


def pace(m: ModelSummary) -> Pace:
    """The pace of the latency scenario."""
    return Pace(m.timing.estimate("realtime_factor"), m.timing.estimate("frames_per_s"))


@dataclass(frozen=True, slots=True)
class Deployment:
    """Whether one model keeps up with a camera, preprocessing included.

    - `pace`: of preprocessing and network.
    - `answers`: (camera's frames per second, answer) for each of `RATES`.
    - `reason`: why the answers are unknown; None if they are known.
    """

    model: ModelSummary
    pace: Pace
    answers: tuple[tuple[int, Answer], ...]
    reason: str | None = None


Standing = Literal["front", "dominated"]


@dataclass(frozen=True, slots=True)
class Pareto:
    """The Pareto front of top-1 accuracy and time of all work.

    - `front`: names of the models that no other one dominates: none is at least as accurate and as fast, and
      better in one of the two.
    - `dominated`: names of the models that another one dominates. A model whose accuracy or time is unknown
      is neither.
    - `reason`: why no front is claimed, as a clause; None if one is.
    """

    front: tuple[str, ...] = ()
    dominated: tuple[str, ...] = ()
    reason: str | None = None

    def standing(self, name: str) -> Standing | None:
        """Whether a model is on the front or dominated; None if it is neither."""
        if name in self.front:
            return "front"
        return "dominated" if name in self.dominated else None


def pareto_front(summary: Summary) -> Pareto:
    """The Pareto front of the models, each by its own accuracy and time, which are of the same views.

    None is claimed of weights that were not trained on real video, nor over different videos or machines.
    """
    runs = summary.merged.runs
    if len({run.run.data.get("digest") for run in runs}) > 1:
        return Pareto(reason="the runs used different lists of videos")
    if len({machine(run.run) for run in runs}) > 1:
        return Pareto(reason="the runs come from different machines")
    points = {m.name: point for m in summary.models if (point := _point(m)) is not None}
    if len(points) < 2:
        untrained = not any(m.trained for m in summary.models)
        return Pareto(
            reason="the accuracy of random and demo weights says nothing about real video"
            if untrained
            else "fewer than two models have both, with trained weights"
        )
    dominated = {name for name, point in points.items() if any(_better(o, point) for o in points.values())}
    return Pareto(
        tuple(name for name in points if name not in dominated),
        tuple(name for name in points if name in dominated),
    )


def _point(m: ModelSummary) -> tuple[float, float] | None:
    """Seconds of all work per video, and top-1 accuracy; None where one is unknown or does not count."""
    total, top1 = m.timing.estimate("total_s_per_video"), m.accuracy.top1
    if total is None or top1 is None or not m.trained or m.timing.preprocessed or _last(m):
        return None
    return total.value, top1.value


def _better(first: tuple[float, float], second: tuple[float, float]) -> bool:
    """Whether the first point (seconds, accuracy) dominates the second."""
    return first[0] <= second[0] and first[1] >= second[1] and first != second


def _last(m: ModelSummary) -> bool:
    return m.measured.model.state == "failed" or m.mismatched


def ranked(summary: Summary) -> tuple[ModelSummary, ...]:
    """The models, best to deploy first.

    First those that keep up in real time with preprocessing counted, then by top-1 accuracy where trained
    weights were measured, then by the time of all work. What failed or does not match its reference is last.
    """

    def rank(m: ModelSummary) -> tuple[bool, int, float, float]:
        answers: tuple[Answer, ...] = ("yes", "not always", "no", "unknown")
        keeps = answers.index(keeps_up(m.timing.estimate("realtime_factor"), 1))
        top1, total = m.accuracy.top1, m.timing.estimate("total_s_per_video")
        wrong = math.inf if top1 is None or not m.trained else 1 - top1.value
        return _last(m), keeps, wrong, math.inf if total is None else total.value

    return tuple(sorted(summary.models, key=rank))


def deployments(summary: Summary) -> tuple[Deployment, ...]:
    """One entry for each model, best to deploy first (`ranked`)."""
    return tuple(_deployment(m) for m in ranked(summary))


def _deployment(m: ModelSummary) -> Deployment:
    found = pace(m)
    return Deployment(m, found, found.answers(), _reason(m))


def keeps_up(sustained: Estimate | None, asked: float) -> Answer:
    """Whether a sustained pace reaches what is asked.

    - `sustained`: frames per second, or the real-time factor; None if unknown.
    - `asked`: the camera's frames per second, or 1.

    "yes" if the lower end of the interval (or of the range over processes) reaches it, "not always" if only
    the median does.
    """
    if sustained is None:
        return "unknown"
    if sustained.value < asked:
        return "no"
    low = sustained.value if sustained.interval is None else sustained.interval.low
    return "yes" if low >= asked else "not always"


def _reason(m: ModelSummary) -> str | None:
    if pace(m).known:
        return None
    if m.timing.preprocessed:
        return "its input was already preprocessed, so preprocessing was not measured"
    if m.measured.model.state == "failed":
        return f"it failed: {m.measured.model.error or 'no reason recorded'}"
    return "no time was measured"


def deployment(summary: Summary) -> Table:
    """A row for each model: whether it keeps up with each of `RATES`."""
    columns = (
        Column("Model", "left"),
        Column("Real-time factor\nall work"),
        Column("Video frames\n/ s"),
        *(Column(f"Keeps up with\n{asked} frames / s", "left") for asked in RATES),
    )
    found = deployments(summary)
    return table("deployment", "Keeping up with a camera", columns, map(_line, found), notes(summary))


def _line(d: Deployment) -> Line:
    m = d.model
    texts = (
        one_line(m.name),
        spread(d.pace.factor),
        spread(d.pace.frames_per_s),
        *(answer for _, answer in d.answers),
    )
    record: Record = {
        "model": m.name,
        **values("frames_per_s", d.pace.frames_per_s),
        **{f"keeps_up_{asked}_fps": answer for asked, answer in d.answers},
        **values("realtime_factor", d.pace.factor),
        "disturbed": "yes" if m.timing.disturbed else "no",
        "reason": d.reason,
    }
    return texts, record


def notes(summary: Summary) -> list[str]:
    """Definition of the answers, and why some are unknown."""
    found = deployments(summary)
    texts = [f"{one_line(d.model.name)}: unknown, as {one_line(d.reason)}." for d in found if d.reason]
    if any(d.pace.known for d in found):
        texts.append(
            "Of decoding, resizing, flow and network, one video at a time. yes: the whole interval (or the "
            "slowest process) keeps up; not always: only the median does."
        )
    if any(d.pace.frames_per_s for d in found):
        texts.append(
            "Video frames / s: frames of the video itself, of which the network may take every so many-th, "
            "per second of work. They must reach the camera's rate."
        )
    if any(d.pace.factor and not d.pace.frames_per_s for d in found):
        texts.append(
            "Without video frames / s: weights with a frame rate of their own take as many frames a second "
            "of any camera, so they keep up where the real-time factor reaches 1; runs of older versions are "
            "judged in the same way."
        )
    texts += [
        f"{one_line(d.model.name)}: disturbed by other programs, so its true rate is higher and may suffice."
        for d in found
        if d.model.timing.disturbed and any(answer != "yes" for _, answer in d.answers)
    ]
    paces = [d.pace.frames_per_s or d.pace.factor for d in found]
    if any(estimate and estimate.interval is None for estimate in paces):
        texts.append("Timed in one process only: another one may be slower.")
    return texts

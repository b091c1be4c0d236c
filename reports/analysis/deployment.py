"""Which network keeps up with a camera on this machine: the question that a report answers first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..numbers import number, one_line, scaled, spread
from ..statistics.intervals import Estimate
from ..tables.table import Column, Line, Record, Table, table, values
from .summary import ModelSummary, Summary

RATES = (25, 30)
"""Frames a second of the cameras asked about: PAL and most films and streams; NTSC and most webcams."""

Answer = Literal["yes", "not always", "no", "unknown"]


@dataclass(frozen=True, slots=True)
class Deployment:
    """Whether one model keeps up, preprocessing counted.

    - `frames_per_s`: sustained rate of all work. `answers`: (frames a second asked for, answer).
    - `reason`: why nothing is known; None where something is.
    """

    model: ModelSummary
    frames_per_s: Estimate | None
    answers: tuple[tuple[int, Answer], ...]
    reason: str | None = None


def deployments(summary: Summary) -> tuple[Deployment, ...]:
    """One answer a model, in the report's order."""
    return tuple(_deployment(m) for m in summary.models)


def _deployment(m: ModelSummary) -> Deployment:
    rate = m.timing.estimate("frames_per_s")
    return Deployment(m, rate, tuple((asked, keeps_up(rate, asked)) for asked in RATES), _reason(m))


def keeps_up(sustained: Estimate | None, asked: float) -> Answer:
    """ "yes" if the whole interval (or the slowest process) does, "not always" if only the median does."""
    if sustained is None:
        return "unknown"
    if sustained.value < asked:
        return "no"
    low = sustained.value if sustained.interval is None else sustained.interval.low
    return "yes" if low >= asked else "not always"


def _reason(m: ModelSummary) -> str | None:
    if m.timing.estimate("frames_per_s") is not None:
        return None
    if m.timing.preprocessed:
        return "its input was preprocessed, so the work before the network was not measured"
    if m.measured.model.state == "failed":
        return f"it failed: {m.measured.model.error or 'no reason recorded'}"
    return "no time was measured"


def deployment(summary: Summary) -> Table:
    """Each model against the frame rates of cameras."""
    columns = (
        Column("Model", "left"),
        Column("Sustained\nframes / s"),
        *(Column(f"Keeps up with\n{asked} frames / s", "left") for asked in RATES),
        Column("Real-time factor\nall work"),
    )
    found = deployments(summary)
    return table("deployment", "Keeping up with a camera", columns, map(_line, found), notes(summary))


def _line(d: Deployment) -> Line:
    m = d.model
    texts = (
        one_line(m.name),
        spread(d.frames_per_s),
        *(answer for _, answer in d.answers),
        number(scaled(m.timing.estimate("realtime_factor"))),
    )
    record: Record = {
        "model": m.name,
        **values("frames_per_s", d.frames_per_s),
        **{f"keeps_up_{asked}_fps": answer for asked, answer in d.answers},
        **values("realtime_factor", m.timing.estimate("realtime_factor")),
        "disturbed": "yes" if m.timing.disturbed else "no",
        "reason": d.reason,
    }
    return texts, record


def notes(summary: Summary) -> list[str]:
    """How the answers are meant, and why some are missing."""
    found = deployments(summary)
    said = [f"{one_line(d.model.name)}: unknown, as {one_line(d.reason)}." for d in found if d.reason]
    if any(d.frames_per_s for d in found):
        said.append(
            "Sustained: frames through decoding, resizing, flow and network per second, one video at a time. "
            "yes: in the whole interval, or in the slowest process; not always: in the median only."
        )
        said.append("A network that takes 25 frames of every second of video needs 25 from any camera.")
    said += [
        f"{one_line(d.model.name)}: disturbed, so its rate is too low; undisturbed it may keep up."
        for d in found
        if d.model.timing.disturbed and any(answer != "yes" for _, answer in d.answers)
    ]
    if any(d.frames_per_s and d.frames_per_s.interval is None for d in found):
        said.append("Timed in one process: another one may be slower.")
    return said

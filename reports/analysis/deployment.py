"""Which network keeps up with a camera on this machine: the first question of a report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ...records.scenarios.stream import RATES
from ..numbers import number, one_line, scaled, spread
from ..statistics.intervals import Estimate
from ..tables.table import Column, Line, Record, Table, table, values
from .summary import ModelSummary, Summary

Answer = Literal["yes", "not always", "no", "unknown"]


@dataclass(frozen=True, slots=True)
class Deployment:
    """Whether one model keeps up with a camera, preprocessing included.

    - `frames_per_s`: sustained frames per second of preprocessing and network; None if unknown.
    - `answers`: (camera's frames per second, answer) for each of `RATES`.
    - `reason`: why the answers are unknown; None if they are known.
    """

    model: ModelSummary
    frames_per_s: Estimate | None
    answers: tuple[tuple[int, Answer], ...]
    reason: str | None = None


def deployments(summary: Summary) -> tuple[Deployment, ...]:
    """One entry for each model, in the report's order."""
    return tuple(_deployment(m) for m in summary.models)


def _deployment(m: ModelSummary) -> Deployment:
    rate = m.timing.estimate("frames_per_s")
    return Deployment(m, rate, tuple((asked, keeps_up(rate, asked)) for asked in RATES), _reason(m))


def keeps_up(sustained: Estimate | None, asked: float) -> Answer:
    """Whether a sustained rate reaches a camera's rate.

    - `sustained`: frames per second; None if unknown.
    - `asked`: the camera's frames per second.

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
    if m.timing.estimate("frames_per_s") is not None:
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
    """Definition of the answers, and why some are unknown."""
    found = deployments(summary)
    texts = [f"{one_line(d.model.name)}: unknown, as {one_line(d.reason)}." for d in found if d.reason]
    if any(d.frames_per_s for d in found):
        texts.append(
            "Sustained: frames per second through decoding, resizing, flow and network, one video at a time. "
            "yes: the whole interval (or the slowest process) keeps up; not always: only the median does."
        )
        texts.append("A network that samples 25 frames per second needs 25 from a camera of any frame rate.")
    texts += [
        f"{one_line(d.model.name)}: disturbed by other programs, so its true rate is higher and may suffice."
        for d in found
        if d.model.timing.disturbed and any(answer != "yes" for _, answer in d.answers)
    ]
    if any(d.frames_per_s and d.frames_per_s.interval is None for d in found):
        texts.append("Timed in one process only: another one may be slower.")
    return texts

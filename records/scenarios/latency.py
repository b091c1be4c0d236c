"""The scenario "latency": one clip after another, one stage after the other, nothing else running."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..disturbance import waiting_ratio
from .declaration import WAITING, Metric, ScenarioType

PREDICTION = ("upload", "forward", "download")
"""Stages of the network's own work; those before it are preprocessing."""


@dataclass(frozen=True, slots=True)
class LatencyRecord:
    """One timed clip of the latency pass: nothing else running, no cache.

    - `stages_s`: stage → seconds on the host clock, device synchronised; `total_s` is the wall time around
      them, `cpu_s` the process's CPU time.
    - `waited_s`: seconds that its threads were ready and not running, because something else had the
      cores; the sum over threads. None where the system does not tell.
    - `device_forward_s`: of all forwards, by device events; None on CPU.
    - `disturbed`: something else had the cores (see `records/disturbance.py`), and the clip was timed again:
      `attempt` 1, 2, … of the same clip and repetition.
    - `notes`: remarks that belong beside the figure.
    - `views`, `frames`, `video_s`, `macs`: of this clip (`macs` over all views; None if unknown).
    """

    model: str
    process: int
    repetition: int
    clip: str
    stages_s: dict[str, float]
    total_s: float
    cpu_s: float
    views: int
    frames: int
    video_s: float
    waited_s: float | None = None
    device_forward_s: float | None = None
    macs: int | None = None
    attempt: int = 0
    disturbed: bool = False
    notes: tuple[str, ...] = ()
    kind: Literal["sample"] = "sample"


def prediction_s(r: LatencyRecord) -> float:
    """Seconds of upload, forward and download."""
    return sum(r.stages_s.get(stage, 0.0) for stage in PREDICTION)


def _waiting(r: LatencyRecord) -> float | None:
    return waiting_ratio(r.waited_s, r.total_s)


LATENCY = ScenarioType(
    "latency",
    "Latency",
    LatencyRecord,
    (
        Metric("prediction_s_per_video", prediction_s, unit="s / video", better="less"),
        Metric("total_s_per_video", lambda r: r.total_s, unit="s / video", better="less"),
        Metric(WAITING, _waiting, over="bare median", better="less", shown="number", column="waiting_ratio"),
    ),
)

"""The scenario "latency": one clip after another, one stage after the other, nothing else running."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..disturbance import waiting_ratio
from ..run import PREPROCESSED_INPUT
from .declaration import WAITING, Metric, ScenarioType, ShownColumn

PREPROCESSING = ("decode", "people", "resize", "flow")
PREDICTION = ("upload", "forward", "download")


@dataclass(frozen=True, slots=True)
class LatencyRecord:
    """One timed clip of the latency pass: nothing else running, no cache.

    - `repetition`: 0, 1, … of this clip within the process.
    - `stages_s`: stage → seconds of the host clock, device synchronised.
    - `total_s`: wall time of all stages and what lies between them. `cpu_s`: CPU time of the process.
    - `views`, `frames`, `video_s`: of this clip; `video_s` in seconds of video.
    - `source_frames`: frames that the video itself has in `video_s`; None for weights with a frame rate of
      their own, which take as many frames of any video, for network input, and in older runs.
    - `waited_s`: seconds in which its threads were ready but did not run, because other programs used the
      cores; the sum over threads. None where the system does not report it.
    - `device_forward_s`: seconds of all forward passes by device events; None on CPU.
    - `macs`: multiply–accumulates over all views; None if unknown.
    - `attempt`: 0, then 1, 2, … if the clip was timed again because the sample was disturbed.
    - `disturbed`: other programs used the cores (see `records/disturbance.py`).
    - `notes`: remarks that belong beside the figure.
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
    source_frames: float | None = None
    kind: Literal["sample"] = "sample"


def _prediction_s(r: LatencyRecord) -> float:
    return sum(r.stages_s.get(stage, 0.0) for stage in PREDICTION)


def _prediction_s_per_view(r: LatencyRecord) -> float:
    return _prediction_s(r) / max(1, r.views)


def _preprocessed(r: LatencyRecord) -> bool:
    return PREPROCESSED_INPUT in r.notes


def _preprocessing_s(r: LatencyRecord) -> float | None:
    if _preprocessed(r):
        return None
    return sum(r.stages_s.get(stage, 0.0) for stage in PREPROCESSING)


def _all_work_s(r: LatencyRecord) -> float | None:
    """Seconds from the file to the prediction; None where the file already holds network input."""
    return None if _preprocessed(r) else r.total_s


def _flop(r: LatencyRecord) -> int | None:
    return None if r.macs is None else 2 * r.macs


def _flop_per_view(r: LatencyRecord) -> float | None:
    return None if r.macs is None or not r.views else 2 * r.macs / r.views


def _cpu_ratio(r: LatencyRecord) -> float | None:
    return r.cpu_s / r.total_s if r.total_s > 0 else None


def _waiting(r: LatencyRecord) -> float | None:
    return waiting_ratio(r.waited_s, r.total_s)


METRICS = (
    Metric("views_per_video", lambda r: r.views, over="bare median", shown="whole"),
    Metric("frames_per_video", lambda r: r.frames, over="bare median", shown="whole"),
    Metric("video_s", lambda r: r.video_s, over="bare median", unit="s", shown="number"),
    Metric(
        "prediction_s_per_view", _prediction_s_per_view, unit="s / view", better="less", shown="ms spread"
    ),
    Metric("prediction_s_per_video", _prediction_s, unit="s / video", better="less"),
    Metric("preprocessing_s_per_video", _preprocessing_s, unit="s / video", better="less"),
    Metric("total_s_per_video", lambda r: r.total_s, unit="s / video", better="less"),
    Metric("load_s", lambda p: p.load_s, unit="s", better="less", per_process=True, shown="number"),
    Metric(
        "first_inference_s", lambda p: p.first_s, unit="s", better="less", per_process=True, shown="number"
    ),
    Metric("realtime_factor", lambda r: r.video_s, per=_all_work_s, unit="s / s", better="more"),
    Metric("realtime_factor_prediction", lambda r: r.video_s, per=_prediction_s, unit="s / s", better="more"),
    Metric(
        "frames_per_s",
        lambda r: r.source_frames,
        per=_all_work_s,
        unit="frames / s",
        better="more",
        shown="number",
    ),
    Metric("device_forward_s_per_video", lambda r: r.device_forward_s, unit="s / video", better="less"),
    Metric(
        "peak_host_bytes", lambda p: p.peak_rss_bytes, "max", better="less", per_process=True, shown="MiB"
    ),
    Metric(
        "peak_device_bytes",
        lambda p: p.peak_device_bytes,
        "max",
        better="less",
        per_process=True,
        shown="MiB",
    ),
    Metric("flop_per_view", _flop_per_view, over="bare median", shown="number"),
    Metric("flop_per_video", _flop, over="bare median", shown="number"),
    Metric(
        "network_flop_per_s",
        _flop,
        per=lambda r: r.stages_s.get("forward", 0.0),
        unit="FLOP / s",
        better="more",
        shown="number",
    ),
    Metric("cpu_ratio", _cpu_ratio, over="bare median", shown="number"),
    Metric(WAITING, _waiting, over="bare median", better="less", shown="number", column="waiting_ratio"),
)
"""Times of the network alone, of its preprocessing, and of both. FLOP are 2 × multiply–accumulates of the
network, without preprocessing. `cpu_ratio`: CPU time divided by wall time. `frames_per_s`: frames of the
video itself, sampled or not, as a camera would give them; unknown for weights with a frame rate of their own,
of which the real-time factor says whether they keep up with a camera of any rate."""

LATENCY = ScenarioType(
    "latency",
    "Latency",
    LatencyRecord,
    METRICS,
    (
        ShownColumn("Views,\nframes\n/ video", "{views_per_video}\n{frames_per_video}"),
        ShownColumn("Prediction\nms / view", "{prediction_s_per_view}"),
        ShownColumn("All work\ns / video", "{total_s_per_video}"),
        ShownColumn("Real-time factor,\nvideo frames / s", "{realtime_factor:number}\n{frames_per_s}"),
        ShownColumn("Load,\nfirst inference\ns", "{load_s}\n{first_inference_s}"),
        ShownColumn("Peak MiB\nhost,\ndevice", "{peak_host_bytes}\n{peak_device_bytes}"),
    ),
    (
        "Load: import, reading the weights, building the network. First inference: with the measured shape. "
        "The other times include neither.",
    ),
)

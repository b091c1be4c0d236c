"""The scenarios "throughput" and "pipelined": clips processed by several threads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Literal

from ..disturbance import waiting_ratio
from .declaration import WAITING, Metric, ScenarioType, ShownColumn

FEWEST_READINGS = 9
"""Memory readings that `memory_growth` needs: three in each third of the measurement window."""


@dataclass(frozen=True, slots=True)
class ThroughputRecord:
    """One measurement window, in which several threads processed clips. It begins and ends with an answer.

    - `in_flight`: clips in flight at the same time; 1 in the scenario "pipelined".
    - `lanes`: worker threads that share the work. `network_threads`: threads of one forward call.
    - `batch`: most views in a forward call. `mean_batch`: their mean, warm-up included.
    - `streams_apart`: the network's streams are computed in separate forward calls.
    - `forwards_at_once`: forward calls may overlap.
    - `warm_up`: answers before the window, which are not counted.
    - `wall_s`, `cpu_s`, `waited_s`: of the window; see `LatencyRecord`.
    - `videos`, `views`, `frames`, `video_s`: what was answered in the window; `video_s` in seconds of video.
    - `source_frames`: of these videos, see `LatencyRecord`.
    - `answer_s`: for each of these videos, seconds from the start of its processing to its answer.
    - `rss_bytes`: resident memory of the process, read after answers at even intervals.
    - `gpu_busy`: fraction of the time (0–1) in which the device computed, by nvidia-smi; None on CPU.
    - `skipped`: clips that could not be used, id → reason.
    - `kind`: "stretch", an older name of the measurement window.

    Raises ValueError if `wall_s`, `lanes` or a memory is not positive: others are divided by them.
    """

    model: str
    process: int
    in_flight: int
    lanes: int
    network_threads: int
    batch: int
    streams_apart: bool
    forwards_at_once: bool
    warm_up: int
    wall_s: float
    cpu_s: float
    videos: int
    views: int
    frames: int
    video_s: float
    answer_s: tuple[float, ...]
    rss_bytes: tuple[int, ...]
    waited_s: float | None = None
    gpu_busy: float | None = None
    mean_batch: float | None = None
    skipped: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    source_frames: float | None = None
    kind: Literal["stretch"] = "stretch"

    def __post_init__(self) -> None:
        if not min(self.wall_s, self.lanes, *self.rss_bytes) > 0:
            raise ValueError(f"{self.wall_s} s, {self.lanes} lanes, {min(self.rss_bytes, default=0)} bytes")


def _videos_per_s(r: ThroughputRecord) -> float:
    return r.videos / r.wall_s


def _frames_per_s(r: ThroughputRecord) -> float | None:
    return None if r.source_frames is None else r.source_frames / r.wall_s


def _video_s_per_s(r: ThroughputRecord) -> float | None:
    """None where the length of the videos is unknown."""
    return r.video_s / r.wall_s if r.video_s > 0 else None


def _cores_busy(r: ThroughputRecord) -> float:
    return r.cpu_s / r.wall_s / r.lanes


def _waiting(r: ThroughputRecord) -> float | None:
    return waiting_ratio(r.waited_s, r.wall_s, r.lanes)


def memory_growth(r: ThroughputRecord) -> float | None:
    """Growth of the resident memory: median of the last third of the window over that of the first, minus 1.

    None with fewer than `FEWEST_READINGS` readings.
    """
    if len(r.rss_bytes) < FEWEST_READINGS:
        return None
    third = len(r.rss_bytes) // 3
    return float(median(r.rss_bytes[-third:]) / median(r.rss_bytes[:third]) - 1)


METRICS = (
    Metric("videos", lambda r: r.videos, over="sum", shown="whole", column="answers"),
    Metric("videos_per_s", _videos_per_s, unit="videos / s", better="more"),
    Metric("frames_per_s", _frames_per_s, unit="frames / s", better="more", shown="number"),
    Metric(
        "sampled_frames_per_s",
        lambda r: r.frames / r.wall_s,
        unit="frames / s",
        better="more",
        shown="number",
    ),
    Metric("video_s_per_s", _video_s_per_s, unit="s / s", better="more"),
    Metric("answer_s_per_video", lambda r: r.answer_s, unit="s / video", better="less"),
    Metric("cores_busy", _cores_busy, better="more", shown="percent"),
    Metric("gpu_busy", lambda r: r.gpu_busy, better="more", shown="percent"),
    Metric("videos_at_once", lambda r: r.in_flight, over="first", shown="whole"),
    Metric("threads", lambda r: r.lanes, over="first", shown="whole"),
    Metric("network_threads", lambda r: r.network_threads, over="first", shown="whole"),
    Metric("batch", lambda r: r.batch, over="first", shown="whole"),
    Metric("mean_batch", lambda r: r.mean_batch, unit="views", shown="two digits"),
    Metric("streams_apart", lambda r: r.streams_apart, over="first", shown="whole"),
    Metric("forwards_at_once", lambda r: r.forwards_at_once, over="first", shown="whole"),
    Metric(
        "peak_host_bytes", lambda p: p.peak_rss_bytes, "max", better="less", per_process=True, shown="MiB"
    ),
    Metric("memory_growth", memory_growth, over="max", better="less", shown="change"),
    Metric(WAITING, _waiting, over="bare median", better="less", shown="number", column="waiting_ratio"),
)
"""`threads` are the worker threads, `network_threads` those of one forward call. `cores_busy` is CPU time
divided by wall time and threads, `gpu_busy` the fraction of the time that nvidia-smi reports."""


def _skipped(r: ThroughputRecord) -> Mapping[str, str]:
    return r.skipped


def _remarks(r: ThroughputRecord) -> Iterable[str]:
    return () if r.forwards_at_once else ("one forward call at a time",)


PIPELINED = ScenarioType(
    "pipelined",
    "One video, stages overlapping",
    ThroughputRecord,
    METRICS,
    (
        ShownColumn("Answers", "{videos}"),
        ShownColumn("Answer\ns / video", "{answer_s_per_video}"),
        ShownColumn("Stages one by one\ns / video", "{total_s_per_video}"),
        ShownColumn("Seconds of video\n/ s", "{video_s_per_s:number}"),
        ShownColumn("Cores\nbusy", "{cores_busy}"),
        ShownColumn("Threads,\nof a forward call", "{threads}\n{network_threads}"),
    ),
    (
        "One video in flight at a time; decoding, flow and the forward passes of the streams overlap where "
        "they can. Stages one by one: the time of the same work in the latency table.",
        "Cores busy: CPU time divided by wall time and threads.",
    ),
    beside=("total_s_per_video",),
    skipped=_skipped,
    remarks=_remarks,
)

THROUGHPUT = ScenarioType(
    "throughput",
    "Throughput",
    ThroughputRecord,
    METRICS,
    (
        ShownColumn("Answers", "{videos}"),
        ShownColumn("Videos\n/ s", "{videos_per_s}"),
        ShownColumn("Sampled\nframes / s", "{sampled_frames_per_s}"),
        ShownColumn("Seconds of video\n/ s", "{video_s_per_s}"),
        ShownColumn("Answer\ns / video", "{answer_s_per_video}"),
        ShownColumn("Busy:\ncores,\nGPU", "{cores_busy}\n{gpu_busy}"),
        ShownColumn(
            "Videos at once,\nthreads,\nviews / call", "{videos_at_once}\n{threads}\n{mean_batch} of {batch}"
        ),
        ShownColumn("Peak MiB,\ngrowth", "{peak_host_bytes}\n{memory_growth}"),
    ),
    (
        "Several videos in flight at a time, processed by a pool of threads. The measurement window begins "
        "and ends with an answer: filling the pipeline and draining it at the end are not included.",
        "Cores busy: CPU time divided by wall time and threads. Growth: memory in the last third of the "
        "window against the first third. Views / call: mean of the views in a forward call, of the maximum.",
    ),
    asks="the throughput of several videos at a time",
    skipped=_skipped,
    remarks=_remarks,
)

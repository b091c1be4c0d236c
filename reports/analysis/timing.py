"""From timed clips to how long a video takes, where the time goes, and whether that keeps up with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...records.disturbance import drop_disturbed, is_disturbed, waiting_ratio
from ...records.run import PREPROCESSED_INPUT, STAGES
from ...records.scenarios.latency import LatencyRecord
from ..statistics.intervals import Estimate, percentile, process_median
from .load_runs import Measured

PREPROCESSING = ("decode", "resize", "flow")
PREDICTION = ("upload", "forward", "download")

PERCENTILES = (0.9, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage: seconds a video, and its share of the whole work (0–1)."""

    seconds: Estimate
    share: float


@dataclass(frozen=True, slots=True)
class Timing:
    """What the latency pass says about one model. Seconds; None where nothing was measured.

    Each `Estimate` is a median over processes of what each process gave, `n` the number of processes.

    - `videos`: different videos timed; `samples`: timed clips over all processes.
    - `prediction_per_view`, `prediction_per_video`: upload, forward and download.
    - `preprocessing_per_video`: decoding, resizing and optical flow. `total_per_video`: all of it.
    - `stages`: per stage that occurred. `other_share`: of the wall time, in no stage.
    - `load`, `first`: until a process is ready; its first inference.
    - `factor`, `factor_prediction`: seconds of video per second of work, with and without preprocessing.
    - `frames_per_s`: frames per second of all work.
    - `percentiles`: of the total per video, pooled; share → seconds, None where the sample is too small.
    - `flops_per_view`, `flops_per_video`: 2 × multiply–accumulates of the networks alone; the video's is the
      median. `flops_per_s`: reached in the forward stage.
    - `cpu_ratio`: CPU time by wall time; `waiting`: `waiting_ratio`, None if unknown; medians over samples.
    - `repeated`: disturbed samples that were taken again and are left out of all figures.
    - `preprocessed`: the input was ready for the network, so no preprocessing was measured.
    """

    processes: int = 0
    videos: int = 0
    samples: int = 0
    views_per_video: float | None = None
    frames_per_video: float | None = None
    video_s: float | None = None
    prediction_per_view: Estimate | None = None
    prediction_per_video: Estimate | None = None
    preprocessing_per_video: Estimate | None = None
    total_per_video: Estimate | None = None
    stages: tuple[tuple[str, Stage], ...] = ()
    other_share: float | None = None
    load: Estimate | None = None
    first: Estimate | None = None
    factor: Estimate | None = None
    factor_prediction: Estimate | None = None
    frames_per_s: Estimate | None = None
    device_forward: Estimate | None = None
    percentiles: tuple[tuple[float, float | None], ...] = ()
    peak_rss_bytes: int | None = None
    peak_device_bytes: int | None = None
    flops_per_view: float | None = None
    flops_per_video: float | None = None
    flops_per_s: Estimate | None = None
    cpu_ratio: float | None = None
    waiting: float | None = None
    repeated: int = 0
    preprocessed: bool = False
    errors: tuple[tuple[int, str], ...] = ()

    @property
    def disturbed(self) -> bool:
        """Whether something else had the cores while clips were timed."""
        return is_disturbed(self.waiting)


def timing(measured: Measured) -> Timing:
    """Summary of the latency pass of one model."""
    samples = undisturbed(measured.latencies)
    by_process: dict[int, list[LatencyRecord]] = {}
    for sample in samples:
        by_process.setdefault(sample.process, []).append(sample)
    processes = measured.processes

    def medians(value: Callable[[LatencyRecord], float]) -> Estimate | None:
        return process_median([[value(s) for s in group] for group in by_process.values()])

    def rates(
        amount: Callable[[LatencyRecord], float], work: Callable[[LatencyRecord], float]
    ) -> Estimate | None:
        """Sum by sum within a process, as a rate that is kept up includes the slow clips; None if unknown."""
        totals = [(sum(map(amount, group)), sum(map(work, group))) for group in by_process.values()]
        return process_median([[a / w] for a, w in totals if a > 0 and w > 0])

    preprocessed = any(PREPROCESSED_INPUT in s.notes for s in samples)
    macs = [s.macs for s in samples if s.macs is not None]
    on_device = [s for s in samples if s.device_forward_s is not None]
    return Timing(
        processes=len(by_process),
        videos=len({s.clip for s in samples}),
        samples=len(samples),
        views_per_video=_median([s.views for s in samples]),
        frames_per_video=_median([s.frames for s in samples]),
        video_s=_median([s.video_s for s in samples]),
        prediction_per_view=medians(lambda s: _prediction(s) / max(1, s.views)),
        prediction_per_video=medians(_prediction),
        preprocessing_per_video=None if preprocessed else medians(_preprocessing),
        total_per_video=medians(lambda s: s.total_s),
        stages=_stages(samples, medians),
        other_share=_other(samples),
        load=process_median([[p.load_s] for p in processes if p.load_s is not None]),
        first=process_median([[p.first_s] for p in processes if p.first_s is not None]),
        factor=None if preprocessed else rates(lambda s: s.video_s, lambda s: s.total_s),
        factor_prediction=rates(lambda s: s.video_s, _prediction),
        frames_per_s=None if preprocessed else rates(lambda s: s.frames, lambda s: s.total_s),
        device_forward=medians(lambda s: s.device_forward_s or 0.0) if on_device else None,
        percentiles=tuple((q, percentile([s.total_s for s in samples], q)) for q in PERCENTILES),
        peak_rss_bytes=max(
            (p.peak_rss_bytes for p in processes if p.peak_rss_bytes is not None), default=None
        ),
        peak_device_bytes=max(
            (p.peak_device_bytes for p in processes if p.peak_device_bytes is not None), default=None
        ),
        flops_per_view=_median([2 * s.macs / s.views for s in samples if s.macs is not None and s.views]),
        flops_per_video=_median([2 * m for m in macs]),
        flops_per_s=rates(lambda s: 2 * (s.macs or 0), lambda s: s.stages_s.get("forward", 0.0))
        if macs and len(macs) == len(samples)
        else None,
        cpu_ratio=_median([s.cpu_s / s.total_s for s in samples if s.total_s > 0]),
        waiting=_median([w for s in samples if (w := waiting_ratio(s.waited_s, s.total_s)) is not None]),
        repeated=len(measured.latencies) - len(samples),
        preprocessed=preprocessed,
        errors=tuple((p.process, p.error) for p in processes if p.error is not None),
    )


def undisturbed(samples: Sequence[LatencyRecord]) -> list[LatencyRecord]:
    """The samples without the disturbed ones, where a clip has others in the same process."""
    return drop_disturbed(samples, clip=lambda s: (s.process, s.clip), disturbed=lambda s: s.disturbed)


def _prediction(sample: LatencyRecord) -> float:
    return _sum(sample.stages_s, PREDICTION)


def _preprocessing(sample: LatencyRecord) -> float:
    return _sum(sample.stages_s, PREPROCESSING)


def _sum(stages_s: Mapping[str, float], names: tuple[str, ...]) -> float:
    return sum(stages_s.get(name, 0.0) for name in names)


def _median(values: list[float] | list[int]) -> float | None:
    return float(np.median(values)) if values else None


def _stages(
    samples: list[LatencyRecord], medians: Callable[[Callable[[LatencyRecord], float]], Estimate | None]
) -> tuple[tuple[str, Stage], ...]:
    total = sum(s.total_s for s in samples)
    stages = []
    for name in STAGES:
        estimate = medians(lambda s, name=name: s.stages_s.get(name, 0.0))  # type: ignore[misc]
        if estimate is not None and any(name in s.stages_s for s in samples):
            spent = sum(s.stages_s.get(name, 0.0) for s in samples)
            stages.append((name, Stage(estimate, spent / total if total else 0.0)))
    return tuple(stages)


def _other(samples: list[LatencyRecord]) -> float | None:
    total = sum(s.total_s for s in samples)
    if not total:
        return None
    return 1 - sum(sum(s.stages_s.values()) for s in samples) / total

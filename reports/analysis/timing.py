"""Times of the latency scenario: per video, per stage, percentiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...records.disturbance import drop_disturbed
from ...records.run import PREPROCESSED_INPUT, STAGES
from ...records.scenarios.latency import LATENCY, LatencyRecord
from ..statistics.intervals import Estimate, percentile, process_median
from .load_runs import ModelData, Timings
from .scenarios import ScenarioSummary, summarise_scenario

PERCENTILES = (0.9, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage: seconds per video, and its fraction (0–1) of the total time."""

    seconds: Estimate
    share: float


@dataclass(frozen=True, slots=True)
class Timing:
    """The figures of one model in the latency scenario.

    - `latency`: its metrics.
    - `videos`: number of different videos. `samples`: number of timed clips over all processes.
    - `stages`: (name, figures) of each stage that occurred.
    - `other_share`: fraction (0–1) of the total time that lies between stages; None without samples.
    - `percentiles`: (fraction, seconds) of the total per video, over all samples; seconds are None if the
      sample is too small.
    - `repeated`: number of disturbed samples that were repeated and are excluded from all figures.
    - `preprocessed`: the input was already preprocessed, so preprocessing was not measured.
    """

    latency: ScenarioSummary
    videos: int
    samples: int
    stages: tuple[tuple[str, Stage], ...]
    other_share: float | None
    percentiles: tuple[tuple[float, float | None], ...]
    repeated: int
    preprocessed: bool

    def estimate(self, metric: str) -> Estimate | None:
        """A metric of `records/scenarios/latency.py` that is a median over processes."""
        return self.latency.estimate(metric)

    def value(self, metric: str) -> float | None:
        """The value of any of its metrics, without an interval; None if unknown."""
        return self.latency.value(metric)

    @property
    def processes(self) -> int:
        """Number of processes that gave samples."""
        return self.latency.processes

    @property
    def errors(self) -> tuple[tuple[int, str], ...]:
        """(Process, why it gave no samples)."""
        return self.latency.errors

    @property
    def disturbed(self) -> bool:
        """Whether other programs used the cores while clips were timed."""
        return self.latency.disturbed


def timing(measured: ModelData) -> Timing:
    """The figures of one model in the latency scenario."""
    samples = undisturbed(measured.latencies)
    return Timing(
        latency=summarise_scenario(LATENCY, Timings(measured.processes, tuple(samples))),
        videos=len({s.clip for s in samples}),
        samples=len(samples),
        stages=_stages(samples),
        other_share=_other(samples),
        percentiles=tuple((q, percentile([s.total_s for s in samples], q)) for q in PERCENTILES),
        repeated=len(measured.latencies) - len(samples),
        preprocessed=any(PREPROCESSED_INPUT in s.notes for s in samples),
    )


def undisturbed(samples: Sequence[LatencyRecord]) -> list[LatencyRecord]:
    """The samples without the disturbed ones of clips that have undisturbed ones in the same process."""
    return drop_disturbed(samples, clip=lambda s: (s.process, s.clip), disturbed=lambda s: s.disturbed)


def _stages(samples: Sequence[LatencyRecord]) -> tuple[tuple[str, Stage], ...]:
    by_process: dict[int, list[LatencyRecord]] = {}
    for sample in samples:
        by_process.setdefault(sample.process, []).append(sample)
    total = sum(s.total_s for s in samples)
    stages = []
    for name in STAGES:
        estimate = process_median(
            [[s.stages_s.get(name, 0.0) for s in group] for group in by_process.values()]
        )
        if estimate is not None and any(name in s.stages_s for s in samples):
            spent = sum(s.stages_s.get(name, 0.0) for s in samples)
            stages.append((name, Stage(estimate, spent / total if total else 0.0)))
    return tuple(stages)


def _other(samples: Sequence[LatencyRecord]) -> float | None:
    total = sum(s.total_s for s in samples)
    if not total:
        return None
    return 1 - sum(sum(s.stages_s.values()) for s in samples) / total

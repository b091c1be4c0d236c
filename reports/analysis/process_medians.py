"""What each process of a run gave for each metric: the values that runs and revisions are compared by."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from ...records.metrics import FIRST, LOAD, PEAK_DEVICE_MEMORY, PEAK_MEMORY, TOTAL
from ...records.run import STAGES
from ...records.scenarios.latency import LatencyRecord
from .load_runs import ModelData
from .timing import undisturbed


def process_medians(measured: ModelData, clips: Collection[str] | None = None) -> dict[str, dict[int, float]]:
    """Metric → process → its median over timed clips (total, stages), or its one value (the other metrics).

    Disturbed samples that were taken again do not count, as in the report. `clips` leaves other clips out.
    Processes that failed give nothing; a stage that no clip went through, and
    a figure that was not recorded, are absent.
    """
    samples: dict[int, list[LatencyRecord]] = {}
    for sample in undisturbed(measured.latencies):
        if clips is None or sample.clip in clips:
            samples.setdefault(sample.process, []).append(sample)
    found: dict[str, dict[int, float]] = {
        TOTAL: {process: _median([s.total_s for s in group]) for process, group in samples.items()}
    }
    for stage in STAGES:
        found[stage] = {
            process: _median([s.stages_s[stage] for s in group])
            for process, group in samples.items()
            if all(stage in s.stages_s for s in group)
        }
    once: dict[str, dict[int, float | int | None]] = {
        LOAD: {p.process: p.load_s for p in measured.processes if p.error is None},
        FIRST: {p.process: p.first_s for p in measured.processes if p.error is None},
        PEAK_MEMORY: {p.process: p.peak_rss_bytes for p in measured.processes if p.error is None},
        PEAK_DEVICE_MEMORY: {p.process: p.peak_device_bytes for p in measured.processes if p.error is None},
    }
    for metric, values in once.items():
        found[metric] = {process: float(value) for process, value in values.items() if value is not None}
    return {metric: dict(sorted(values.items())) for metric, values in found.items() if values}


def _median(values: list[float]) -> float:
    return float(np.median(values))

"""One value per metric and process of a run: what runs and revisions are compared by."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from ...records.metrics import DECLARED, TOTAL
from ...records.run import STAGES
from ...records.scenarios.latency import LATENCY, LatencyRecord
from .load_runs import ModelData
from .timing import undisturbed


def process_medians(data: ModelData, clips: Collection[str] | None = None) -> dict[str, dict[int, float]]:
    """Metric → process → its median over timed clips (total, stages), or its only value (other metrics).

    The metrics are those of `records/metrics.py`, in their units. Disturbed samples that were repeated do not
    count, as in the report. Failed processes have no value. A stage that no clip went through, and a metric
    that was not recorded, are absent.

    - `data`: one model of one run.
    - `clips`: ids of the clips that count; None for all.
    """
    samples: dict[int, list[LatencyRecord]] = {}
    for sample in undisturbed(data.latencies):
        if clips is None or sample.clip in clips:
            samples.setdefault(sample.process, []).append(sample)
    processes = {p.process: [p] for p in data.processes if p.error is None}
    found: dict[str, dict[int, float]] = {}
    for name, declared in DECLARED.items():
        metric = LATENCY.metric(declared)
        groups = processes if metric.per_process else samples
        values = {process: [metric.value(record) for record in group] for process, group in groups.items()}
        found[name] = {process: _median(group) for process, group in values.items() if None not in group}
    for stage in STAGES:
        found[stage] = {
            process: _median([s.stages_s[stage] for s in group])
            for process, group in samples.items()
            if all(stage in s.stages_s for s in group)
        }
    order = dict.fromkeys((TOTAL, *STAGES, *DECLARED))
    return {metric: dict(sorted(found[metric].items())) for metric in order if found[metric]}


def _median(values: list[Any]) -> float:
    return float(np.median(values))

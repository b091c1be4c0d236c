"""Compares two stored runs, the second with the first: times, memory, accuracy.

The processes of two runs are not paired, because the runs were made one after the other, so ratios come from
all processes (`statistics.intervals.shift` of the log values). No interval can show a drift of the machine
between the runs; `bench gate` measures both versions in turns instead.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from ...errors import MeasurementError, UsageError
from ...records.fingerprint import differences
from ...records.metrics import TOTAL, unit
from ...records.run import ModelRecord, Run
from ..statistics.intervals import Estimate, Interval, holm, shift
from ..statistics.sequential import FEWEST_PAIRS, Look, Rule, Verdict, decide_by, verdict_of
from .accuracy import Paired, pairs
from .load_runs import MergedRuns, ModelData, RunData, merge
from .process_medians import process_medians
from .timing import timing

DRIFT = (
    "The runs were made one after the other: the intervals do not include a drift of the machine between "
    "them. `bench gate` measures both versions in turns."
)

UNRELATED = {"models", "out", "processes", "target", "latency_seconds", "clip_timeout", "python", "seed"}
"""Settings that do not change what is timed."""


@dataclass(frozen=True, slots=True)
class MetricChange:
    """One metric of one model in both runs.

    - `unit`: "s" or "bytes", of `first` and `second`.
    - `first`, `second`: medians over the run's processes.
    - `ratio`: second / first with its 95 % interval; without one if there are too few processes.
    - `processes`: number of processes of each run.
    """

    model: str
    metric: str
    unit: str
    first: float
    second: float
    ratio: Estimate
    processes: tuple[int, int]


@dataclass(frozen=True, slots=True)
class RunComparison:
    """The comparison of two runs.

    - `first`, `second`: names of the runs.
    - `verdict`: on the second run's total time per video; None if the machines differ.
    - `reason`: why that verdict was reached.
    - `threshold`: the change that matters, as a fraction.
    - `machine`: properties in which the machines differ.
    - `settings`: other differences, which may have changed the times.
    - `changes`: one entry for each metric of each model.
    - `accuracy`: model → its predictions in both runs of the labelled videos that both predicted, if
      there are any; `adjusted_p` over the models.
    - `notes`: caveats of the comparison.
    """

    first: str
    second: str
    verdict: Verdict | None
    reason: str
    threshold: float
    machine: tuple[str, ...]
    settings: tuple[str, ...]
    changes: tuple[MetricChange, ...]
    accuracy: dict[str, Paired]
    notes: tuple[str, ...] = ()


def compare_runs(
    first: RunData, second: RunData, threshold: float = Rule().threshold, force: bool = False
) -> RunComparison:
    """Compare the models that both runs have, with a verdict on their total time (Holm if there are several).

    - `first`, `second`: the earlier and the later run.
    - `threshold`: the change that matters, as a fraction.
    - `force`: compare runs of different machines too, without a verdict.

    Raises UsageError if the runs have no model in common; MeasurementError if one of these has no timed clip
    in common, or if the runs were made on different machines.
    """
    machine = differences(first.run.environment, second.run.environment)
    if machine and not force:
        raise MeasurementError(
            "the runs were made on different machines, so their times cannot be compared",
            where=f"{first.name}, {second.name}",
            found="; ".join(machine),
            remedy="--force shows the figures without a verdict.",
        )
    rule = Rule(threshold=threshold)
    changes: list[MetricChange] = []
    accuracy: dict[str, Paired] = {}
    unfinished = [data.name for data in (first, second) if data.run.state != "done"]
    notes = [DRIFT, *(f"{name}: the run is not complete." for name in unfinished)]
    looks = {}
    disturbed = []
    for mine, theirs in _common(first, second):
        key = mine.model.key
        clips = _shared_clips(mine, theirs)
        if left_out := {s.clip for m in (mine, theirs) for s in m.latencies} - clips:
            notes.append(f"{key}: clips that only one run timed are left out ({len(left_out)}).")
        before, after = process_medians(mine, clips), process_medians(theirs, clips)
        looks[key] = partial(_look, list(before[TOTAL].values()), list(after[TOTAL].values()))
        changes += _changes(key, before, after)
        for pair in pairs(MergedRuns((), (mine, theirs), second.run.target)):
            if pair.label is None:
                accuracy[key] = pair
        disturbed += [f"{key} in {m.run}" for m in (mine, theirs) if timing(m).disturbed]
    adjusted = holm([pair.p_value for pair in accuracy.values()])
    decision = decide_by(looks, rule)
    verdict: Verdict | None = decision.verdict
    reason = decision.reason
    few = min(found.pairs for found in decision.looks.values())
    if machine:
        verdict, reason = None, f"made on different machines: {'; '.join(machine)}"
    elif disturbed:
        verdict = "inconclusive"
        reason = f"other programs used the cores while these were timed: {', '.join(disturbed)}"
    elif few < FEWEST_PAIRS:
        reason = f"{few} processes; a verdict needs {FEWEST_PAIRS} in each run (`bench run --processes`)"
    return RunComparison(
        first.name,
        second.name,
        verdict,
        reason,
        threshold,
        tuple(machine),
        tuple(_settings(first.run, second.run)),
        tuple(changes),
        {key: replace(pair, adjusted_p=p) for (key, pair), p in zip(accuracy.items(), adjusted, strict=True)},
        tuple(notes),
    )


def _common(first: RunData, second: RunData) -> list[tuple[ModelData, ModelData]]:
    """Each model of both runs. Raises UsageError if there is none, MeasurementError if one of them failed."""
    models = merge([first, second]).models
    earlier = len(first.run.models)
    mine = {m.model.key: m for m in models[:earlier]}
    theirs = {m.model.key: m for m in models[earlier:]}
    common = [(mine[key], theirs[key]) for key in mine if key in theirs]
    if not common:
        raise UsageError(
            "the runs have no model in common",
            where=f"{first.name}, {second.name}",
            found=f"{', '.join(mine)} and {', '.join(theirs)}",
        )
    for measured in (m for both in common for m in both):
        if measured.model.state == "failed" or not measured.latencies:
            why = measured.model.error or "no process of its latency pass ended without an error"
            raise MeasurementError(f"{measured.model.key} was not timed: {why}", where=measured.run)
    return common


def _shared_clips(mine: ModelData, theirs: ModelData) -> set[str]:
    shared = {s.clip for s in mine.latencies} & {s.clip for s in theirs.latencies}
    if not shared:
        raise MeasurementError(
            f"{mine.model.key} was timed on different clips",
            where=f"{mine.run}, {theirs.run}",
            remedy="Run both with the same --data, --seed and --latency-clips.",
        )
    return shared


def _look(first: list[float], second: list[float], rule: Rule) -> Look:
    """The ratio of two runs at the rule's level; `pairs` counts the processes of the run that has fewer."""
    found = shift(_logs(first), _logs(second), 1 - rule.level)
    if found.interval is None:
        return Look(found.n, math.exp(found.value), None, None, "inconclusive", None)
    bottom, top = found.interval.low, found.interval.high
    verdict = verdict_of(bottom, top, rule) if found.n >= FEWEST_PAIRS else "inconclusive"
    return Look(found.n, math.exp(found.value), math.exp(bottom), math.exp(top), verdict, None)


def _changes(
    model: str, before: Mapping[str, Mapping[int, float]], after: Mapping[str, Mapping[int, float]]
) -> Iterator[MetricChange]:
    """Every metric that both runs have, if all its values are positive."""
    for metric in before:
        first, second = list(before[metric].values()), list(after.get(metric, {}).values())
        if not second or min(*first, *second) <= 0:
            continue
        found = shift(_logs(first), _logs(second))
        interval = found.interval
        if interval is not None:
            interval = Interval(math.exp(interval.low), math.exp(interval.high), interval.method)
        yield MetricChange(
            model,
            metric,
            unit(metric),
            float(np.median(first)),
            float(np.median(second)),
            Estimate(math.exp(found.value), interval, found.n),
            (len(first), len(second)),
        )


def _logs(values: list[float]) -> list[float]:
    return [math.log(value) for value in values]


def _settings(first: Run, second: Run) -> Iterator[str]:
    """Differences other than the machine: settings, models, data, versions."""
    yield from _different("", _timed_settings(first), _timed_settings(second))
    if first.data.get("digest") != second.data.get("digest"):
        yield f"videos: {first.data.get('name')}, {second.data.get('name')} (another list)"
    theirs = {model.key: model for model in second.models}
    for model in first.models:
        if model.key in theirs:
            yield from _different(f"{model.key} ", _of_model(model), _of_model(theirs[model.key]))
    yield from _different("", _versions(first), _versions(second))


def _timed_settings(run: Run) -> dict[str, Any]:
    return {name: value for name, value in run.config.items() if name not in UNRELATED}


def _of_model(model: ModelRecord) -> dict[str, Any]:
    """The fields of a model's record that its times depend on."""
    files = {
        stream: f"{w.get('kind')} {w.get('name')} {w.get('sha256')}" for stream, w in model.weights.items()
    }
    return {
        "backend": model.backend,
        "device": model.device,
        "views": model.views,
        "flow": model.flow,
        "people": model.people,
        **{f"{stream} weights": file for stream, file in files.items()},
    }


def _versions(run: Run) -> dict[str, Any]:
    environment = run.environment
    own = {name: environment.get(name) for name in ("actionbench", "git_commit", "python")}
    return {**own, **environment.get("packages", {})}


def _different(prefix: str, first: Mapping[str, Any], second: Mapping[str, Any]) -> Iterator[str]:
    for name in dict.fromkeys([*first, *second]):
        if first.get(name) != second.get(name):
            yield f"{prefix}{name}: {first.get(name)}, {second.get(name)}"

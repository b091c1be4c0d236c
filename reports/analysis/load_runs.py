"""Reads run directories and merges them: one entry for each model of each run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from ...errors import UsageError
from ...records.clips.columns import ClipColumns
from ...records.clips.scores import ScoreRows
from ...records.run import ModelRecord, ProcessRecord, Run
from ...records.run_directory import RunDirectory
from ...records.scenarios.latency import LatencyRecord
from ...records.scenarios.registry import SCENARIOS
from ...records.scenarios.stream_trials import StreamTrial

WeightsKind = Literal["random", "demo", "user", "published"]


@dataclass(frozen=True, slots=True)
class Timings:
    """The records of one scenario: its processes, and the samples, which have the scenario's type."""

    processes: tuple[ProcessRecord, ...]
    samples: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class RunData:
    """The contents of one run directory.

    - `name`: the folder's name.
    - `clips`: model → its records of the accuracy pass.
    - `scores`: model → its probabilities, in the rows of `clips`.
    - `processes`, `latencies`: the scenario "latency".
    - `scenarios`: the other scenarios that were measured.
    - `stream_trials`: of `--find-peak` and `--streams`.
    - `folder`: path of the directory, for its thumbnails; None for a run that is not on disk.
    """

    name: str
    run: Run
    clips: Mapping[str, ClipColumns]
    processes: tuple[ProcessRecord, ...]
    latencies: tuple[LatencyRecord, ...]
    scores: Mapping[str, ScoreRows]
    scenarios: Mapping[str, Timings] = field(default_factory=dict)
    stream_trials: tuple[StreamTrial, ...] = ()
    folder: Path | None = None


@dataclass(frozen=True, slots=True)
class ModelData:
    """One model of one run.

    Of records that a resumed run repeated only the last counts. Samples count only if their process ended
    without an error: one that failed or was killed measured only some of its videos.

    - `name`: unique in the report: the model's key, with the run's name if several runs have that key.
    - `run`: the run's name.
    - `clips`, `processes`, `latencies`: one record for each clip, process and timed clip.
    - `scores`: probabilities, in the rows of `clips`.
    - `scenarios`: scenarios other than "latency" that were measured.
    - `stream_trials`: of `--find-peak` and `--streams`.
    - `environment`: `Run.environment`.
    """

    name: str
    run: str
    model: ModelRecord
    clips: ClipColumns
    processes: tuple[ProcessRecord, ...]
    latencies: tuple[LatencyRecord, ...]
    scores: ScoreRows
    scenarios: Mapping[str, Timings] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    stream_trials: tuple[StreamTrial, ...] = ()

    @property
    def weights_kind(self) -> WeightsKind:
        """The least trained kind among the streams: one random stream makes a random network."""
        kinds = {stream["kind"] for stream in self.model.weights.values()}
        order: tuple[WeightsKind, ...] = ("random", "demo", "user", "published")
        return next((kind for kind in order if kind in kinds), "random")


@dataclass(frozen=True, slots=True)
class MergedRuns:
    """The runs of one report.

    - `models`: all models of all runs, in order: the rows of the report.
    - `target`: the target class.
    - `notes`: how far the runs are comparable.
    """

    runs: tuple[RunData, ...]
    models: tuple[ModelData, ...]
    target: str
    notes: tuple[str, ...] = ()


def read_run(path: Path) -> RunData:
    """Read a run directory, finished or not. Raises UsageError if it is not one, or is damaged."""
    directory = RunDirectory(path)
    run = directory.run
    clips = directory.columns()
    scores = {model.key: directory.score_rows(model.key, clips[model.key]) for model in run.models}
    return RunData(
        path.resolve().name,
        run,
        clips,
        tuple(directory.processes()),
        tuple(directory.latencies()),
        scores,
        {
            scenario: Timings(tuple(processes), tuple(directory.samples(scenario)))
            for scenario in SCENARIOS
            if scenario != "latency" and (processes := directory.processes(scenario))
        },
        tuple(directory.stream_trials()),
        path,
    )


def merge(runs: Sequence[RunData], target: str | None = None) -> MergedRuns:
    """Merge the models of one or several runs into one report.

    - `runs`: at least one; their order is that of the report.
    - `target`: the target class; None takes that of the first run.

    Raises UsageError if there is no run, or if one is named twice.
    """
    if not runs:
        raise UsageError("no run to report on", remedy="Name at least one run directory")
    folders = Counter(data.folder.resolve() for data in runs if data.folder is not None)
    for folder, times in folders.items():
        if times > 1:
            raise UsageError("is named more than once", where=folder, remedy="Name each run once")
    runs = _named_apart(runs)
    keys = Counter(model.key for data in runs for model in data.run.models)
    models = tuple(
        _measured(data, model, model.key if keys[model.key] == 1 else f"{model.key} ({data.name})")
        for data in runs
        for model in data.run.models
    )
    chosen = runs[0].run.target if target is None else target
    return MergedRuns(tuple(runs), models, chosen, tuple(_notes(runs, chosen, target is not None)))


def _named_apart(runs: Sequence[RunData]) -> list[RunData]:
    seen: Counter[str] = Counter()
    named = []
    for data in runs:
        seen[data.name] += 1
        name = data.name if seen[data.name] == 1 else f"{data.name} #{seen[data.name]}"
        named.append(replace(data, name=name))
    return named


def _measured(data: RunData, model: ModelRecord, name: str) -> ModelData:
    processes = {r.process: r for r in data.processes if r.model == model.key}
    ended = {p.process for p in processes.values() if p.error is None}
    latencies = {
        (r.process, r.repetition, r.clip, r.attempt): r
        for r in data.latencies
        if r.model == model.key and r.process in ended
    }
    return ModelData(
        name,
        data.name,
        model,
        data.clips[model.key],
        tuple(processes.values()),
        tuple(latencies.values()),
        data.scores[model.key],
        {
            scenario: timings
            for scenario, of_all in data.scenarios.items()
            if (timings := _of_model(of_all, model.key)).processes
        },
        data.run.environment,
        tuple(trial for trial in data.stream_trials if trial.measured.model == model.key),
    )


def _of_model(timings: Timings, key: str) -> Timings:
    """The records of one model, with samples of processes that ended without an error."""
    processes = tuple(p for p in timings.processes if p.model == key)
    ended = {p.process for p in processes if p.error is None}
    return Timings(processes, tuple(s for s in timings.samples if s.model == key and s.process in ended))


def _notes(runs: Sequence[RunData], target: str, chosen: bool) -> Iterable[str]:
    if len({data.run.data.get("digest") for data in runs}) > 1:
        yield (
            "The runs used different lists of videos ("
            + ", ".join(f"{d.name}: {d.run.data.get('name')}, {d.run.data.get('clips')} videos" for d in runs)
            + "). Their accuracies are not on the same videos; paired tests use the videos they share."
        )
    others = sorted({d.run.target for d in runs if d.run.target != target})
    if others and not chosen:
        yield f"The runs had different target classes; {target} is used, not {', '.join(others)}."
    if len({machine(d.run) for d in runs}) > 1:
        yield "The runs come from different machines, so differences in time are not due to the models alone."


def machine(run: Run) -> str:
    """What tells the machine of a run from another, where times are compared."""
    gpus = [gpu.get("name") for gpu in run.environment.get("gpus", ())]
    return repr((run.environment.get("cpu"), run.environment.get("cores"), gpus))

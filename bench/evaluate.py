"""`bench evaluate`: networks on a labelled set whose examples come in groups, trained on it or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..datasets.check import Checker
from ..datasets.clip import Clip
from ..datasets.composed.class_mapping import ClassMapping, same_names
from ..datasets.composed.example import ComposedSet, Example
from ..datasets.sources.manifest import write_manifest
from ..errors import MeasurementError, UsageError
from ..records.run_directory import RunDirectory
from ..reports.evaluation.predictions import Predictions
from ..reports.evaluation.document import EvaluationContents, write_evaluation
from ..reports.evaluation.metrics import contrast, evaluate
from ..reports.evaluation.recognition_time import Progress, RecognitionTime, recognition_times
from .console.progress import Console
from .plan.config import RunConfig
from .plan.plan import plan_models
from .predict import caveat
from .runner import resume_run, start_run

RUNS = "runs"
"""Folder of the run directories below an evaluation's."""


@dataclass(frozen=True, slots=True)
class EvaluationSettings:
    """What is evaluated, and how.

    - `target`: the label that matters most, e.g. falling.
    - `mapping`: which classes of the networks stand for the labels; None for networks with the set's labels.
    - `shares`: shares of each example, below 1, that are answered as well, for the time to recognition.
    """

    target: str
    mapping: ClassMapping | None = None
    shares: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not all(0 < share < 1 for share in self.shares):
            raise UsageError("must be above 0 and below 1", where="--shares", found=self.shares)


def evaluate_models(
    config: RunConfig, composed: ComposedSet, settings: EvaluationSettings, out: Path, console: Console
) -> Path:
    """Predict every example by every model of `config`, and evaluate the predictions; path of evaluation.md.

    Predictions are kept in run directories below `out` and not made again, so an interrupted evaluation goes
    on where it was.

    - `config`: models, weights, device and views; what it says of data, timing and output is not used.
    - `composed`: the labelled set; examples without a label are left out.

    Raises UsageError before anything is predicted for a label or class that is not there, MeasurementError
    if a model predictions nothing.
    """
    examples = [each for each in composed.examples if each.clip.label is not None]
    if settings.target not in composed.labels:
        raise UsageError(
            f"the set has no label '{settings.target}'",
            where="--target",
            expected=", ".join(composed.labels),
        )
    planned = plan_models(config, None)
    matrices = {
        model.key: (settings.mapping or same_names(composed.labels, model.labels, model.key)).matrix(
            composed.labels, model.labels
        )
        for model in planned
    }
    parts = _parts(examples, settings.shares, console) if settings.shares else {}
    manifest = out / "examples.csv"
    write_manifest(manifest, [*(each.clip for each in examples), *parts])
    notes = []
    directories = {}
    for number, (name, model) in enumerate(zip(config.models, planned, strict=True), 1):
        single = replace(
            config,
            models=(name,),
            data=f"manifest:{manifest}",
            # The run's own report, which would be about one class, is not written.
            target=model.labels[0],
            latency_clips=0,
            scenarios=("latency",),
            report=False,
            peak=False,
            out=str(out / RUNS / f"{number}"),
        )
        directories[model.key] = _predicted(single, console)
        kinds = [weights.kind for weights in model.weights.values()]
        if (warning := caveat(kinds)) is not None:
            notes.append(f"{model.key}: {warning}")
    predictions = {
        key: _answers(key, RunDirectory(path), examples, composed.labels, matrices[key])
        for key, path in directories.items()
    }
    common = set.intersection(*(set(each.examples) for each in predictions.values()))
    if left_out := len(examples) - len(common):
        notes.append(
            f"{left_out} of {len(examples)} examples are left out, because a model did not answer them."
        )
    if not common:
        raise MeasurementError("no example was answered by all models", where=out)
    chosen = [_restricted(each, common) for each in predictions.values()]
    times: list[tuple[str, RecognitionTime]] = []
    if settings.shares:
        for key, path in directories.items():
            seen = _progress(RunDirectory(path), examples, parts, settings, composed.labels, matrices[key])
            found = recognition_times(seen, composed.labels)
            times += [(key, time) for time in found.values()]
    notes += [f"Licence of {source}: {licence}" for source, licence in composed.licences.items()]
    contents = EvaluationContents(
        f"Evaluation on {composed.name}",
        settings.target,
        [evaluate(each) for each in chosen],
        [contrast(first, second) for first, second in combinations(chosen, 2)],
        times=times,
        notes=notes,
    )
    return write_evaluation(contents, out)


def _predicted(config: RunConfig, console: Console) -> Path:
    """A run directory with the predictions of the one model of `config`; gone on with if it was begun."""
    assert config.out is not None
    path = Path(config.out)
    return resume_run(path, console) if (path / "run.json").is_file() else start_run(config, console)


def _parts(
    examples: Sequence[Example], shares: Sequence[float], console: Console
) -> Mapping[Clip, tuple[str, float]]:
    """The beginning of each example up to each share → (its id, the share); none of what does not decode."""
    parts = {}
    with console.task("looking at lengths", len(examples)) as progress, Checker() as checker:
        for example, status in zip(examples, checker.map([each.clip for each in examples]), strict=True):
            progress.advance(example.clip.id)
            if status.duration_s is None:
                continue
            start = example.clip.start_s or 0.0
            for share in shares:
                end = start + share * status.duration_s
                part = replace(example.clip, id=f"{example.clip.id}@{share:g}", end_s=end)
                parts[part] = (example.clip.id, share)
    return parts


def _answers(
    name: str,
    directory: RunDirectory,
    examples: Sequence[Example],
    labels: tuple[str, ...],
    matrix: npt.NDArray[np.float64],
) -> Predictions:
    """The predictions of a run to whole examples, in the set's labels."""
    found = _log_probabilities(directory, matrix)
    chosen = [each for each in examples if each.clip.id in found]
    if not chosen:
        raise MeasurementError(
            "answered no example", where=name, remedy=f"Its messages are in {directory.path}"
        )
    return Predictions(
        name,
        labels,
        tuple(each.clip.id for each in chosen),
        tuple(each.group for each in chosen),
        np.array([labels.index(each.clip.label or "") for each in chosen], np.int64),
        np.array([found[each.clip.id] for each in chosen]),
    )


def _log_probabilities(
    directory: RunDirectory, matrix: npt.NDArray[np.float64]
) -> dict[str, npt.NDArray[np.float64]]:
    """Clip → (labels,) log-probabilities; classes that stand for no label are left out of the sum."""
    found = {}
    for record in directory.clips():
        if record.offset is None:
            continue
        sums = directory.scores(record).astype(np.float64) @ matrix
        with np.errstate(divide="ignore"):
            # A network that is sure of what stands for no label says nothing of the labels: all are alike.
            total = sums.sum()
            found[record.clip] = np.log(sums / total) if total > 0 else np.full(len(sums), -np.log(len(sums)))
    return found


def _restricted(predictions: Predictions, examples: set[str]) -> Predictions:
    rows = [row for row, name in enumerate(predictions.examples) if name in examples]
    return replace(
        predictions,
        examples=tuple(predictions.examples[row] for row in rows),
        groups=tuple(predictions.groups[row] for row in rows),
        truth=predictions.truth[rows],
        log_probabilities=predictions.log_probabilities[rows],
    )


def _progress(
    directory: RunDirectory,
    examples: Sequence[Example],
    parts: Mapping[Clip, tuple[str, float]],
    settings: EvaluationSettings,
    labels: Sequence[str],
    matrix: npt.NDArray[np.float64],
) -> list[Progress]:
    """What was answered to more and more of each example; examples without all predictions are left out."""
    found = {
        clip: labels[int(answer.argmax())] for clip, answer in _log_probabilities(directory, matrix).items()
    }
    of_example: dict[str, dict[float, str]] = {}
    for part, (example, share) in parts.items():
        if part.id in found:
            of_example.setdefault(example, {})[share] = found[part.id]
    shares = (*sorted(settings.shares), 1.0)
    seen = []
    for each in examples:
        predictions = of_example.get(each.clip.id, {})
        if each.clip.id in found:
            predictions[1.0] = found[each.clip.id]
        if all(share in predictions for share in shares):
            predicted = tuple(predictions[share] for share in shares)
            seen.append(Progress(each.clip.id, each.group, each.clip.label or "", shares, predicted))
    return seen

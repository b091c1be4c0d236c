"""`bench evaluate`: networks on a labelled set whose examples come in groups, trained on it or not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ...datasets.check import Checker
from ...datasets.clip import Clip
from ...datasets.composed.class_mapping import ClassMapping, same_names
from ...datasets.composed.example import ComposedSet, Example
from ...errors import MeasurementError, UsageError
from ...models.detectors.registry import ChosenDetector
from ...preprocessing.preparer import NOBODY, NOT_LOOKED_FOR
from ...records.run_directory import RunDirectory
from ...reports.evaluation.document import EvaluationContents
from ...reports.evaluation.metrics import contrast, evaluate
from ...reports.evaluation.predictions import Predictions, most_probable
from ...reports.evaluation.recognition_time import PartialPredictions, RecognitionTime, recognition_times
from ..console.progress import Console
from ..plan.config import RunConfig
from ..plan.environment import cores
from ..plan.plan import plan_models
from ..plan.planned_model import PlannedModel
from ..plan.selection import with_members
from ..predict import caveat
from .runs import RUNS, predicted, require_same_settings, run_of, settle_examples

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class EvaluationSettings:
    """What is evaluated, and how.

    - `target`: the label that matters most, e.g. falling.
    - `mapping`: which classes of the networks stand for the labels; None for networks with the set's labels.
    - `shares`: shares of each example, below 1, that are predicted as well, for the time to recognition.
    """

    target: str
    mapping: ClassMapping | None = None
    shares: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not all(0 < share < 1 for share in self.shares):
            raise UsageError("must be above 0 and below 1", where="--shares", found=self.shares)


@dataclass(frozen=True, slots=True)
class _Part:
    """The beginning of an example: `clip` shows its first `share` (0–1)."""

    clip: Clip
    example: str
    share: float


@dataclass(frozen=True, slots=True, eq=False)
class _Model:
    """A network with its predictions.

    - `key`: its name in the report. `labels`: its classes.
    - `matrix`: (classes, labels), which class stands for which label.
    - `found`: clip → (labels,) log-probabilities; −inf alone where no class has any probability.
    """

    key: str
    labels: tuple[str, ...]
    matrix: Floats
    found: Mapping[str, Floats]


def evaluate_models(
    config: RunConfig, composed: ComposedSet, settings: EvaluationSettings, out: Path, console: Console
) -> EvaluationContents:
    """Predict every example by every model of `config`, and evaluate the predictions.

    Predictions are kept in run directories below `out` and not made again, so an interrupted evaluation goes
    on where it was.

    - `config`: models, weights, device and views; what it says of data, timing and output is not used.
    - `composed`: the labelled set; examples without a label are left out.

    Raises UsageError before anything is predicted for a label or class that is not there, and if `out` holds
    predictions with other settings or of other examples; MeasurementError if a model predicts nothing.
    """
    config = with_members(config, console.say)
    examples = [each for each in composed.examples if each.clip.label is not None]
    if settings.target not in composed.labels:
        raise UsageError(
            f"the set has no label '{settings.target}'",
            where="--target",
            expected=", ".join(composed.labels),
        )
    planned = plan_models(config, None)
    matrices = [_matrix(model, composed.labels, settings.mapping) for model in planned]
    runs = [run_of(config, name, model, out) for name, model in zip(config.models, planned, strict=True)]
    for run in runs:
        require_same_settings(run, console)
    parts = list(_parts(examples, settings.shares, config.clip_timeout, console)) if settings.shares else []
    settle_examples(out, [*(each.clip for each in examples), *(each.clip for each in parts)])
    directories = [predicted(run, console) for run in runs]
    models = [
        _Model(model.key, model.labels, matrix, _log_probabilities(directory, matrix))
        for model, matrix, directory in zip(planned, matrices, directories, strict=True)
    ]
    notes = [note for model in planned if (note := _caveat(model)) is not None]
    notes += [
        _about_people(each.key, each.people, directory)
        for each, directory in zip(planned, directories, strict=True)
        if each.people is not None
    ]
    common = _common(models, examples, out)
    if left_out := len(examples) - len(common):
        notes.append(f"{left_out} of {len(examples)} examples are left out: not predicted by all models.")
    evaluations = [evaluate(_predictions(model, common, composed.labels)) for model in models]
    points = {}
    for model, each in zip(models, planned, strict=True):
        if each.operating_point is None:
            continue
        if _same_classes(model, composed.labels):
            points[model.key] = each.operating_point
        else:
            notes.append(
                f"{model.key}: its operating point is left out. It was chosen for probabilities of the "
                "network's own classes, which are not the labels of this set."
            )
    for model in models:
        notes += _mapping_notes(model, common, composed.labels)
    times: list[tuple[str, RecognitionTime]] = []
    if settings.shares:
        whole = _with_all_parts(models, common, parts, settings.shares)
        if left_out := len(common) - len(whole):
            notes.append(
                f"Time to recognition: {left_out} of {len(common)} examples are left out: some part of them "
                "was not predicted by all models."
            )
        for model in models:
            seen = _partial(model, whole, parts, composed.labels)
            times += [(model.key, time) for time in recognition_times(seen, composed.labels).values()]
    notes += [f"Licence of {source}: {licence}" for source, licence in composed.licences.items()]
    return EvaluationContents(
        f"Evaluation on {composed.name}",
        settings.target,
        evaluations,
        [contrast(first, second) for first, second in combinations(evaluations, 2)],
        points,
        times=times,
        notes=notes,
    )


def _matrix(model: PlannedModel, labels: tuple[str, ...], mapping: ClassMapping | None) -> Floats:
    chosen = mapping or same_names(labels, model.labels, model.key)
    return chosen.matrix(labels, model.labels)


def _caveat(model: PlannedModel) -> str | None:
    warning = caveat([weights.kind for weights in model.weights.values()])
    return None if warning is None else f"{model.key}: {warning}"


def _about_people(key: str, detector: ChosenDetector, directory: RunDirectory) -> str:
    """How many clips of a run show no person, so that the network saw whole frames."""
    answered = [record for record in directory.clips() if record.error is None]
    whole = sum(bool({NOBODY, NOT_LOOKED_FOR} & set(record.notes)) for record in answered)
    return f"{key}: the main person is found by {detector}; whole frames in {whole} of {len(answered)} clips."


def _parts(
    examples: Sequence[Example], shares: Sequence[float], timeout_s: float, console: Console
) -> Iterator[_Part]:
    """The beginning of each example up to each share; none of what does not decode."""
    with (
        console.task("measuring durations", len(examples)) as progress,
        Checker(workers=cores(), timeout_s=timeout_s) as checker,
    ):
        for example, status in zip(examples, checker.map([each.clip for each in examples]), strict=True):
            progress.advance(example.clip.id)
            if status.duration_s is None:
                continue
            start = example.clip.start_s or 0.0
            for share in shares:
                end = start + share * status.duration_s
                clip = replace(example.clip, id=f"{example.clip.id}@{share:g}", end_s=end)
                yield _Part(clip, example.clip.id, share)


def _log_probabilities(directory: RunDirectory, matrix: Floats) -> dict[str, Floats]:
    """Clip → (labels,) log-probabilities; classes that stand for no label are left out of the sum."""
    found = {}
    for record in directory.clips():
        if record.offset is None:
            continue
        sums = directory.scores(record).astype(np.float64) @ matrix
        total = sums.sum()
        with np.errstate(divide="ignore"):
            # A network that is sure of what stands for no label predicts none of the labels.
            found[record.clip] = np.log(sums / total) if total > 0 else np.full(len(sums), -np.inf)
    return found


def _common(models: Sequence[_Model], examples: Sequence[Example], out: Path) -> list[Example]:
    """The examples that all models predicted. Raises MeasurementError if a model, or all, predicted none."""
    for model in models:
        if not any(each.clip.id in model.found for each in examples):
            raise MeasurementError(
                "predicted no example", where=model.key, remedy=f"Its messages are in {out / RUNS}"
            )
    common = [each for each in examples if all(each.clip.id in model.found for model in models)]
    if not common:
        raise MeasurementError("no example was predicted by all models", where=out)
    return common


def _predictions(model: _Model, examples: Sequence[Example], labels: tuple[str, ...]) -> Predictions:
    return Predictions(
        model.key,
        labels,
        tuple(each.clip.id for each in examples),
        tuple(each.group for each in examples),
        np.array([labels.index(each.clip.label or "") for each in examples], np.int64),
        np.array([model.found[each.clip.id] for each in examples]),
    )


def _same_classes(model: _Model, labels: tuple[str, ...]) -> bool:
    """Whether each class of the model is the label of its own name, so that probabilities are unchanged."""
    return set(model.labels) == set(labels) and all(
        model.matrix[row, labels.index(name)] for row, name in enumerate(model.labels)
    )


def _mapping_notes(model: _Model, examples: Sequence[Example], labels: Sequence[str]) -> Iterator[str]:
    """What the mapping keeps a model from predicting."""
    for label, classes in zip(labels, model.matrix.sum(0), strict=True):
        if not classes:
            yield f"{model.key}: no class stands for {label}, which is therefore never predicted."
    none = sum(bool(np.isneginf(model.found[each.clip.id]).all()) for each in examples)
    if none:
        yield (
            f"{model.key}: {none} of {len(examples)} examples have no probability on any class that stands "
            "for a label. They count as wrong, and as predicted as no class."
        )


def _with_all_parts(
    models: Sequence[_Model], examples: Sequence[Example], parts: Sequence[_Part], shares: Sequence[float]
) -> list[Example]:
    """The examples of which all models predicted the part of each share."""
    known = {
        (part.example, part.share) for part in parts if all(part.clip.id in model.found for model in models)
    }
    return [each for each in examples if all((each.clip.id, share) in known for share in shares)]


def _partial(
    model: _Model, examples: Sequence[Example], parts: Sequence[_Part], labels: Sequence[str]
) -> list[PartialPredictions]:
    """What the model predicts of more and more of each example."""
    clips: dict[str, dict[float, str]] = {each.clip.id: {1.0: each.clip.id} for each in examples}
    for part in parts:
        if part.example in clips:
            clips[part.example][part.share] = part.clip.id

    def label_of(clip: str) -> str | None:
        (column,) = most_probable(model.found[clip][None])
        return None if column < 0 else labels[column]

    seen = []
    for each in examples:
        of_example = clips[each.clip.id]
        shares = tuple(sorted(of_example))
        predicted = tuple(label_of(of_example[share]) for share in shares)
        seen.append(PartialPredictions(each.clip.id, each.group, each.clip.label or "", shares, predicted))
    return seen

"""`bench experiments`: the trainings of a file, and what they are worth beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import UsageError
from ..records.training import ExamplePrediction
from ..reports.evaluation.predictions import Predictions
from ..reports.evaluation.document import EvaluationContents, write_evaluation
from ..reports.evaluation.metrics import contrast, evaluate
from ..reports.evaluation.operating_point import Favour, choose
from ..training.experiments import Experiments, predictions_of, run_experiments
from .console.progress import Console


def compare_experiments(path: Path, out: Path, favour: Favour, console: Console) -> Path:
    """Carry out the trainings of the file `path` in the folder `out`, and write their evaluation there.

    - `favour`: what operating points of the target are chosen for, on the validation clips.

    Returns the path of evaluation.md. Raises as `run_experiments` does.
    """
    experiments = run_experiments(path, out, console)
    predictions = {
        run: predictions_from(run, found) for run, found in predictions_of(experiments, out, "test").items() if found
    }
    validation = {
        run: predictions_from(run, found)
        for run, found in predictions_of(experiments, out, "validation").items()
        if found
    }
    if not predictions:
        raise UsageError("no clip was tested", where=path)
    target = experiments.target
    contents = EvaluationContents(
        f"Experiments: {path.stem}",
        target,
        [evaluate(each) for each in predictions.values()],
        [contrast(predictions[first], predictions[second]) for first, second in experiments.contrasts],
        {run: choose(each, target, favour) for run, each in validation.items()},
        notes=_notes(experiments),
        settings=experiments.own_settings(),
    )
    return write_evaluation(contents, out)


def predictions_from(name: str, predictions: Sequence[ExamplePrediction]) -> Predictions:
    """What trainings answered, as an evaluation takes it; classes in the order of the network's."""
    labels = tuple(predictions[0].log_probabilities)
    return Predictions(
        name,
        labels,
        tuple(each.example for each in predictions),
        tuple(each.group for each in predictions),
        np.array([labels.index(each.label) for each in predictions], np.int64),
        np.array([[each.log_probabilities[label] for label in labels] for each in predictions]),
    )


def _notes(experiments: Experiments) -> list[str]:
    notes = []
    if experiments.folds:
        notes.append(
            f"Each clip was tested once, by a network trained without the fold that its group is in "
            f"({experiments.folds} folds)."
        )
    if len(experiments.seeds) > 1:
        notes.append(
            f"Each training was repeated with {len(experiments.seeds)} seeds; a clip counts once for each. "
            "Intervals are over groups, so that repeating a clip does not make them shorter."
        )
    return notes

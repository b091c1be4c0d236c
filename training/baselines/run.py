"""A baseline from its task to the folder of its result: predictions as of a training, but no network."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...datasets.composed.example import Example
from ...errors import UsageError
from ...models.finetuning.finetuned import BASELINE
from ...records.json_lines import write_atomically
from ...records.training import write_predictions
from ..inputs.examples import target
from ..inputs.features import Wanted
from ..losses import class_weights
from ..reporting import Reporter
from ..result import CONFIG, resume_command
from ..task import Task
from .classifiers import Rows, classifier, log_probabilities
from .statistics import BRIGHTNESS, LENGTH, MOTION, NAMES, statistics

SCHEMA = 1
"""Version of `baseline.json`."""

COLUMNS = {"length": LENGTH, "brightness": BRIGHTNESS, "motion": (*MOTION, *BRIGHTNESS)}
"""Baseline → names of the clip statistics that it is fitted on."""


def weights_of(task: Task) -> dict[str, float]:
    """Class → its weight for the run's loss; their mean over the training clips is 1.

    For `ce` all are 1, for `wce` those that scikit-learn calls "balanced". Raises UsageError for a class that
    is not trained on, and for fewer than two classes.
    """
    if len(task.labels) < 2:
        raise UsageError(
            "has nothing to tell apart", where=task.composed.name, expected="two classes or more"
        )
    rules: dict[str, Any] = {"wce": "inverse", "effective": "effective"}
    raw = class_weights(task.counts, rules.get(task.config.loss, "none"), task.config.beta)
    counts = list(task.counts.values())
    mean = float(np.average(raw, weights=counts))
    return {label: weight / mean for label, weight in zip(task.labels, raw, strict=True)}


def run_baseline(task: Task, weights: dict[str, float], folder: Path, reporter: Reporter) -> None:
    """Fit the task's baseline on its training clips, and write its predictions for the others into `folder`.

    - `weights`: `weights_of(task)`.

    `baseline.json`, written last, says that it has ended. Raises ClipError for a clip that cannot be read.
    """
    baseline = task.config.baseline
    assert baseline is not None, "a training is no baseline"
    sides = [(side, example) for side, examples in task.evaluated.items() for example in examples]
    training = task.split.train
    whole_frames = task.whole_frames(reporter)
    rows = _rows(baseline, task, [*training, *(example for _, example in sides)], reporter)
    fitted = classifier(baseline, {place: weights[label] for place, label in enumerate(task.labels)})
    fitted.fit(rows[: len(training)], [target(example, task.labels) for example in training])
    answers = log_probabilities(fitted, rows[len(training) :]).tolist() if sides else []
    resume = resume_command(folder)
    predictions = [
        task.answer(side, example, row) for (side, example), row in zip(sides, answers, strict=True)
    ]
    write_predictions(folder, predictions, resume)
    description = json.dumps(
        _description(task, baseline, weights, folder, whole_frames), ensure_ascii=False, indent=1
    )
    write_atomically(folder / BASELINE, f"{description}\n".encode(), resume)


def _rows(baseline: str, task: Task, examples: Sequence[Example], reporter: Reporter) -> Rows:
    """The classifier's input for each example, (examples, features)."""
    clips = [example.clip for example in examples]
    if baseline == "majority":
        return np.empty((len(clips), 0))
    if baseline == "probe":
        features = task.features(task.network(), trained=0, views=1)
        features.prepare([Wanted(clip, None) for clip in clips], reporter)
        return np.concatenate([features.even(clip).numpy() for clip in clips]).astype(np.float64)
    columns = [NAMES.index(name) for name in COLUMNS[baseline]]
    return statistics(clips, task.cache(), reporter)[:, columns].astype(np.float64)


def _description(
    task: Task, baseline: str, weights: dict[str, float], folder: Path, whole_frames: Sequence[str]
) -> dict[str, Any]:
    described = {
        "schema": SCHEMA,
        "baseline": baseline,
        "features": list(COLUMNS.get(baseline, ())),
        "labels": list(task.labels),
        "training": {
            "data": task.composed.name,
            "split": task.split.name,
            "notes": list(task.split.notes),
            "examples": task.counts,
        },
        "settings_sha256": hashlib.sha256((folder / CONFIG).read_bytes()).hexdigest(),
    }
    if baseline == "probe":
        assert task.weights is not None, "checked by the configuration"
        described["features"] = ["L2-normalised features of the middle window"]
        described["network"] = {
            "base": task.base,
            "weights_sha256": task.weights.sha256,
            "window": task.windows.length,
        }
    if task.people is not None:
        described["people"] = task.people.record()
        described["whole_frames"] = list(whole_frames)
    if baseline != "majority":
        described["class_weights"] = weights
    return described

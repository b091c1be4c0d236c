"""What a fine-tuning leaves for evaluation: its prediction for each example that it was not trained on.

`predictions.jsonl` in the folder of the result: one `ExamplePrediction` a line.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from ..errors import UsageError
from ..operating_point import Costs, Favour, OperatingPoint, choose
from .json_lines import records, to_json, write_atomically

PREDICTIONS = "predictions.jsonl"

Side = Literal["validation", "test", "held-out"]


@dataclass(frozen=True, slots=True)
class ExamplePrediction:
    """The prediction for one example.

    - `side`: of the split that it is on; "held-out" of a second set.
    - `example`: the clip's id in its composed set. `group`: film, subject or event; `source`: of the set.
    - `label`: its class.
    - `log_probabilities`: class → natural logarithm of its probability.
    """

    side: Side
    example: str
    group: str
    source: str
    label: str
    log_probabilities: dict[str, float]


def chosen_on_validation(
    predictions: Iterable[ExamplePrediction], label: str, favour: Favour | Costs, where: object = None
) -> OperatingPoint:
    """The operating point of `label` that is best on those of `predictions` that are of validation examples.

    Raises UsageError, naming `where`, if none or all of these have the class, or it is none of the network's.
    """
    validation = [each for each in predictions if each.side == "validation"]
    if any(label not in each.log_probabilities for each in validation):
        known = validation[0].log_probabilities
        raise UsageError(f"has no class '{label}'", where=where, expected=", ".join(known))
    probability = np.exp([each.log_probabilities[label] for each in validation])
    positive = np.array([each.label == label for each in validation], bool)
    return choose(label, probability, positive, favour, where)


def write_predictions(folder: Path, predictions: Iterable[ExamplePrediction], resume: str) -> None:
    """Write them into the result's folder, whole or not at all.

    `resume`: the command that goes on when the disk has space again. Raises MeasurementError.
    """
    data = b"".join(to_json(asdict(each)) for each in predictions)
    write_atomically(folder / PREDICTIONS, data, resume)


def read_predictions(folder: Path) -> list[ExamplePrediction]:
    """The predictions in a result's folder. Raises UsageError for what is damaged or not there."""
    path = folder / PREDICTIONS
    if not path.is_file():
        raise UsageError(
            "there are no predictions", where=path, remedy="`bench finetune` writes them when it ends."
        )
    found: list[ExamplePrediction] = []
    for number, each in enumerate(records(path, ExamplePrediction), 1):
        values = each.log_probabilities.values()
        if each.label not in each.log_probabilities or any(math.isnan(v) or v > 1e-6 for v in values):
            raise UsageError(f"line {number} is damaged: it holds no prediction", where=path)
        if found and each.log_probabilities.keys() != found[0].log_probabilities.keys():
            raise UsageError(
                f"line {number} is damaged: it is of other classes than the first",
                where=path,
                expected=", ".join(found[0].log_probabilities),
                found=", ".join(each.log_probabilities),
            )
        found.append(each)
    return found

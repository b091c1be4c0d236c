"""`bench operating-point`: the operating point of a network that was trained here, set after its training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..errors import UsageError, unknown_name
from ..models.finetuning.finetuned import Finetuned, is_finetuned, read_description, write_description
from ..operating_point import Costs, Favour, OperatingPoint
from ..records.training import PREDICTIONS, ExamplePrediction, chosen_on_validation, read_predictions
from ..reports.evaluation.metrics import evaluate
from ..reports.evaluation.operating_point import at_operating_points, operating_point_table
from ..reports.evaluation.predictions import joined
from ..reports.tables.table import Table


def finetuned_in(folder: Path) -> Finetuned:
    """What the folder says of its network. Raises UsageError if there is none, WeightsError for damage."""
    if not is_finetuned(folder):
        raise UsageError(
            "holds no network that was trained here",
            where=folder,
            expected="the folder of a result of `bench finetune`, or a run's folder of `bench experiments`",
        )
    return read_description(folder)


def set_operating_point(folder: Path, label: str, how: Favour | Costs | float) -> OperatingPoint:
    """Choose or replace the operating point in the folder of a trained network; the one that it then has.

    - `label`: its class. `how`: what it is chosen for, on the validation examples of the training, or its
      threshold, 0–1.

    Raises UsageError for an unknown class, a threshold out of range, or predictions that are not there or
    allow no choice; the folder is then unchanged.
    """
    network = finetuned_in(folder)
    if label not in network.labels:
        raise UsageError(str(unknown_name("class", label, network.labels)), where="--target")
    if isinstance(how, float):
        try:
            point = OperatingPoint(label, how)
        except ValueError as error:
            raise UsageError(
                "is no probability", where="--threshold", expected="0 to 1", found=how
            ) from error
    else:
        predictions = _predictions(folder, network)
        point = chosen_on_validation(predictions, label, how, where=folder / PREDICTIONS)
    write_description(folder, replace(network, operating_point=point))
    return point


def figures(folder: Path) -> Table:
    """What the operating point of the network in `folder` gives on the examples that it was not trained on.

    Two lines for each side that has examples: by the most probable class, and by the operating point.
    """
    network = finetuned_in(folder)
    point = network.operating_point
    found = _predictions(folder, network)
    sides = [[each for each in found if each.side == side] for side in dict.fromkeys(e.side for e in found)]
    evaluations = [evaluate(joined(side[0].side, side)) for side in sides]
    points = {} if point is None else {each.predictions.name: point for each in evaluations}
    return operating_point_table(at_operating_points(evaluations, points))


def _predictions(folder: Path, network: Finetuned) -> list[ExamplePrediction]:
    found = read_predictions(folder)
    for number, each in enumerate(found, 1):
        if tuple(each.log_probabilities) != network.labels:
            raise UsageError(
                f"line {number} is not of the network's classes",
                where=folder / PREDICTIONS,
                expected=", ".join(network.labels),
                found=", ".join(each.log_probabilities),
            )
    return found

"""Logits of a network's backends on the same input, each in a process of its own, and how far they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from ..errors import MeasurementError
from ..models.parity import Agreement, compare_logits, rounded, softmax
from ..models.spec import FloatArray
from .config import RunConfig
from .job import Job
from .plan import PlannedModel
from .progress import Console
from .supervisor import run_arrays


@dataclass(frozen=True, slots=True)
class Compared:
    """A model against the reference on one input.

    - `agreement`: of the logits. `rounding`: relative distance that rounding the input alone gives; None in
      float32. `agrees`: see `Agreement.agrees`. `target_score`: drift of the target class's probability.
    """

    agreement: Agreement
    rounding: float | None
    agrees: bool | None
    target_score: float | None


def compare(
    reference: PlannedModel,
    others: Sequence[PlannedModel],
    inputs: Sequence[Mapping[str, FloatArray]],
    folder: Path,
    config: RunConfig,
    console: Console,
    failures: dict[str, str] | None = None,
) -> dict[str, list[Compared]]:
    """Key of each of `others` → how it differs from `reference` on each of `inputs`.

    `folder`: for the arrays that go to the processes and come back. `failures`: is told why one of `others`
    could not be compared, which then is not in the answer. Raises MeasurementError where there are none.
    """
    files = _saved(folder, "input", inputs)
    rounded_files = {
        precision: _saved(folder, precision, [r for each in inputs if (r := rounded(each, precision))])
        for precision in sorted({model.request.precision for model in others})
    }
    every = [*files, *chain.from_iterable(rounded_files.values())]
    try:
        logits = dict(zip(every, compute_logits(reference, every, config, console), strict=True))
    except MeasurementError as error:
        if failures is None:
            raise
        failures.update((model.key, str(error)) for model in others)
        return {}
    compared = {}
    for model in others:
        try:
            found = compute_logits(model, files, config, console)
        except MeasurementError as error:
            if failures is None:
                raise
            failures[model.key] = str(error)
            continue
        of_rounded: list[FloatArray | None] = [
            logits[file] for file in rounded_files[model.request.precision]
        ]
        compared[model.key] = [
            _compared(model, logits[file], own, again)
            for file, own, again in zip(files, found, of_rounded or [None] * len(files), strict=True)
        ]
    return compared


def _compared(
    model: PlannedModel, expected: FloatArray, found: FloatArray, of_rounded: FloatArray | None
) -> Compared:
    agreement = compare_logits(expected, found)
    rounding = None if of_rounded is None else compare_logits(expected, of_rounded).relative_l2
    drift = None
    if model.target is not None:
        drift = float(np.abs(softmax(found) - softmax(expected))[:, model.target].max())
    return Compared(agreement, rounding, agreement.agrees(model.request.precision, rounding), drift)


def _saved(folder: Path, name: str, inputs: Sequence[Mapping[str, FloatArray]]) -> list[Path]:
    paths = [folder / f"{name}-{number}.npz" for number in range(len(inputs))]
    for path, arrays in zip(paths, inputs, strict=True):
        save_arrays(path, arrays)
    return paths


def save_arrays(path: Path, arrays: Mapping[str, FloatArray]) -> None:
    """Keep the input of a network, one array a stream, as `compute_logits` takes it."""
    np.savez(path, **arrays)  # type: ignore[arg-type]  # the stub takes any name for one of its own options


def compute_logits(
    model: PlannedModel, inputs: Sequence[Path], config: RunConfig, console: Console
) -> list[FloatArray]:
    """Logits (N, classes) of each of the files of `inputs`, computed in a process of its own.

    The answers are left beside them. Raises MeasurementError.
    """
    pairs = tuple((path, path.with_suffix(".npy")) for path in inputs)
    job = Job("arrays", model.request.key, model.weights, model.options, len(model.labels), arrays=pairs)
    console.say(f"computing with {model.key}")
    run_arrays(job, model.python, inputs[0].with_suffix(".log"), config.clip_timeout, console.say)
    return [np.load(output, allow_pickle=False) for _, output in pairs]

"""Logits of a network's backends on the same input, each in a process of its own, and how far they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np

from ...errors import MeasurementError
from ...models.parity import (
    AgreementVerdict,
    BackendAgreement,
    compare_logits,
    drift_limit,
    mantissa,
    rounded,
)
from ...models.probabilities import softmax
from ...models.spec import FloatArray, InputArray
from ..console.progress import Console
from ..plan.config import RunConfig
from ..plan.plan import PlannedModel
from ..worker.arrays import ArraySettings
from ..worker.job import Job
from ..worker.supervisor import run_arrays

WEIGHTS_ROUNDED = 1e-5
"""Relative L2 distance above which the weights were in fact rounded: float32 rounding stays below (8e-6
between backends), rounding weights to ten bits gives 1e-4 and more."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A model against the reference on one input.

    - `agreement`: of the logits.
    - `rounding`: relative L2 distance that rounding weights and input to the model's precision causes in the
      reference; None in float32, and where the reference did not round its weights.
    - `limit`: see `drift_limit`.
    - `verdict`: see `BackendAgreement.verdict`.
    - `target_score`: largest change of the target class's probability; None without a target class.
    """

    agreement: BackendAgreement
    rounding: float | None
    limit: float | None
    verdict: AgreementVerdict
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

    - `reference`: the model in float32 that the others are compared with.
    - `others`: the same network with the same weights, in other backends or precisions.
    - `inputs`: each stream → (N, T, H, W, C) float32.
    - `folder`: for the files with inputs and logits, which processes exchange.
    - `config`: gives the timeout.
    - `console`: shows which model is computed.
    - `failures`: gets the key of each model that could not be compared → why; it is then not in the result.
      None: raise MeasurementError instead.
    """
    files = _saved(folder, "input", inputs)
    rounded_files = {
        precision: _saved(folder, precision, [r for each in inputs if (r := rounded(each, precision))])
        for precision in sorted({model.request.precision for model in others})
        if reference.request.precision == "fp32"
    }
    every = [*files, *chain.from_iterable(rounded_files.values())]
    try:
        logits = dict(zip(every, compute_logits(reference, every, config, console), strict=True))
        roundings = {
            precision: _roundings(reference, precision, logits, files, of_precision, config, console)
            for precision, of_precision in rounded_files.items()
            if of_precision
        }
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
        yardsticks = roundings.get(model.request.precision, [None] * len(files))
        compared[model.key] = [
            _compared(model, logits[file], own, rounding)
            for file, own, rounding in zip(files, found, yardsticks, strict=True)
        ]
    return compared


def _roundings(
    reference: PlannedModel,
    precision: str,
    logits: Mapping[Path, FloatArray],
    files: Sequence[Path],
    rounded_files: Sequence[Path],
    config: RunConfig,
    console: Console,
) -> list[float | None]:
    """`Compared.rounding` for each of `files`. `logits`: of the reference, for them and `rounded_files`."""
    bits = mantissa(precision)
    coarse = replace(
        reference,
        weights={stream: replace(each, mantissa=bits) for stream, each in reference.weights.items()},
    )
    found = compute_logits(coarse, rounded_files, config, console, f", weights rounded to {precision}")
    return [
        compare_logits(logits[file], own).relative_l2
        if compare_logits(logits[rounded_file], own).relative_l2 > WEIGHTS_ROUNDED
        else None
        for file, rounded_file, own in zip(files, rounded_files, found, strict=True)
    ]


def _compared(
    model: PlannedModel, expected: FloatArray, found: FloatArray, rounding: float | None
) -> Compared:
    agreement, limit = compare_logits(expected, found), drift_limit(rounding)
    drift = None
    if model.target is not None:
        drift = float(np.abs(softmax(found) - softmax(expected))[:, model.target].max())
    return Compared(agreement, rounding, limit, agreement.verdict(model.request.precision, limit), drift)


def _saved(folder: Path, name: str, inputs: Sequence[Mapping[str, FloatArray]]) -> list[Path]:
    paths = [folder / f"{name}-{number}.npz" for number in range(len(inputs))]
    for path, arrays in zip(paths, inputs, strict=True):
        save_arrays(path, arrays)
    return paths


def save_arrays(path: Path, arrays: Mapping[str, InputArray]) -> None:
    """Write the input of a network as a file for `compute_logits`.

    - `path`: the .npz file.
    - `arrays`: stream → (N, T, H, W, C) float32, or uint8 pixels.
    """
    np.savez(path, **arrays)  # type: ignore[arg-type]  # the stub takes any name for one of its own options


def compute_logits(
    model: PlannedModel, inputs: Sequence[Path], config: RunConfig, console: Console, how: str = ""
) -> list[FloatArray]:
    """Logits (N, classes) float32 of each input, all computed in one new process.

    - `model`: the model.
    - `inputs`: files of `save_arrays`, in one folder; the logits are kept there too, as .npy files.
    - `config`: gives the timeout.
    - `console`: shows that the model is computed.
    - `how`: what is shown behind the model's name.

    Raises MeasurementError if the process fails.
    """
    pairs = tuple((path, path.with_suffix(".npy")) for path in inputs)
    job = Job(
        "arrays",
        model.request.key,
        model.weights,
        model.options,
        len(model.labels),
        model.views,
        settings=ArraySettings(pairs),
    )
    console.say(f"computing with {model.key}{how}")
    run_arrays(job, model.python, inputs[0].with_suffix(".log"), config.clip_timeout, console.say)
    return [np.load(output, allow_pickle=False) for _, output in pairs]

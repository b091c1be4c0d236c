"""`bench parity`: whether the backends of a network agree, each in a process of its own.

Before two backends are compared for speed, their outputs are compared on the same weights and input.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tabulate import tabulate

from ..errors import MeasurementError, UsageError
from ..home import home
from ..models.parity import PUBLISHED_EXAMPLE, compare_logits, parity_inputs
from ..models.registry import find_model
from ..models.spec import FloatArray
from .config import RunConfig
from .demo import with_demo_weights
from .job import Job
from .plan import PlannedModel, plan_models
from .progress import Console
from .supervisor import run_arrays

TOLERANCE = 1e-3
"""Largest difference of logits between faithful float32 ports: they land near 1e-4, while the smallest of the
usual mistakes costs 0.06 (docs/preprocessing.md)."""

CERTIFICATES = "certificates"
"""Folder, under the cache folder, of what `--published` has shown: one JSON file per set of weights."""


@dataclass(frozen=True, slots=True)
class Case:
    """One input: batch, frames, height, width; the same for each stream."""

    batch: int
    frames: int
    height: int
    width: int

    def __str__(self) -> str:
        return f"{self.batch}×{self.frames}×{self.height}×{self.width}"


def check_parity(
    name: str,
    backends: Sequence[str] | None,
    weights: Mapping[str, str],
    frames: str,
    sizes: str,
    device: str,
    threads: int | None,
    console: Console,
) -> None:
    """Print how far the backends' logits are apart. Raises MeasurementError beyond TOLERANCE."""
    config = RunConfig(weights=weights or {"*": "demo"}, device=device, threads=threads)
    models = _planned(name, backends, config, console)
    cases = _cases(frames, sizes)
    with tempfile.TemporaryDirectory() as folder:
        inputs = []
        for number, case in enumerate(cases):
            path = Path(folder) / f"{number}.npz"
            arrays = parity_inputs(
                models[0].request.model, case.frames, case.height, case.width, case.batch, seed=number
            )
            np.savez(path, **arrays)  # type: ignore[arg-type]  # numpy's stub mistakes names for its own options
            inputs.append(path)
        logits = {model.key: _logits(model, inputs, config, console) for model in models}
    reference = models[0].key
    rows = []
    worst = 0.0
    for model in models[1:]:
        for case, expected, found in zip(cases, logits[reference], logits[model.key], strict=True):
            agreement = compare_logits(expected, found)
            worst = max(worst, agreement.max_abs)
            rows.append(
                [
                    f"{model.key} – {reference}",
                    str(case),
                    f"{agreement.max_abs:.1e}",
                    f"{agreement.relative_l2:.1e}",
                    f"{agreement.top1_equal:.0%}",
                    f"{float(np.std(expected)):.2f}",
                ]
            )
    kinds = ", ".join(sorted({w.kind for w in models[0].weights.values()}))
    print(f"{models[0].request.model.title}, {kinds} weights, device {models[0].options.device}, float32")
    headers = ["backends", "batch×T×H×W", "largest |Δ logit|", "relative L2", "same top-1", "std of logits"]
    print(tabulate(rows, headers=headers, disable_numparse=True))
    if worst > TOLERANCE:
        raise MeasurementError(
            "the backends disagree", where=name, expected=f"logits within {TOLERANCE:g}", found=f"{worst:.2g}"
        )
    print(f"the backends agree: largest difference {worst:.1e}, tolerance {TOLERANCE:g}")


def _planned(
    name: str, backends: Sequence[str] | None, config: RunConfig, console: Console
) -> list[PlannedModel]:
    """The network in each backend; those of its own that compute in float32 themselves by default."""
    found = find_model(name)
    chosen = backends or [b for b in found.model.backends if b != "tfhub"]
    if len(chosen) < 2:
        raise UsageError(
            f"{name} has one backend, {', '.join(chosen)}: there is nothing to compare",
            remedy="Networks with several: `bench models`.",
        )
    models = []
    for backend in chosen:
        (model,) = plan_models(replace(config, models=(f"{name}@{backend}",)), target=None)
        models.append(with_demo_weights(model, console.say))
    return models


def _cases(frames: str, sizes: str) -> list[Case]:
    """Every length at the first size, the shortest at the others and in a batch of two."""
    try:
        lengths = [int(value) for value in frames.split(",")]
        shapes = [(int(h), int(w)) for h, _, w in (size.partition("x") for size in sizes.split(","))]
    except ValueError:
        raise UsageError(
            "cannot be read", where="--frames/--sizes", expected="e.g. 9,16 and 224x224,199x210"
        ) from None
    (height, width), *others = shapes
    cases = [Case(1, length, height, width) for length in lengths]
    cases += [Case(1, min(lengths), h, w) for h, w in others]
    return [*cases, Case(2, min(lengths), height, width)]


def _logits(model: PlannedModel, inputs: Sequence[Path], config: RunConfig, console: Console) -> list[FloatArray]:
    pairs = tuple((path, path.with_name(f"{path.stem}-{model.request.backend}.npy")) for path in inputs)
    job = Job(
        mode="arrays", request=model.key, weights=model.weights, options=model.options, arrays=pairs
    )
    console.say(f"computing with {model.key}")
    run_arrays(job, model.python, inputs[0].with_suffix(".log"), config.clip_timeout)
    return [np.load(output, allow_pickle=False) for _, output in pairs]


def check_published(
    name: str,
    backends: Sequence[str] | None,
    weights: Mapping[str, str],
    device: str,
    threads: int | None,
    console: Console,
) -> None:
    """Reproduce the authors' example with their weights and sample arrays, and keep a certificate.

    Raises UsageError if the network has no published example or the files are not there, MeasurementError if
    the logits are not the published ones.
    """

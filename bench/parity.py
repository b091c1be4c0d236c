"""`bench parity`: whether the backends of a network agree, each in a process of its own.

Before two backends are compared for speed, their outputs are compared on the same weights and input.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from tabulate import tabulate

from ..errors import MeasurementError, UsageError, WeightsError
from ..models.parity import PUBLISHED, SHAPES, TOLERANCE, compare_logits, parity_inputs
from ..models.registry import find_model
from ..models.spec import FloatArray
from ..models.weights.catalogue import find_source
from ..models.weights.store import stored, stored_weights
from ..reports.run_directory import RunWriter
from .certificate import write_certificate
from .config import RunConfig
from .job import Job
from .plan import Plan, PlannedModel, plan_models
from .progress import Console
from .quantise import with_files
from .supervisor import run_arrays

Shape = tuple[int, int, int, int]
"""Frames, height, width, batch."""

AGREEMENT_FRAMES = 16
"""Length of the input on which a run compares the backends that it times."""

SAMPLES = "deepmind-samples"
"""Source of the arrays that the published example is about."""


def check_parity(
    config: RunConfig, backends: Sequence[str] | None, shapes: Sequence[Shape], console: Console
) -> None:
    """Print how far the logits of a network's backends are apart, on seeded input of each of `shapes`.

    `config` names one model; `backends`: the first is the reference, None for all that compute the same.
    Raises MeasurementError if they disagree, UsageError if there is only one.
    """
    models = with_backends(config, backends, console)
    reference, *others = models
    with tempfile.TemporaryDirectory() as folder:
        inputs = []
        for number, shape in enumerate(shapes):
            inputs.append(Path(folder) / f"{number}.npz")
            frames, height, width, batch = shape
            _save(
                inputs[-1], parity_inputs(reference.request.model, frames, height, width, batch, seed=number)
            )
        logits = {model.key: compute_logits(model, inputs, config, console) for model in models}
    rows = []
    worst = 0.0
    for model in others:
        for shape, expected, found in zip(shapes, logits[reference.key], logits[model.key], strict=True):
            agreement = compare_logits(expected, found)
            worst = max(worst, agreement.max_abs)
            rows.append(
                [
                    f"{model.key} – {reference.key}",
                    "×".join(map(str, shape)),
                    f"{agreement.max_abs:.1e}",
                    f"{agreement.relative_l2:.1e}",
                    f"{agreement.top1:.0%}",
                    f"{float(np.std(expected)):.2f}",
                ]
            )
    kinds = ", ".join(sorted({w.kind for w in reference.weights.values()}))
    print(f"{reference.request.model.title}, {kinds} weights, {reference.options.device}, float32")
    headers = ["backends", "T×H×W×batch", "largest |Δ logit|", "relative L2", "same top-1", "std of logits"]
    print(tabulate(rows, headers=headers, disable_numparse=True))
    if worst > TOLERANCE:
        raise MeasurementError(
            "the backends disagree",
            where=reference.request.model.name,
            expected=f"logits within {TOLERANCE:g}",
            found=f"{worst:.2g}",
        )
    print(f"the backends agree: largest difference {worst:.1e}, tolerance {TOLERANCE:g}")


def check_published(config: RunConfig, backends: Sequence[str] | None, console: Console) -> None:
    """Reproduce the authors' example with their weights and sample arrays, and keep a certificate.

    Raises UsageError for a network without a published example, WeightsError if weights or samples are not
    stored, MeasurementError if the logits are not the published ones.
    """
    (name,) = config.models
    if find_model(name).model.name != "i3d":
        raise UsageError(f"no published example is known for {name}", remedy="There is one for i3d.")
    if not config.weights:
        config = replace(config, weights={f"{name}-{s}": w for s, w in PUBLISHED.weights.items()})
    models = with_backends(config, backends, console, least=1)
    for model in models:
        wrong = {w.description.name for w in model.weights.values()} ^ set(PUBLISHED.weights.values())
        if wrong:
            raise UsageError(
                "the example was published for other weights",
                where="--published",
                expected=", ".join(PUBLISHED.weights.values()),
                found=", ".join(w.description.name for w in model.weights.values()),
            )
    samples = stored(find_source(SAMPLES))
    if samples is None:
        raise WeightsError(f"{SAMPLES} are not stored", remedy=f"`bench weights fetch {SAMPLES}`.")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "published.npz"
        _save(
            path,
            {stream: np.load(samples / file, allow_pickle=False) for stream, file in PUBLISHED.files.items()},
        )
        for model in models:
            (logits,) = compute_logits(model, [path], config, console)
            differences = PUBLISHED.differences(logits, model.labels)
            for what, difference in differences.items():
                print(f"{model.key}: {what}: {difference:+.6f} from the published value")
            worst = max(map(abs, differences.values()))
            if worst > TOLERANCE:
                raise MeasurementError(
                    "the published example is not reproduced",
                    where=model.key,
                    expected=f"within {TOLERANCE:g}",
                    found=f"{worst:.2g}",
                )
            path = write_certificate(model.request, model.weights, model.options, model.packages, worst)
            print(f"{model.key}: reproduced; certificate: {path}")


def check_agreement(plan: Plan, writer: RunWriter, console: Console) -> None:
    """Compare the backends of one network that a run is about to time, and record how far they are apart.

    On seeded input, 16 frames; for the same network with the same weights.
    """
    agreed: dict[str, str] = {}
    for reference, *others in _same_networks(plan.models):
        model = reference.request.model
        side = max(w.description.preprocessing.crop for w in reference.weights.values())
        with tempfile.TemporaryDirectory() as folder:
            inputs = Path(folder) / "inputs.npz"
            _save(inputs, parity_inputs(model, AGREEMENT_FRAMES, side, side, 1, seed=plan.config.seed))
            (expected,) = compute_logits(reference, [inputs], plan.config, console)
            for other in others:
                (found,) = compute_logits(other, [inputs], plan.config, console)
                worst = compare_logits(expected, found).max_abs
                verdict = "agrees with" if worst <= TOLERANCE else "DISAGREES with"
                agreed[other.key] = (
                    f"{verdict} {reference.key}: logits at most {worst:.1e} apart (tolerance {TOLERANCE:g})"
                )
                console.say(f"{other.key} {agreed[other.key]}")
    if agreed:
        run = writer.run
        models = tuple(replace(m, agreement=agreed.get(m.key, m.agreement)) for m in run.models)
        writer.write_run(replace(run, models=models))


def _same_networks(models: Sequence[PlannedModel]) -> list[list[PlannedModel]]:
    """Models that differ in their backend alone, where there are several."""
    groups: dict[tuple[object, ...], list[PlannedModel]] = {}
    for model in models:
        weights = ((s, w.kind, w.sha256, w.seed) for s, w in sorted(model.weights.items()))
        groups.setdefault((model.request.model.name, *weights), []).append(model)
    return [group for group in groups.values() if len(group) > 1]


def with_backends(
    config: RunConfig, backends: Sequence[str] | None, console: Console, least: int = 2
) -> list[PlannedModel]:
    """The one model of `config` in each backend; in all of its own weights' ones if none are named."""
    (name,) = config.models
    request = find_model(name)
    chosen = backends or [b for b in request.model.backends if b != "tfhub"]
    if len(chosen) < least:
        raise UsageError(
            f"{name} has one backend, {', '.join(chosen)}: there is nothing to compare",
            remedy="`bench models` tells which networks have several.",
        )
    if len(set(chosen)) < len(chosen):
        raise UsageError("a backend is named twice", where="--backends", found=", ".join(chosen))
    if not config.weights and not all(stored_weights(d) for d in request.model.streams.values()):
        # Random weights make a better test than demo weights, whose last layer is empty for most classes.
        config = replace(config, weights={"*": "random"})
    models = []
    for backend in chosen:
        (model,) = plan_models(replace(config, models=(f"{request.name}@{backend}",)), target=None)
        models.append(with_files(model, config, console.say))
    return models


def _save(path: Path, arrays: Mapping[str, FloatArray]) -> None:
    np.savez(path, **arrays)  # type: ignore[arg-type]  # the stub takes any name for one of its own options


def compute_logits(
    model: PlannedModel, inputs: Sequence[Path], config: RunConfig, console: Console
) -> list[FloatArray]:
    pairs = tuple((path, path.with_name(f"{path.stem}-{model.request.backend}.npy")) for path in inputs)
    job = Job("arrays", model.request.key, model.weights, model.options, len(model.labels), arrays=pairs)
    console.say(f"computing with {model.key}")
    run_arrays(job, model.python, inputs[0].with_suffix(".log"), config.clip_timeout, console.say)
    return [np.load(output, allow_pickle=False) for _, output in pairs]


def parse_shapes(text: str | None) -> tuple[Shape, ...]:
    """ "17x199x210,9x224x224x2" as (frames, height, width, batch) tuples; the network's own for None."""
    if text is None:
        return SHAPES
    shapes = []
    for item in text.split(","):
        numbers = item.strip().split("x")
        if len(numbers) not in (3, 4) or not all(n.isdigit() and int(n) > 0 for n in numbers):
            raise UsageError(
                "cannot be read", where="--shapes", expected="T x H x W [x N], e.g. 17x199x210x2", found=item
            )
        frames, height, width, batch = (*map(int, numbers), 1)[:4]
        shapes.append((frames, height, width, batch))
    return tuple(shapes)

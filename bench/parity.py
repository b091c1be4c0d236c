"""`bench parity`: whether the backends of a network agree, each in a process of its own.

Before two backends are compared for speed, their outputs are compared on the same weights and input.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from tabulate import tabulate

from ..datasets.sources import load_clips
from ..errors import MeasurementError, UsageError, WeightsError
from ..models.capabilities import offer
from ..models.parity import (
    PUBLISHED,
    SHAPES,
    TOLERANCE,
    Agreement,
    compare_logits,
    half_bound,
    parity_inputs,
    rounded,
    softmax,
)
from ..models.registry import ModelRequest, find_model
from ..models.spec import FloatArray
from ..models.weights.catalogue import find_source
from ..models.weights.store import stored, stored_weights
from ..reports.run_directory import RunWriter
from .certificate import write_certificate
from .config import RunConfig
from .job import Job
from .plan import Plan, PlannedModel, plan_models, sample
from .prepare import Preparer
from .progress import Console
from .quantise import with_files
from .selection import unable
from .supervisor import run_arrays

Shape = tuple[int, int, int, int]
"""Frames, height, width, batch."""

AGREEMENT_FRAMES = 16
"""Length of the input on which a run compares the backends that it times."""

SAMPLES = "deepmind-samples"
"""Source of the arrays that the published example is about."""


def check_parity(
    config: RunConfig,
    backends: Sequence[str] | None,
    shapes: Sequence[Shape],
    console: Console,
    on_clips: bool = False,
    target: str | None = None,
) -> None:
    """Print how far the logits of a network's backends are apart, on seeded input of each of `shapes`.

    - `config`: names one model. `on_clips`: on `config.max_clips` clips of `config.data` instead, a window of
      each. `target`: a class whose probability's drift is told too.
    - `backends`: each `backend:precision:form`, the first is the reference; None for float32 in its plain
      form and all that this machine can run.

    Raises MeasurementError if they disagree, UsageError if there is only one.
    """
    reference, *others = with_backends(config, backends, console, target=target)
    if on_clips:
        inputs = dict(_clip_inputs(reference, config))
    else:
        inputs = {
            "×".join(map(str, shape)): parity_inputs(reference.request.model, *shape, seed=number)
            for number, shape in enumerate(shapes)
        }
    with tempfile.TemporaryDirectory() as folder:
        compared = compare(reference, others, list(inputs.values()), Path(folder), config, console)
    rows = []
    failed = []
    for model in others:
        for name, found in zip(inputs, compared[model.key], strict=True):
            agreement = found.agreement
            if found.agrees is False:
                failed.append(f"{model.key}: {agreement.max_abs:.2g}")
            rows.append(
                [
                    f"{model.key} – {reference.key}",
                    name,
                    f"{agreement.max_abs:.1e}",
                    f"{agreement.relative_l2:.1e}",
                    "–" if found.rounding is None else f"{agreement.relative_l2 / found.rounding:.1f}",
                    f"{agreement.top1:.0%}",
                    "–" if found.target_score is None else f"{found.target_score:.1e}",
                    {True: "agrees", False: "DISAGREES", None: "no bound"}[found.agrees],
                ]
            )
    kinds = ", ".join(sorted({w.kind for w in reference.weights.values()}))
    print(f"{reference.request.model.title}, {kinds} weights, {reference.options.device}")
    headers = ["backends", "clip" if on_clips else "T×H×W×batch", "largest |Δ logit|", "relative L2"]
    headers += ["× rounding of input", "same top-1", f"Δ P({target or 'target'})", ""]
    print(tabulate(rows, headers=headers, disable_numparse=True))
    bounds = f"float32: logits within {TOLERANCE:g}; half precisions: what rounding explains"
    if failed:
        raise MeasurementError(
            "the backends disagree",
            where=reference.request.model.name,
            expected=bounds,
            found="; ".join(failed),
        )
    print(f"the backends agree ({bounds})")


def _clip_inputs(model: PlannedModel, config: RunConfig) -> Iterator[tuple[str, dict[str, FloatArray]]]:
    """Id and network input of clips of `config.data`: of each the window from its middle."""
    from ..flow.registry import get_method

    clips = load_clips(config.data, vocabulary=model.labels)
    preparer = Preparer(
        streams={stream: each.description.preprocessing for stream, each in model.weights.items()},
        views=model.request.model.views,
        single=model.request.model.window_frames,
        flow=None if model.flow is None else get_method(model.flow, model.options.threads),
    )
    for clip in sample(clips.clips, config.max_clips, config.seed):
        (view,) = preparer(clip).views
        yield clip.id, {stream: array[None].astype(np.float32, copy=False) for stream, array in view.items()}


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
    exact = [s for s in runnable(find_model(name), config) if ":" not in s or ":fp32" in s]
    models = with_backends(config, backends or exact, console, least=1)
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
            kept = write_certificate(model.request, model.weights, model.options, model.packages, worst)
            print(f"{model.key}: reproduced; certificate: {kept}")


def check_agreement(plan: Plan, writer: RunWriter, console: Console) -> None:
    """Compare the backends of one network that a run is about to time, and record how far they are apart.

    On seeded input, 16 frames; for the same network with the same weights. One that fails at it is recorded
    as not compared: the others are measured all the same.
    """
    agreed: dict[str, dict[str, Any]] = {}
    for reference, group in compared_groups(plan.models):
        others = [model for model in group if model is not reference]
        side = max(w.description.preprocessing.crop for w in reference.weights.values())
        inputs = parity_inputs(
            reference.request.model, AGREEMENT_FRAMES, side, side, 1, seed=plan.config.seed
        )
        failures: dict[str, str] = {}
        with tempfile.TemporaryDirectory() as folder:
            compared = compare(reference, others, [inputs], Path(folder), plan.config, console, failures)
        for key, failure in failures.items():
            agreed[key] = {"agreement": f"was not compared with {reference.key}: {failure}"}
            console.say(f"{key} {agreed[key]['agreement']}")
        for other in (other for other in others if other.key in compared):
            (found,) = compared[other.key]
            words = _in_words(found, other.request.precision, reference.key)
            numbers = asdict(found.agreement) | {
                "reference": reference.key,
                "rounding": found.rounding,
                "target_score": found.target_score,
                "agrees": found.agrees,
            }
            agreed[other.key] = {"agreement": words, "drift": numbers}
            console.say(f"{other.key} {words}")
    if agreed:
        run = writer.run
        models = tuple(replace(m, **agreed.get(m.key, {})) for m in run.models)
        writer.write_run(replace(run, models=models))


def _in_words(found: Compared, precision: str, reference: str) -> str:
    apart = f"logits at most {found.agreement.max_abs:.1e} apart"
    if found.agrees is None:
        return f"drifts from {reference}: {apart}, relative {found.agreement.relative_l2:.1e} (no bound)"
    verdict = "agrees with" if found.agrees else "DISAGREES with"
    bound = f"tolerance {TOLERANCE:g}"
    if found.rounding is not None:
        bound = (
            f"relative {found.agreement.relative_l2:.1e}; "
            f"rounding the input alone gives {found.rounding:.1e}, "
            f"tolerance {half_bound(precision, found.rounding):.1e}"
        )
    return f"{verdict} {reference}: {apart} ({bound})"


def compared_groups(models: Sequence[PlannedModel]) -> list[tuple[PlannedModel, list[PlannedModel]]]:
    """What is compared before it is timed: (reference, models that differ from it in their backend alone).

    The reference is the first of them in float32, or else one that is not timed: float32 in the first one's
    backend. A network that is there once, in float32, is compared with nothing. Of a sweep's points the
    first counts.
    """
    first: dict[str, PlannedModel] = {}
    for model in models:
        first.setdefault(model.request.key, model)
    networks: dict[tuple[object, ...], list[PlannedModel]] = {}
    for model in first.values():
        weights = ((s, w.kind, w.sha256, w.seed) for s, w in sorted(model.weights.items()))
        networks.setdefault((model.request.model.name, *weights), []).append(model)
    found = []
    for group in networks.values():
        reference = next((m for m in group if m.request.precision == "fp32"), None)
        reference = reference or _in_float32(group[0]) or group[0]
        if group != [reference]:
            found.append((reference, group))
    return found


def _in_float32(model: PlannedModel) -> PlannedModel | None:
    """The same model in float32; None if its backend has no such thing here."""
    name = f"{model.request.name}@{model.request.backend}:fp32"
    if "fp32" not in model.request.offered.precisions:
        return None
    request = find_model(name)
    options = replace(request.apply(model.options), quantised={})
    other = replace(model, key=name, request=request, options=options)
    return None if other.refusal is not None else other


def with_backends(
    config: RunConfig,
    backends: Sequence[str] | None,
    console: Console,
    least: int = 2,
    target: str | None = None,
) -> list[PlannedModel]:
    """The one model of `config` in each backend; in all of its own weights' ones if none are named."""
    (name,) = config.models
    request = find_model(name)
    chosen = list(backends or runnable(request, config))
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
        (model,) = plan_models(replace(config, models=(f"{request.name}@{backend}",)), target)
        models.append(with_files(model, config, console.say))
    return models


def runnable(request: ModelRequest, config: RunConfig) -> list[str]:
    """What this machine can run of a network, but for tfhub, whose weights are its own.

    First float32 in its plain form, where a backend has one.
    """
    found = []
    for backend in request.model.backends:
        offered = offer(request.model, backend)
        for precision in offered.precisions if backend != "tfhub" else ():
            if unable(find_model(f"{request.name}@{backend}:{precision}"), config) is None:
                found.append(backend if precision == "fp32" else f"{backend}:{precision}")
                if precision == "fp32" and "plain" in offered.forms(precision)[1:]:
                    found.append(f"{backend}:fp32:plain")
    return sorted(found, key=lambda selection: not selection.endswith(":plain"))


def _saved(folder: Path, name: str, inputs: Sequence[Mapping[str, FloatArray]]) -> list[Path]:
    paths = [folder / f"{name}-{number}.npz" for number in range(len(inputs))]
    for path, arrays in zip(paths, inputs, strict=True):
        _save(path, arrays)
    return paths


def _save(path: Path, arrays: Mapping[str, FloatArray]) -> None:
    np.savez(path, **arrays)  # type: ignore[arg-type]  # the stub takes any name for one of its own options


def compute_logits(
    model: PlannedModel, inputs: Sequence[Path], config: RunConfig, console: Console
) -> list[FloatArray]:
    pairs = tuple((path, path.with_suffix(".npy")) for path in inputs)
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

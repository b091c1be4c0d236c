"""`bench parity`: how far apart the backends of a network are, and whether they give what was published."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from tabulate import tabulate

from ...datasets.sources.registry import load_clips
from ...errors import MeasurementError, UsageError, WeightsError
from ...models.capabilities import offer
from ...models.parity import LIMIT, TOLERANCE, Shape, parity_inputs, published_differences, shapes_of
from ...models.registry import ModelRequest, find_model, model_names
from ...models.spec import FloatArray, PublishedExample
from ...models.weights.catalogue import CATALOGUE
from ...models.weights.store import stored, stored_weights
from ...preprocessing.assembly import assemble
from ..console.progress import Console
from ..plan.config import RunConfig
from ..plan.files.needed import with_files
from ..plan.plan import plan_models, sample
from ..plan.planned_model import PlannedModel
from ..plan.selection import unable
from .certificate import write_certificate
from .logits import Compared, compare, compute_logits, save_arrays


def check_parity(
    config: RunConfig,
    backends: Sequence[str] | None,
    shapes: Sequence[Shape] | None,
    console: Console,
    on_clips: bool = False,
    target: str | None = None,
) -> None:
    """Print how far the logits of a network's backends are apart, on seeded input of each of `shapes`.

    - `config`: names one model; `max_clips` and `data` where `on_clips` is True.
    - `backends`: each `backend:precision:variant`, the first is the reference; None for the plain variant of
      float32 and all that this machine can run.
    - `shapes`: (frames, height, width, batch) of each input; None for those of `parity.shapes_of`.
    - `console`: shows the progress.
    - `on_clips`: compare on clips of the data instead of `shapes`, one window from the middle of each.
    - `target`: a class; the drift of its probability is printed too. None for no class.

    Raises MeasurementError if they disagree, UsageError if there is only one.
    """
    reference, *others = with_backends(config, backends, console, target=target)
    if on_clips:
        inputs = dict(_clip_inputs(reference, config))
    else:
        network = reference.request.model
        inputs = {
            "×".join(map(str, shape)): parity_inputs(network, *shape, seed=number)
            for number, shape in enumerate(shapes or shapes_of(network))
        }
    with tempfile.TemporaryDirectory() as folder:
        compared = compare(reference, others, list(inputs.values()), Path(folder), config, console)
    rows = []
    failed = []
    for model in others:
        for name, found in zip(inputs, compared[model.key], strict=True):
            agreement = found.agreement
            if found.verdict == "other":
                failed.append(f"{model.key} on {name}: {agreement.relative_l2:.1e}")
            rows.append(
                [
                    f"{model.key} – {reference.key}",
                    name,
                    f"{agreement.max_abs:.1e}",
                    f"{agreement.relative_l2:.1e}",
                    "–" if found.rounding is None else f"{agreement.relative_l2 / found.rounding:.1f}",
                    _limit(model.request.precision, found),
                    f"{agreement.top1:.0%}",
                    "–" if found.target_score is None else f"{found.target_score:.1e}",
                    _VERDICTS[found.verdict],
                ]
            )
    kinds = ", ".join(sorted({w.kind for w in reference.weights.values()}))
    print(f"{reference.request.model.title}, {kinds} weights, {reference.options.device}")
    headers = ["backends", "clip" if on_clips else "T×H×W×batch", "largest |Δ logit|", "relative L2"]
    headers += ["× rounding", "limit", "same top-1", f"Δ P({target or 'target'})", ""]
    print(tabulate(rows, headers=headers, disable_numparse=True))
    print(
        "× rounding: relative to the difference that rounding weights and input to that precision causes "
        "in the reference."
    )
    bounds = f"float32: logits within {TOLERANCE:g}; half precisions: relative L2 within {LIMIT:g} × rounding"
    if failed:
        raise MeasurementError(
            "the backends disagree",
            where=reference.request.model.name,
            expected=bounds,
            found="; ".join(failed),
        )
    print(f"the backends agree ({bounds})")


_VERDICTS = {"same": "same to rounding", "drifts": "drifts", "other": "DOES NOT MATCH"}


def _limit(precision: str, found: Compared) -> str:
    """The limit that the verdict of a row is based on."""
    if precision == "fp32":
        return f"|Δ logit| {TOLERANCE:g}"
    return "none known" if found.limit is None else f"relative L2 {found.limit:.1e}"


def _clip_inputs(model: PlannedModel, config: RunConfig) -> Iterator[tuple[str, dict[str, FloatArray]]]:
    """Id and network input of clips of `config.data`: the window from the middle of each."""
    clips = load_clips(config.data, vocabulary=model.labels)
    preparer = assemble(
        model.weights,
        model.views,
        flow=model.flow,
        threads=model.options.threads,
        window=model.views.single_frames,
    )
    for clip in sample(clips.clips, config.max_clips, config.seed):
        (view,) = preparer(clip).views
        yield clip.id, {stream: array[None].astype(np.float32, copy=False) for stream, array in view.items()}


def check_published(config: RunConfig, backends: Sequence[str] | None, console: Console) -> None:
    """Reproduce the authors' example (`Model.published`), and write a certificate.

    - `config`: names one model; without weights, those of the example are used.
    - `backends`: each `backend:precision:variant`; None for all in float32 that this machine can run.
    - `console`: shows the progress.

    Raises UsageError for a network without a published example, WeightsError if weights or samples are not
    stored, MeasurementError if the logits are not the published ones.
    """
    (name,) = config.models
    request = find_model(name)
    example = request.model.published
    if example is None:
        known = [each for each in model_names() if find_model(each).model.published is not None]
        raise UsageError(
            f"no published example is known for {name}", remedy=f"There is one for {', '.join(known)}."
        )
    if not config.weights:
        config = replace(config, weights={f"{request.model.name}-{s}": w for s, w in example.weights.items()})
    exact = [s for s in runnable(request, config) if ":" not in s or ":fp32" in s]
    models = with_backends(config, backends or exact, console, least=1)
    # Weights from a user's file are named after the file.
    expected = {stream: Path(each).name for stream, each in example.weights.items()}
    for model in models:
        found = {stream: each.description.name for stream, each in model.weights.items()}
        if found != expected:
            raise UsageError(
                "the example was published for other weights",
                where="--published",
                expected=", ".join(expected.values()),
                found=", ".join(found.values()),
            )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "published.npz"
        save_arrays(path, _samples(example))
        for model in models:
            (logits,) = compute_logits(model, [path], config, console)
            differences = published_differences(example, logits, model.labels)
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


def _samples(example: PublishedExample) -> dict[str, FloatArray]:
    """Stream → the published array. Raises WeightsError if the samples are not there."""
    source = CATALOGUE.get(example.samples)
    if source is None:
        folder = Path(example.samples)
    elif (found := stored(source)) is not None:
        folder = found
    else:
        raise WeightsError(f"{source.name} are not stored", remedy=f"`bench weights fetch {source.name}`.")
    paths = {stream: folder / file for stream, file in example.files.items()}
    for path in paths.values():
        if not path.is_file():
            raise WeightsError("there is no such sample of the published example", where=path)
    return {stream: np.load(path, allow_pickle=False) for stream, path in paths.items()}


def with_backends(
    config: RunConfig,
    backends: Sequence[str] | None,
    console: Console,
    least: int = 2,
    target: str | None = None,
) -> list[PlannedModel]:
    """The one model of `config`, planned once for each backend.

    - `config`: names one model. Without weights, and with none stored, they are random.
    - `backends`: each `backend:precision:variant`; None for those of `runnable`.
    - `console`: shows what is made for them first.
    - `least`: fewest backends that are accepted.
    - `target`: the target class, None for none.

    Raises UsageError for fewer backends than `least`, or one that is named twice.
    """
    (name,) = config.models
    request = find_model(name)
    chosen = list(backends or runnable(request, config))
    if len(chosen) < least:
        raise UsageError(
            f"{name} has one backend, {', '.join(chosen)}: there is nothing to compare",
            remedy="`bench models` lists which networks have several.",
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
    """What this machine can run of a network, without backends that run a network of their own.

    Each as `backend:precision:variant`; the plain variants of float32 come first.
    """
    found = []
    for backend in request.model.backends:
        offered = offer(request.model, backend)
        for precision in () if offered.own_network else offered.precisions:
            if unable(find_model(f"{request.name}@{backend}:{precision}"), config) is None:
                found.append(backend if precision == "fp32" else f"{backend}:{precision}")
                if precision == "fp32" and "plain" in offered.variants(precision)[1:]:
                    found.append(f"{backend}:fp32:plain")
    return sorted(found, key=lambda selection: not selection.endswith(":plain"))


def parse_shapes(text: str | None) -> tuple[Shape, ...] | None:
    """ "17x199x210,9x224x224x2" as (frames, height, width, batch) tuples; None for None."""
    if text is None:
        return None
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

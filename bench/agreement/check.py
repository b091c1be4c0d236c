"""Whether the backends that a run is about to time compute the same: checked before they are timed."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ...models.parity import TOLERANCE, mantissa, parity_inputs
from ...models.registry import find_model
from ...models.spec import Weights
from ...records.run import Drift
from ...records.run_directory import RunWriter
from ...reports.analysis.agreement import agreement, verdict_text
from ...reports.analysis.load_runs import merge, read_run
from ..console.progress import Console
from ..plan.plan import Plan
from ..plan.planned_model import PlannedModel
from .logits import compare

AGREEMENT_FRAMES = 16
"""Length of the input on which the backends are compared."""


def check_agreement(plan: Plan, writer: RunWriter, console: Console) -> None:
    """Compare the backends of each network that a run is about to time, and record how far they differ.

    - `plan`: the run's models, and the seed of the input.
    - `writer`: gets the result of each model in the run's record.
    - `console`: shows the result of each model.

    Backends are compared that have the same network and the same weights, on seeded input of 16 frames, or of
    the one length that the network takes. A half precision is also compared with random weights: rounding
    trained weights may hide a wrong constant, which random weights reveal (docs/backends.md). How the
    predictions on the run's clips differ is derived from the records (`reports.analysis.agreement`). A model
    that fails here is recorded as not compared, and is timed all the same.
    """
    agreed: dict[str, dict[str, Any]] = {}
    for reference, group in compared_groups(plan.models):
        others = [model for model in group if model is not reference]
        side = max(w.description.preprocessing.crop for w in reference.weights.values())
        network = reference.request.model
        shape = network.sizes.fitted((AGREEMENT_FRAMES, side, side, 1))
        inputs = parity_inputs(network, *shape, seed=plan.config.seed)
        failures: dict[str, str] = {}
        with tempfile.TemporaryDirectory() as folder:
            compared = compare(reference, others, [inputs], Path(folder), plan.config, console, failures)
            halves = [_with_random_weights(m) for m in others if m.key in compared and may_hide_mistakes(m)]
            random = _with_random_weights(reference)
            with_random = (
                compare(random, halves, [inputs], Path(folder), plan.config, console, {}) if halves else {}
            )
        for key, failure in failures.items():
            agreed[key] = {"agreement": f"was not compared with {reference.key}: {failure}"}
            console.say(f"{key} {agreed[key]['agreement']}")
        for other in (other for other in others if other.key in compared):
            (found,) = compared[other.key]
            drift = Drift(
                **asdict(found.agreement),
                reference=reference.key,
                tolerance=TOLERANCE,
                yardstick=found.rounding,
                limit=found.limit,
                target_score=found.target_score,
                verdict=found.verdict,
                random_weights=next((each.verdict for each in with_random.get(other.key, [])), None),
            )
            agreed[other.key] = {"agreement": None, "drift": drift}
    if not agreed:
        return
    run = writer.run
    writer.write_run(replace(run, models=tuple(replace(m, **agreed.get(m.key, {})) for m in run.models)))
    merged = merge([read_run(writer.path)])
    for model in merged.models:
        found_of = agreement(model, merged.models, merged.target)
        if found_of is not None:
            console.say(f"{model.name} {verdict_text(found_of, merged.target)}")


def may_hide_mistakes(model: PlannedModel) -> bool:
    """Whether its rounding may hide a mistake: in a half precision, with weights that are not random.

    Of a network with no weights but its own nothing more can be shown.
    """
    if model.request.model.fixed_weights:
        return False
    trained = any(weights.kind != "random" for weights in model.weights.values())
    return trained and mantissa(model.request.precision) is not None


def _with_random_weights(model: PlannedModel) -> PlannedModel:
    weights = {
        stream: Weights("random", each.description, seed=each.seed) for stream, each in model.weights.items()
    }
    return replace(model, weights=weights)


def compared_groups(models: Sequence[PlannedModel]) -> list[tuple[PlannedModel, list[PlannedModel]]]:
    """(reference, group) of each network that is compared before it is timed.

    - `models`: of a plan. Of the points of a sweep, the first is used.

    A group has the same network and the same weights, in several backends or precisions. The reference is the
    first in float32, or else a model that is not timed: the first one in float32. A network that occurs only
    once, in float32, has no group.
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
    """The same model in float32; None if its backend does not offer it on this machine."""
    name = f"{model.request.name}@{model.request.backend}:fp32"
    if "fp32" not in model.request.offered.precisions:
        return None
    request = find_model(name)
    options = replace(request.apply(model.options), quantised={})
    other = replace(model, key=name, request=request, options=options)
    return None if other.refusal is not None else other

"""Sweeps: the same model planned several times, each with another batch, number of threads or window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product

from ...errors import UsageError
from ...models.registry import find_model, model_names
from .plan import PlannedModel


def swept(
    models: Sequence[PlannedModel], sweep: Mapping[str, Sequence[int]], several_videos: bool
) -> tuple[PlannedModel, ...]:
    """Each model at each point of the sweep, under a key of its own; unchanged without a sweep.

    - `models`: of the plan.
    - `sweep`: axis → values.
    - `several_videos`: whether a scenario is planned in which a batch may hold views of several videos.

    Raises UsageError for a model that an axis does not apply to.
    """
    if not sweep:
        return tuple(models)
    for model in models:
        _check(model, sweep, several_videos)
    points = [dict(zip(sweep, values, strict=True)) for values in product(*sweep.values())]
    return tuple(_at(model, point) for model in models for point in points)


def _check(model: PlannedModel, sweep: Mapping[str, Sequence[int]], several_videos: bool) -> None:
    views = model.request.views(model.weights)
    if "window" in sweep:
        if views.window is not None:
            raise UsageError(
                f"{model.key} takes windows of {views.window} frames and no others",
                where="--sweep window",
                remedy=f"Networks that take any length: {', '.join(_of_any_length())}.",
            )
        if (least := min(sweep["window"])) < views.min_frames:
            raise UsageError(
                f"{model.key} takes no window as short as that",
                where="--sweep window",
                expected=f"at least {views.min_frames} frames",
                found=least,
            )
    if "batch" in sweep and not several_videos and model.whole:
        raise UsageError(
            f"a video is one view of {model.key}, so that a batch would hold one",
            where="--sweep batch",
            remedy="Add --scenarios throughput, where views of several videos share a batch.",
        )


def _of_any_length() -> list[str]:
    return [name for name in model_names() if find_model(name).model.views.window is None]


def _at(model: PlannedModel, point: Mapping[str, int]) -> PlannedModel:
    return replace(
        model,
        key=" ".join([model.key, *(f"{axis}={value}" for axis, value in point.items())]),
        batch=point.get("batch", model.batch),
        window=point.get("window", model.window),
        options=replace(model.options, threads=point.get("threads", model.options.threads)),
        point=dict(point),
    )

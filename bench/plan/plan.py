"""From settings to a plan: every name, file and device is resolved and checked before anything starts."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ...datasets.clip import Clip, ClipSet
from ...datasets.sources.registry import Source, load_clips
from ...errors import UsageError, unknown_name
from ...flow.registry import method_names
from ...models.registry import ModelRequest, find_model, model_names, require
from .config import DEFAULT_TARGET, DEFAULTS, RunConfig
from .planned_model import PlannedModel
from .resolve import resolve_model
from .weights import weights_names


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run does.

    - `config`: its settings.
    - `clips`: its clips, after sampling. The clips that are timed are chosen after the accuracy pass.
    - `models`: the models that are measured.
    - `refused`: requested models that this machine cannot run.
    """

    config: RunConfig
    clips: ClipSet
    models: tuple[PlannedModel, ...]
    refused: tuple[PlannedModel, ...] = ()

    @property
    def refusals(self) -> dict[str, str]:
        """Key of each refused model → why it cannot be measured."""
        return {model.key: f"this machine cannot run it: {model.refusal}" for model in self.refused}


def make_plan(config: RunConfig, load: Source = load_clips) -> Plan:
    """The plan of a run: everything in `config` resolved and checked.

    - `config`: the settings.
    - `load`: gives the clips that `config.data` names.

    Raises UsageError, WeightsError, BackendUnavailable or ClipError for the first error. Models that this
    machine cannot run are put in `Plan.refused`; it is an error if no other is left. Demo weights are not
    made here: see `files.with_files`.
    """
    models = _models(config, config.target or DEFAULT_TARGET, required=config.target is not None)
    able = tuple(model for model in models if model.refusal is None)
    if not able:
        require(models[0].request, models[0].options.device)
    refused = tuple(model for model in models if model.refusal is not None)
    return Plan(config, _clips(config, able, load), able, refused)


def plan_models(config: RunConfig, target: str | None) -> tuple[PlannedModel, ...]:
    """The configured models with their weights, devices and interpreters; clips are not loaded.

    - `config`: the settings.
    - `target`: the target class, None for none.

    Raises BackendUnavailable for a model that this machine cannot run, and otherwise as `make_plan` does.
    """
    models = _models(config, target)
    for model in models:
        require(model.request, model.options.device)
    return models


def _models(config: RunConfig, target: str | None, required: bool = True) -> tuple[PlannedModel, ...]:
    requests = _keyed([find_model(name) for name in config.models])
    methods = method_names()
    if config.flow not in methods:
        raise unknown_name("flow method", config.flow, methods)
    # Models that are not in this run may be named too: a file of settings may be used for several runs.
    known = [(name, find_model(name)) for name in model_names()]
    _check_keys(
        "--weights", config.weights, {n for k, r in known + requests for n in weights_names(k, r)} | {"*"}
    )
    _check_keys(
        "--python",
        config.python,
        {backend for _, request in known + requests for backend in request.model.backends},
    )
    if config.calibration != DEFAULTS.calibration and not any(r.precision == "int8" for _, r in requests):
        raise UsageError(
            "would do nothing: no model is quantised to int8",
            where=f"--calibration {config.calibration}",
            remedy="Name one, MODEL@openvino:int8, or leave the option out.",
        )
    return tuple(resolve_model(key, request, config, target, required) for key, request in requests)


def _keyed(requests: list[ModelRequest]) -> list[tuple[str, ModelRequest]]:
    """Each request with its name in reports: its text, but for a path the model's own name."""
    short = [_short_name(request) for request in requests]
    return [
        (name if short.count(name) == 1 else request.key, request)
        for name, request in zip(short, requests, strict=True)
    ]


def _short_name(request: ModelRequest) -> str:
    if not request.is_path:
        return request.key
    name = request.model.name
    return f"{name}@{request.selection}" if request.selection else name


def _check_keys(option: str, given: Mapping[str, str], known: set[str]) -> None:
    for name in given:
        if name not in known:
            raise UsageError(str(unknown_name("name", name, known)), where=option)


def _clips(config: RunConfig, models: tuple[PlannedModel, ...], load: Source) -> ClipSet:
    vocabulary = dict.fromkeys(name for model in models for name in model.labels)
    videos = None if config.videos is None else Path(config.videos)
    clips = load(config.data, vocabulary=tuple(vocabulary), videos=videos)
    if not clips.clips:
        raise UsageError(
            "holds no videos",
            where=f"--data {config.data}",
            found=f"{len(clips.missing)} annotated clips whose files are missing" if clips.missing else None,
            remedy="Give a folder of `class/video` files, a manifest, or a Kinetics CSV with --videos.",
        )
    return replace(clips, clips=sample(clips.clips, config.max_clips, config.seed))


def sample(clips: tuple[Clip, ...], n: int | None, seed: int) -> tuple[Clip, ...]:
    """A seeded random sample of clips, in their order; it depends on the seed and the clips' ids alone.

    - `clips`: to choose from.
    - `n`: number of clips; None for all.
    - `seed`: of the sample.
    """
    if n is None or n >= len(clips):
        return clips
    chosen = set(random.Random(seed).sample(sorted(clip.id for clip in clips), n))
    return tuple(clip for clip in clips if clip.id in chosen)

"""From a configuration to a plan: every name, file and device resolved before anything starts."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ... import __version__
from ...datasets.clip import Clip, ClipSet
from ...datasets.labels import LabelMatcher
from ...datasets.sources.registry import load_clips
from ...errors import BackendUnavailable, UsageError, WeightsError, unknown_name
from ...flow.registry import HOLDS_IN, NEEDS_TORCH, method_names
from ...models.capabilities import BACKENDS, why_not
from ...models.labels import labels as label_list
from ...models.registry import ModelRequest, find_model, model_names, require
from ...models.spec import LoadOptions, Weights
from ...records.run import ModelRecord
from ..agreement.certificate import certificate
from ..worker.job import Job
from .config import DEFAULTS, RunConfig
from .environment import cores, has_gpu, probe
from .weights import planned_weights, weights_names


@dataclass(frozen=True, slots=True)
class PlannedModel:
    """A model of the plan: what its worker is given, and what its scores mean.

    - `key`: its name in reports, "i3d@torch"; unique in the plan.
    - `labels`: class names in score order. `target`: index of the target class, None if none is asked for.
    - `flow`: name of the flow method, None if no stream needs flow.
    - `window`: one window of so many frames from the middle of a video, None for the authors' protocol.
      `batch`: views in one forward call.
    - `point`: where in a sweep it stands, axis → value.
    """

    key: str
    request: ModelRequest
    weights: Mapping[str, Weights]
    options: LoadOptions
    python: str
    labels: tuple[str, ...]
    target: int | None
    flow: str | None
    window: int | None = None
    batch: int = 1
    point: Mapping[str, int] = field(default_factory=dict)

    @property
    def timed_only(self) -> bool:
        """It is not asked for predictions: random weights have none, and a sweep is about time."""
        return bool(self.point) or any(weights.kind == "random" for weights in self.weights.values())

    @property
    def refusal(self) -> str | None:
        """Why this machine's device does not compute so, as a clause; None if it does."""
        request = self.request
        return why_not(request.offered, request.precision, request.form, self.options.device)

    @property
    def whole(self) -> bool:
        """A video is one view."""
        return self.window is not None or self.request.model.views.window is None

    @property
    def packages(self) -> Mapping[str, str | None]:
        """Versions in the interpreter that runs it."""
        versions: Mapping[str, str | None] = probe(self.python)["packages"]
        return versions

    def job(self, mode: str, clips: Iterable[Clip], **more: Any) -> Job:
        """The job of predicting or timing `clips`; `more`: other fields of `Job`."""
        return Job(
            mode,
            self.request.key,
            self.weights,
            self.options,
            len(self.labels),
            clips=tuple(clips),
            window=self.window,
            batch=self.batch,
            flow=self.flow,
            **more,
        )

    def views_in_words(self) -> str:
        views = self.request.model.views
        if self.window is not None:
            return f"one window of up to {self.window} frames from the middle"
        if views.window is None:
            return "whole video in one pass"
        step = "without overlap" if views.stride in (None, views.window) else f"every {views.stride} frames"
        tail = "last one looped" if views.tail == "loop" else "remainder left out"
        return f"windows of {views.window} frames {step}, {tail}, {views.average} averaged"

    def record(self) -> ModelRecord:
        model = self.request.model
        return ModelRecord(
            key=self.key,
            title=model.title,
            backend=self.request.backend,
            precision=self.request.precision,
            form=self.request.form,
            device=self.options.device,
            weights={
                stream: {
                    "kind": w.kind,
                    "name": w.description.name,
                    "path": None if w.path is None else str(w.path),
                    "sha256": w.sha256,
                    "checked": w.checked,
                }
                for stream, w in self.weights.items()
            },
            labels=self.labels,
            views=self.views_in_words(),
            flow=self.flow,
            certificate=certificate(self.request, self.weights, self.options, self.packages),
            packages=None if self.python == sys.executable else dict(self.packages),
            sweep=dict(self.point),
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run does.

    - `clips`: those of the run, after sampling. Those that are timed are chosen when accuracy is known.
    - `models`: what is measured. `refused`: what was asked for and this machine does not compute.
    """

    config: RunConfig
    clips: ClipSet
    models: tuple[PlannedModel, ...]
    refused: tuple[PlannedModel, ...] = ()

    @property
    def refusals(self) -> dict[str, str]:
        """Model → why it cannot be measured."""
        return {model.key: f"this machine does not compute it: {model.refusal}" for model in self.refused}


def make_plan(config: RunConfig) -> Plan:
    """Resolve and check everything in `config`.

    Raises UsageError, WeightsError, BackendUnavailable or ClipError for the first thing that is wrong; what
    this machine does not compute is left out as long as something is left. Demo weights are not made here:
    see `demo.demo_weights`.
    """
    models = _models(config, config.target)
    able = tuple(model for model in models if model.refusal is None)
    if not able:
        require(models[0].request, models[0].options.device)
    refused = tuple(model for model in models if model.refusal is not None)
    return Plan(config, _clips(config, able), able, refused)


def plan_models(config: RunConfig, target: str | None) -> tuple[PlannedModel, ...]:
    """The configured models with their weights, devices and interpreters; the clips are not looked at.

    Raises BackendUnavailable for one that this machine does not compute, and as `make_plan` does.
    """
    models = _models(config, target)
    for model in models:
        require(model.request, model.options.device)
    return models


def _models(config: RunConfig, target: str | None) -> tuple[PlannedModel, ...]:
    requests = _keyed([find_model(name) for name in config.models])
    methods = method_names()
    if config.flow not in methods:
        raise unknown_name("flow method", config.flow, methods)
    # Names of models that this run leaves out are no mistake: a file of settings may serve several runs.
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
    return tuple(_planned(key, request, config, target) for key, request in requests)


def _keyed(requests: list[ModelRequest]) -> list[tuple[str, ModelRequest]]:
    """Each request with its name in reports: as it was asked for, but for a path the model's own name."""
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


def _clips(config: RunConfig, models: tuple[PlannedModel, ...]) -> ClipSet:
    vocabulary = dict.fromkeys(name for model in models for name in model.labels)
    videos = None if config.videos is None else Path(config.videos)
    clips = load_clips(config.data, vocabulary=tuple(vocabulary), videos=videos)
    if not clips.clips:
        raise UsageError(
            "holds no videos",
            where=f"--data {config.data}",
            found=f"{len(clips.missing)} annotated clips whose files are missing" if clips.missing else None,
            remedy="Give a folder of `class/video` files, a manifest, or a Kinetics CSV with --videos.",
        )
    return replace(clips, clips=sample(clips.clips, config.max_clips, config.seed))


def sample(clips: tuple[Clip, ...], n: int | None, seed: int) -> tuple[Clip, ...]:
    """`n` of the clips, in their order; which ones depends on the seed and on their ids alone."""
    if n is None or n >= len(clips):
        return clips
    chosen = set(random.Random(seed).sample(sorted(clip.id for clip in clips), n))
    return tuple(clip for clip in clips if clip.id in chosen)


def _planned(key: str, request: ModelRequest, config: RunConfig, target: str | None) -> PlannedModel:
    model = request.model
    python = config.python.get(request.backend, sys.executable)
    _check_packages(request, python)
    weights = planned_weights(key, request, config)
    names = {label_list(w.description.labels) for w in weights.values()}
    if len(names) > 1:
        raise WeightsError("the streams' weights have different class lists", where=f"--weights {key}")
    labels = names.pop()
    target_label = None if target is None else LabelMatcher(labels)(target)
    if target is not None and target_label is None:
        raise UsageError(str(unknown_name("class", target, labels)), where=f"--target (of {key})")
    device = _device(config.device, request, python)
    options = request.apply(LoadOptions(device, config.threads or cores(), config.tf32))
    return PlannedModel(
        key=key,
        request=request,
        weights=weights,
        options=options,
        python=python,
        labels=labels,
        target=None if target_label is None else labels.index(target_label),
        flow=_flow(key, request, weights, config.flow),
        window=model.window_frames if config.views == "single" else None,
        batch=config.batch,
    )


def _flow(key: str, request: ModelRequest, weights: Mapping[str, Weights], method: str) -> str | None:
    """The flow method where a stream needs one. Raises UsageError if it and the model do not go together."""
    inputs = [w.description.preprocessing for w in weights.values()]
    crops = [p.crop for p in inputs if p.modality == "flow"]
    if not crops:
        return None
    side = HOLDS_IN.get(method)
    if side is not None and max(crops) > side:
        raise UsageError(
            f"looks at too little of the frames for {key}",
            where=f"--flow {method}",
            expected=f"a network that looks at the centre {side}×{side} at most",
            found=f"{max(crops)}×{max(crops)}",
            remedy="Take a method that computes the whole frame, such as `--flow tvl1-fast`.",
        )
    if method in NEEDS_TORCH and "tensorflow" in request.offered.packages:
        raise UsageError(
            f"needs torch, which must not meet TensorFlow in the process of {key}",
            where=f"--flow {method}",
            remedy="Run the model by a torch backend, or take the same flow by numba: "
            f"`--flow {method.partition('-torch')[0]}`.",
        )
    return method


def _check_packages(request: ModelRequest, python: str) -> None:
    found = probe(python)
    if "error" in found:
        raise BackendUnavailable(
            f"the interpreter for {request.backend} cannot run ActionBench: {found['error']}",
            where=python,
            remedy="Install ActionBench there (pip install --no-deps -e .), or correct --python.",
        )
    if found["actionbench"] != __version__:
        raise BackendUnavailable(
            f"the interpreter for {request.backend} has another version of ActionBench",
            where=python,
            expected=__version__,
            found=found["actionbench"],
            remedy="Install this version there (pip install --no-deps -e .).",
        )
    if missing := found["missing"].get(request.backend):
        raise BackendUnavailable(
            f"the {request.backend} backend lacks {', '.join(missing)}",
            where=python,
            remedy=f"`{request.offered.remedy}` there, or name another interpreter: "
            f"--python {request.backend}=PATH.",
        )


def _device(wanted: str, request: ModelRequest, python: str) -> str:
    if wanted == "cpu" or (wanted == "auto" and not has_gpu()):
        return "cpu"
    if wanted != "auto" and not (wanted.startswith("cuda:") and wanted[5:].isdigit()):
        raise UsageError("unknown device", where="--device", expected="auto, cpu or cuda:N", found=wanted)
    # A network of a user's own is asked as a torch one: what else could see CUDA is TensorFlow.
    found = probe(python, request.backend if request.backend in BACKENDS else "torch").get("cuda", [])
    if wanted == "auto":
        return "cuda:0" if found else "cpu"
    if int(wanted[5:]) >= len(found):
        raise BackendUnavailable(
            f"{request.backend} sees no such device",
            where=f"--device {wanted}",
            found=", ".join(found) or "no CUDA device",
            remedy="`bench doctor` tells what each backend sees; --device cpu works everywhere.",
        )
    return wanted


def torch_python(config: RunConfig) -> str:
    """The interpreter that torch is run by, also where no planned model does."""
    return config.python.get("torch", sys.executable)

"""From settings to a plan: every name, file and device is resolved and checked before anything starts."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from ... import __version__
from ...datasets.clip import Clip, ClipSet
from ...datasets.labels import LabelMatcher
from ...datasets.sources.registry import load_clips
from ...errors import BackendUnavailable, UsageError, WeightsError, unknown_name
from ...flow.registry import HOLDS_IN, NEEDS_TORCH, method_names
from ...models.capabilities import BACKENDS, why_not
from ...models.detectors.registry import ChosenDetector, choose_detector, with_engine
from ...models.labels import labels as label_list
from ...models.registry import ModelRequest, find_model, model_names, require
from ...models.spec import LoadOptions, Views, Weights
from ...operating_point import OperatingPoint
from ...records.run import ModelRecord
from ..agreement.certificate import certificate
from ..worker.job import Job
from .config import DEFAULTS, RunConfig
from .environment import cores, has_gpu, probe
from .views import SINGLE, planned_views, views_in_words
from .weights import planned_weights, weights_names


@dataclass(frozen=True, slots=True)
class PlannedModel:
    """A model of the plan: what its worker needs, and what its scores mean.

    - `key`: its name in reports, "i3d@torch"; unique in the plan.
    - `request`: the model with backend, precision and variant.
    - `weights`: stream → its weights.
    - `views`: how a video is cut into views.
    - `options`: device and threads.
    - `python`: path of the interpreter that runs it.
    - `labels`: class names in the order of its scores.
    - `target`: index of the target class, None without one.
    - `flow`: name of the flow method, None if no stream needs flow.
    - `people`: detector by which the main person is found, None for whole frames.
    - `window`: frames of a single window from the middle of a video, None for `views`.
    - `batch`: views in one forward call.
    - `point`: its point in a sweep, axis → value; empty without a sweep.
    """

    key: str
    request: ModelRequest
    weights: Mapping[str, Weights]
    views: Views
    options: LoadOptions
    python: str
    labels: tuple[str, ...]
    target: int | None
    flow: str | None
    people: ChosenDetector | None = None
    window: int | None = None
    batch: int = 1
    point: Mapping[str, int] = field(default_factory=dict)

    @property
    def timed_only(self) -> bool:
        """Whether it is only timed: predictions by random weights mean nothing, and a sweep is about time."""
        return bool(self.point) or any(weights.kind == "random" for weights in self.weights.values())

    @property
    def refusal(self) -> str | None:
        """Why this machine cannot run it, as a clause of a sentence; None if it can."""
        request = self.request
        return why_not(request.offered, request.precision, request.variant, self.options.device)

    @property
    def operating_point(self) -> OperatingPoint | None:
        """Of its weights; None without one, and for several streams, whose scores are those of none alone."""
        points = [weights.operating_point for weights in self.weights.values()]
        return points[0] if len(points) == 1 else None

    @property
    def stream_window(self) -> int:
        """Frames that a label of a stream is about."""
        return self.window or self.views.window or self.views.single_frames

    @property
    def stream_rate(self) -> Fraction | None:
        """Frames a second that the weights were trained on; None for the videos' own."""
        rates = [weights.description.preprocessing.frame_rate for weights in self.weights.values()]
        return next((rate for rate in rates if rate is not None), None)

    @property
    def stream_every(self) -> int:
        """Of the videos' own frames, where the weights were trained on those, every so many-th is used."""
        if self.stream_rate is not None:
            return 1
        return max(weights.description.preprocessing.every for weights in self.weights.values())

    def stream_job(self, task: str, clips: Iterable[Clip], settings: Any) -> Job:
        """The job for a worker that prepares frames and computes at the same time; see `job`.

        Flow and a detector of persons take a core of their own; resizing alone takes a few hundredths of one.
        """
        alone = self.flow is None and self.people is None
        threads = self.options.threads if alone else max(1, self.options.threads - 1)
        return replace(
            self.job(task, clips, settings=settings), options=replace(self.options, threads=threads)
        )

    @property
    def whole(self) -> bool:
        """Whether a video is one view."""
        views = self.views
        one_window = views.window is None or views.clips == 1
        return self.window is not None or (one_window and views.crops == 1)

    @property
    def packages(self) -> Mapping[str, str | None]:
        """Distribution → version in the interpreter that runs it."""
        return probe(self.python).packages

    def job(self, task: str, clips: Iterable[Clip], **more: Any) -> Job:
        """The job for its worker.

        - `task`: of `Job`: what is done with the clips.
        - `clips`: the clips.
        - `more`: other fields of `Job`.
        """
        return Job(
            task,
            self.request.key,
            self.weights,
            self.options,
            len(self.labels),
            clips=tuple(clips),
            views=self.views,
            window=self.window,
            batch=self.batch,
            flow=self.flow,
            people=self.people,
            **more,
        )

    def record(self) -> ModelRecord:
        """Its record in `run.json`, before it is measured."""
        model = self.request.model
        return ModelRecord(
            key=self.key,
            title=model.title,
            backend=self.request.backend,
            precision=self.request.precision,
            form=self.request.variant,
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
            views=views_in_words(self.views, self.window, self.weights),
            flow=self.flow,
            certificate=certificate(self.request, self.weights, self.options, self.packages),
            packages=None if self.python == sys.executable else dict(self.packages),
            sweep=dict(self.point),
            operating_point=self.operating_point,
            people=None if self.people is None else self.people.record(),
        )


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


def make_plan(config: RunConfig) -> Plan:
    """The plan of a run: everything in `config` resolved and checked.

    Raises UsageError, WeightsError, BackendUnavailable or ClipError for the first error. Models that this
    machine cannot run are put in `Plan.refused`; it is an error if no other is left. Demo weights are not
    made here: see `files.with_files`.
    """
    models = _models(config, config.target)
    able = tuple(model for model in models if model.refusal is None)
    if not able:
        require(models[0].request, models[0].options.device)
    if "stream" in config.scenarios and (cropped := [model for model in able if model.people is not None]):
        raise UsageError(
            "shows whole frames: a camera has no main person",
            where="--scenarios stream",
            found="a detector of persons for " + ", ".join(model.key for model in cropped),
            remedy="Leave the scenario or --people out.",
        )
    refused = tuple(model for model in models if model.refusal is not None)
    return Plan(config, _clips(config, able), able, refused)


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


def _models(config: RunConfig, target: str | None) -> tuple[PlannedModel, ...]:
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
    return tuple(_planned(key, request, config, target) for key, request in requests)


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
    """A seeded random sample of clips, in their order; it depends on the seed and the clips' ids alone.

    - `clips`: to choose from.
    - `n`: number of clips; None for all.
    - `seed`: of the sample.
    """
    if n is None or n >= len(clips):
        return clips
    chosen = set(random.Random(seed).sample(sorted(clip.id for clip in clips), n))
    return tuple(clip for clip in clips if clip.id in chosen)


def _planned(key: str, request: ModelRequest, config: RunConfig, target: str | None) -> PlannedModel:
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
    views = planned_views(request, weights, config.views)
    return PlannedModel(
        key=key,
        request=request,
        weights=weights,
        views=views,
        options=options,
        python=python,
        labels=labels,
        target=None if target_label is None else labels.index(target_label),
        flow=_flow(key, request, weights, config.flow),
        people=_people(weights, config, python),
        window=views.single_frames if config.views == SINGLE else None,
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
            f"computes too small a part of the frames for {key}",
            where=f"--flow {method}",
            expected=f"a network with a centre crop of {side}×{side} at most",
            found=f"{max(crops)}×{max(crops)}",
            remedy="Use a method that computes the whole frame, such as `--flow tvl1-fast`.",
        )
    if method in NEEDS_TORCH and "tensorflow" in request.offered.packages:
        raise UsageError(
            f"needs torch, which cannot be imported beside TensorFlow in the process of {key}",
            where=f"--flow {method}",
            remedy="Use a torch backend for the model, or the same flow computed by numba: "
            f"`--flow {method.partition('-torch')[0]}`.",
        )
    return method


def _people(weights: Mapping[str, Weights], config: RunConfig, python: str) -> ChosenDetector | None:
    """The detector that is named, else the one that the weights were trained with."""

    def lacking(backend: str) -> Sequence[str]:
        return probe(python).missing.get(backend, ())

    if config.people is not None:
        return choose_detector(config.people, lacking)
    remembered = next((each.people for each in weights.values() if each.people is not None), None)
    return None if remembered is None else with_engine(remembered, lacking)


def _check_packages(request: ModelRequest, python: str) -> None:
    found = probe(python)
    if found.error:
        raise BackendUnavailable(
            f"the interpreter for {request.backend} cannot run ActionBench: {found.error}",
            where=python,
            remedy="Install ActionBench there (pip install --no-deps -e .), or correct --python.",
        )
    if found.actionbench != __version__:
        raise BackendUnavailable(
            f"the interpreter for {request.backend} has another version of ActionBench",
            where=python,
            expected=__version__,
            found=found.actionbench,
            remedy="Install this version there (pip install --no-deps -e .).",
        )
    if missing := found.missing.get(request.backend):
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
    # The devices of a user's own backend are taken to be those of torch.
    found = probe(python, request.backend if request.backend in BACKENDS else "torch").cuda
    if wanted == "auto":
        return "cuda:0" if found else "cpu"
    if int(wanted[5:]) >= len(found):
        raise BackendUnavailable(
            f"{request.backend} sees no such device",
            where=f"--device {wanted}",
            found=", ".join(found) or "no CUDA device",
            remedy="`bench doctor` lists the devices of each backend; --device cpu works everywhere.",
        )
    return wanted


def torch_python(config: RunConfig) -> str:
    """The interpreter with torch, also if no model of the plan uses torch."""
    return config.python.get("torch", sys.executable)

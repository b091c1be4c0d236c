"""A model that was asked for with its weights, labels, interpreter, device, flow method and detector."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import partial

from ... import __version__
from ...datasets.labels import LabelMatcher
from ...errors import BackendUnavailable, UsageError, WeightsError, unknown_name
from ...flow.registry import HOLDS_IN, NEEDS_TORCH
from ...models.capabilities import BACKENDS
from ...models.detectors.registry import ChosenDetector, choose_detector, with_engine
from ...models.labels import labels as label_list
from ...models.registry import ModelRequest, require_packages
from ...models.spec import LoadOptions, Weights
from .config import RunConfig
from .environment import cores, has_gpu, lacking, probe
from .planned_model import PlannedModel
from .views import SINGLE, planned_views
from .weights import planned_weights


def resolve_model(
    key: str, request: ModelRequest, config: RunConfig, target: str | None, required: bool = True
) -> PlannedModel:
    """The model as it is measured.

    - `key`: its name in reports.
    - `request`: the model with backend, precision and variant.
    - `config`: the settings of the run.
    - `target`: the target class, None for none.
    - `required`: whether the model must have that class; otherwise it is measured without one.

    Raises UsageError, WeightsError or BackendUnavailable for what is unknown, missing or does not go
    together. Whether this machine can run it is not checked: see `PlannedModel.refusal`.
    """
    python = config.python.get(request.backend, sys.executable)
    _check_packages(request, python)
    weights = planned_weights(key, request, config)
    names = {label_list(w.description.labels) for w in weights.values()}
    if len(names) > 1:
        raise WeightsError("the streams' weights have different class lists", where=f"--weights {key}")
    labels = names.pop()
    target_label = None if target is None else LabelMatcher(labels)(target)
    if required and target is not None and target_label is None:
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
        flow=flow_method(key, request, weights, config.flow),
        people=_people(weights, config, python),
        window=views.single_frames if config.views == SINGLE else None,
        batch=config.batch,
    )


def flow_method(key: str, request: ModelRequest, weights: Mapping[str, Weights], method: str) -> str | None:
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
    if config.people is not None:
        return choose_detector(config.people, partial(lacking, python))
    remembered = next((each.people for each in weights.values() if each.people is not None), None)
    return None if remembered is None else with_engine(remembered, partial(lacking, python))


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
    require_packages(request, python, lacking(python, request.offered.packages))


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

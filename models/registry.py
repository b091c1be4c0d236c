"""The networks that can be named on the command line, and how a name becomes a loaded network.

Nothing here imports a framework before `load_network` does.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import ActionBenchError, BackendUnavailable, UsageError, WeightsError, unknown_name
from ..registry import LOAD_REMEDY, Registry
from ..registry import load as load_function
from .capabilities import BACKENDS, Backend, missing_packages, offer, why_not
from .finetuning.finetuned import BASELINE, finetuned_model, is_finetuned, named_base
from .network_files import execute, keep_neighbours_importable, neighbours_importable
from .spec import Loader, LoadOptions, Model, Network, Views, Weights

MODELS = {
    "i3d": "actionbench.models.i3d.architecture:two_stream",
    "i3d-rgb": "actionbench.models.i3d.architecture:rgb",
    "i3d-flow": "actionbench.models.i3d.architecture:flow",
    "resnext": "actionbench.models.resnext.architecture:resnext",
    "resnext-64f": "actionbench.models.resnext.architecture:resnext_64f",
    "resnet18": "actionbench.models.resnet.architecture:resnet18",
}
"""Name → "module:attribute" of a function without arguments that returns a `Model`."""


@dataclass(frozen=True, slots=True)
class Family:
    """Networks that are named by a prefix.

    - `forms`: how one is named on the command line, with capitals for what is to be filled in.
    - `reference`: "module:attribute" of a function that takes the name behind the colon, without
      `@backend:precision:variant`, and returns a `Model`; UsageError if the name is unknown.

    The function's module, which imports no framework, may have `NAMES`, a tuple of the names that it knows,
    and `PACKAGES`, what all its networks declare as `Model.packages`.
    """

    forms: tuple[str, ...]
    reference: str

    @property
    def module(self) -> ModuleType:
        """That of the function; this imports it."""
        return importlib.import_module(self.reference.partition(":")[0])


FAMILIES: Mapping[str, Family] = {
    "hf": Family(
        ("hf:OWNER/NAME[@REVISION]", "hf:FOLDER"), "actionbench.models.families.hugging_face.model:model"
    ),
    "onnx": Family(("onnx:FILE",), "actionbench.models.families.onnx_file.model:model"),
    "tv": Family(("tv:NAME",), "actionbench.models.families.torchvision_video.model:model"),
}
"""Prefix ("tv" of "tv:r3d_18") → the family."""

SETS: Mapping[str, tuple[str, ...]] = {
    "realtime": (
        "resnet18",
        "resnext",
        "i3d-rgb",
        "tv:mc3_18",
        "tv:r2plus1d_18",
        "tv:s3d",
        "tv:mvit_v2_s",
        "tv:swin3d_t",
    ),
}
"""Name ("realtime" of "@realtime") → the models that it stands for; docs/models.md says why each is in it."""

MODEL_IN_WORDS = (
    f"{', '.join(MODELS)}, another name that `bench models` lists, "
    f"{', '.join(f'`{form}`' for family in FAMILIES.values() for form in family.forms)}, "
    "`FILE.py:FACTORY`, or a folder of `bench finetune`; `:K=32` may follow a name (windows of 32 frames), "
    "and `@BACKEND:PRECISION:VARIANT`"
)
"""How one model is named, in every command that takes one (`find_model`)."""

SETS_IN_WORDS = f"a set, {', '.join(f'`@{name}`' for name in SETS)}, stands for several"
"""What else a command takes that compares models (`set_members`)."""

DEFAULT_MODELS = ("i3d", "resnext")
"""Models that are run if none is named; the first has several backends, which `bench parity` compares."""

DEFAULT_TRAINED = "i3d-rgb"
"""What is trained where no model is named: the one whose trained weights anyone can fetch."""

_REGISTRY = Registry("model", "actionbench.models", MODELS)

_FILE = re.compile(r"(?P<path>.+\.py)(?::(?P<factory>[^@]*))?(?:@(?P<selection>[^@/]*))?")
_WINDOW = re.compile(r"(?P<name>.*?)(?::K=(?P<frames>\d+))?", re.DOTALL)
_NAME = re.compile(r"(?P<name>[^@]*?)(?::K=(?P<frames>\d+))?(?:@(?P<selection>.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """A model as it was requested.

    - `key`: the text of the request, e.g. "i3d@torch:bf16".
    - `backend`, `precision`, `variant`: those that were named, else the first that the model or the backend
      has.
    - `selection`: the text behind the "@", "" if there is none.
    - `window`: frames of `:K=`; None without it.
    """

    key: str
    model: Model
    backend: str
    precision: str = "fp32"
    variant: str = "tuned"
    selection: str = ""
    window: int | None = None

    @property
    def name(self) -> str:
        """The request without its selection: "i3d", or a file and its factory."""
        return self.key.removesuffix(f"@{self.selection}")

    @property
    def is_path(self) -> bool:
        """It names a file or a folder: in reports the model's own name stands for it."""
        own = self.model.own_weights or self.model.fixed_weights
        return _FILE.fullmatch(self.key) is not None or bool(own)

    @property
    def offered(self) -> Backend:
        """What its backend offers for its model."""
        return offer(self.model, self.backend)

    def views(self, weights: Mapping[str, Weights]) -> Views:
        """How a whole video is cut into views by the weights in use, in windows of `window` if that is named.

        - `weights`: stream → its weights.

        Raises WeightsError if the streams' views differ: their logits are added view by view.
        """
        found = {stream: each.description.views for stream, each in weights.items()}
        first, *others = found.values()
        if any(views != first for views in others):
            raise WeightsError(
                "the streams' weights cut a video into different views",
                where=self.key,
                found="; ".join(f"{stream}: {views}" for stream, views in found.items()),
                remedy="Say the same of `window`, `stride` and `clips` beside each file of weights.",
            )
        return first if self.window is None else first.with_window(self.window)

    def apply(self, options: LoadOptions) -> LoadOptions:
        """`options` with the precision and the variant of the request."""
        return replace(options, precision=self.precision, variant=self.variant)


def model_names() -> dict[str, str]:
    """Name → "module:attribute" of all models: ours and those of installed packages."""
    return _REGISTRY.references()


def find_model(request: str) -> ModelRequest:
    """The model that a request names.

    - `request`: one of these, with or without `@backend:precision:variant`: a name, `family:name`
      (`FAMILIES`) or `path/to/folder` of a network that `bench finetune` trained, each with or without
      `:K=32`, windows of 32 frames; `path/to/file.py:factory`.

    Raises UsageError for unknown names and sets of models, for a precision or variant that the backend has on
    no device, and for errors in the user's file; BackendUnavailable for the model of a package that cannot be
    imported.
    """
    if set_members(request) is not None:
        remedy = "Name one of them; `bench models` lists them."
        raise UsageError("is a set of models, where one model is expected", where=request, remedy=remedy)
    in_file = _FILE.fullmatch(request)
    if in_file is not None:
        model = _model_in_file(Path(in_file["path"]), in_file["factory"])
        frames, selection = None, in_file["selection"]
    elif (family := family_of(request)) is not None:
        name, frames, selection = _family_parts(request.removeprefix(f"{family}:"))
        model = _family_model(family, name)
    else:
        named = _NAME.fullmatch(request)
        assert named is not None, "the expression matches every string"
        name = named["name"]
        in_folder = name != "" and name not in model_names() and Path(name).is_dir()
        model = _model_in_folder(Path(name)) if in_folder else _named_model(name)
        frames, selection = named["frames"], named["selection"]
    window = None if frames is None else int(frames)
    if window is not None:
        model = with_window(model, window)
    return _selected(request, model, selection, window)


def absolute_model(request: str) -> str:
    """The request with the path of a file or a folder in it made absolute, so that it holds in any folder."""
    in_file = _FILE.fullmatch(request)
    if in_file is not None:
        path, rest = in_file["path"], request[len(in_file["path"]) :]
        return f"{Path(path).absolute()}{rest}" if Path(path).exists() else request
    if (family := family_of(request)) is not None:
        name, *_ = _family_parts(request.removeprefix(f"{family}:"))
        if not name or family_names(family) or not Path(name).exists():
            return request
        return f"{family}:{Path(name).absolute()}{request.removeprefix(f'{family}:{name}')}"
    folder = re.split(r":K=|@", request, maxsplit=1)[0]
    if folder and folder not in MODELS and is_finetuned(Path(folder)):
        return f"{Path(folder).absolute()}{request[len(folder) :]}"
    return request


def family_of(request: str) -> str | None:
    """The family that a request names a network of (`FAMILIES`), None if it names none."""
    family = request.partition(":")[0]
    return family if family in FAMILIES else None


def family_names(family: str) -> tuple[str, ...]:
    """The networks of a family, as they are named on the command line; empty if they are no fixed list.

    - `family`: a key of `FAMILIES`.
    """
    names = getattr(FAMILIES[family].module, "NAMES", ())
    return tuple(f"{family}:{name}" for name in names)


def family_packages(family: str) -> Mapping[str, str]:
    """The packages that all networks of a family need, as `Model.packages` has them.

    - `family`: a key of `FAMILIES`.
    """
    packages: Mapping[str, str] = getattr(FAMILIES[family].module, "PACKAGES", {})
    return packages


def set_members(request: str) -> tuple[str, ...] | None:
    """The models that a request such as "@realtime" stands for (`SETS`); None if it names no set.

    Raises UsageError for a set that is unknown.
    """
    if not request.startswith("@"):
        return None
    if (name := request[1:]) not in SETS:
        raise unknown_name("set of models", name, SETS)
    return SETS[name]


def _family_parts(text: str) -> tuple[str, str | None, str | None]:
    """Of what follows a family's prefix: the name, the frames of `:K=` and the selection.

    A revision or a path in the name may have an "@" too.
    """
    rest, at, last = text.rpartition("@")
    selected = bool(at) and last.partition(":")[0] in BACKENDS
    named = _WINDOW.fullmatch(rest if selected else text)
    assert named is not None, "the expression matches every string"
    return named["name"], named["frames"], last if selected else None


def _family_model(family: str, name: str) -> Model:
    make = load_function(FAMILIES[family].reference, f"the networks of '{family}:'", LOAD_REMEDY)
    return _checked(_call(partial(make, name), f"{family}:{name}"), f"{family}:{name}")


def _selected(request: str, model: Model, selection: str | None, window: int | None) -> ModelRequest:
    words = [] if selection is None else selection.split(":")
    if len(words) > 3:
        raise UsageError("cannot be read", where=request, expected="NAME@BACKEND:PRECISION:VARIANT")
    backend = words[0] if words else next(iter(model.backends))
    if backend not in model.backends:
        raise unknown_name(f"backend of {model.name}", backend, model.backends)
    offered = offer(model, backend)
    precision = words[1] if len(words) > 1 else offered.precisions[0]
    if precision not in offered.precisions:
        raise unknown_name(f"precision of {model.name}@{backend}", precision, offered.precisions)
    variants = offered.variants(precision)
    variant = words[2] if len(words) > 2 else variants[0]
    if variant not in variants:
        raise unknown_name(f"variant of {model.name}@{backend}:{precision}", variant, variants)
    return ModelRequest(request, model, backend, precision, variant, selection or "", window)


def load_network(request: ModelRequest, weights: Mapping[str, Weights], options: LoadOptions) -> Network:
    """The network with its weights on its device: this imports the backend's framework.

    A network of a user's file can import what lies beside the file from then on.

    - `request`: from `find_model`.
    - `weights`: one for each of the model's streams.
    - `options`: device and threads; its precision and variant are replaced by those of the request.

    Raises BackendUnavailable, WeightsError, or UsageError for streams without weights.
    """
    streams = request.model.streams.keys()
    if weights.keys() != streams:
        raise UsageError(
            "weights are needed for each stream",
            where=request.key,
            expected=", ".join(streams),
            found=", ".join(weights) or "none",
        )
    require_packages(request, sys.executable, missing_packages(request.offered))
    require(request, options.device)
    options = request.apply(options)
    loader = request.model.backends[request.backend]
    keep_importable(request)
    load: Loader = load_function(loader, f"the backend '{request.backend}'", LOAD_REMEDY)
    if load.__module__.startswith(f"{__package__}."):
        return load(request.model, weights, options)
    network: Network = _call(partial(load, request.model, weights, options), request.key)
    lacking = [name for name in _METHODS if not callable(getattr(network, name, None))]
    if lacking:
        raise UsageError(
            f"backend '{request.backend}' gave no network",
            where=request.key,
            expected=f"an object with the methods {', '.join(_METHODS)}",
            found=f"{type(network).__name__} without {', '.join(lacking)}",
        )
    return network


def require(request: ModelRequest, device: str) -> None:
    """Raise BackendUnavailable if this machine's `device` ("cpu" or "cuda:N") cannot run `request`."""
    reason = why_not(request.offered, request.precision, request.variant, device)
    if reason is not None:
        raise BackendUnavailable(
            reason, where=request.key, remedy="`bench models` lists what this machine can run."
        )


def require_packages(request: ModelRequest, python: str, missing: Sequence[str]) -> None:
    """Raise BackendUnavailable if packages that `request` needs are `missing` in the interpreter `python`."""
    if missing:
        raise BackendUnavailable(
            f"{request.key} needs packages that are not installed: {', '.join(missing)}",
            where=python,
            remedy=f"{request.offered.remedy_for(missing)}. Or name an interpreter that has them: --python "
            f"{request.backend}=PATH.",
        )


def keep_importable(request: ModelRequest) -> None:
    """From now on let functions in a user's file import the modules beside it; no effect for a name."""
    if (in_file := _FILE.fullmatch(request.key)) is not None:
        keep_neighbours_importable(Path(in_file["path"]))


_METHODS = ("upload", "forward", "download", "synchronize", "describe")


def with_window(model: Model, frames: int) -> Model:
    """`model` with windows of so many frames, side by side. Raises UsageError if it does not take them."""
    if model.sizes.frames not in (None, frames):
        raise UsageError(
            "is another length than the network takes",
            where=f"{model.name}:K={frames}",
            expected=f"{model.sizes.frames} frames",
        )
    if frames < model.views.min_frames or frames < 1:
        raise UsageError(
            "is too short for the network",
            where=f"{model.name}:K={frames}",
            expected=f"at least {model.views.min_frames} frames",
        )
    # What the publisher reports was measured with other windows.
    streams = {
        name: replace(each, views=each.views.with_window(frames), figures=None, accuracy="")
        for name, each in model.streams.items()
    }
    return replace(model, streams=streams)


def _named_model(name: str) -> Model:
    return _checked(_call(_REGISTRY.load(name), f"model '{name}'"), name)


def _model_in_folder(folder: Path) -> Model:
    if (folder / BASELINE).is_file():
        raise UsageError(
            "holds the predictions of a baseline, which is no network and cannot be run",
            where=folder,
            remedy="Name the folder of a training: `bench finetune` without --baseline.",
        )
    if not is_finetuned(folder):
        raise UsageError(
            "this folder holds no network",
            where=folder,
            expected="a result of `bench finetune`, or the name of a network",
        )
    return finetuned_model(folder, _named_model(named_base(folder)))


def _model_in_file(path: Path, factory: str | None) -> Model:
    if not path.is_file():
        raise UsageError("there is no such file", where=path)
    if not factory:
        raise UsageError("names no factory", where=path, remedy=f"Write {path}:FUNCTION.")
    with neighbours_importable(path):
        module = _call(partial(execute, path), path)
        if not callable(getattr(module, factory, None)):
            raise unknown_name(f"factory in {path}", factory, _factories(module))
        return _checked(_call(getattr(module, factory), path), f"{path}:{factory}")


def _factories(module: ModuleType) -> list[str]:
    """Names of a module's own functions that can be called without an argument, as a factory is."""
    own = [
        (name, value)
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__ and not name.startswith("_")
    ]
    return [
        name
        for name, value in own
        if all(
            p.default is not p.empty or p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
            for p in inspect.signature(value).parameters.values()
        )
    ]


def _call(function: Callable[[], Any], where: object) -> Any:
    """Run code that may be a user's: whatever it raises becomes a UsageError that names `where`."""
    try:
        return function()
    except ActionBenchError:
        raise
    except Exception as error:
        raise UsageError(f"fails with {type(error).__name__}: {error}", where=where) from error


def _checked(model: object, where: str) -> Model:
    if not isinstance(model, Model):
        raise UsageError(
            "factory gave no model",
            where=where,
            expected="actionbench.models.spec.Model",
            found=type(model).__name__,
        )
    if not model.backends or not model.streams:
        raise UsageError("the model has no backend or no stream", where=where)
    return model

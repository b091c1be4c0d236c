"""From the words of the command line to a model, its backend, precision and variant."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ...errors import UsageError, WeightsError, unknown_name
from ..capabilities import BACKENDS, Backend, offer
from ..families.registry import family_names, family_of
from ..finetuning.finetuned import is_finetuned
from ..network_files import keep_neighbours_importable
from ..spec import LoadOptions, Model, Views, Weights
from .factories import family_model, model_in_file, model_in_folder, named_model
from .names import MODELS, model_names, set_members

_FILE = re.compile(r"(?P<path>.+\.py)(?::(?P<factory>[^@]*))?(?:@(?P<selection>[^@/]*))?")
_WINDOW = re.compile(r"(?P<name>.*?)(?::K=(?P<frames>\d{1,9}))?", re.DOTALL)
_NAME = re.compile(r"(?P<name>[^@]*?)(?::K=(?P<frames>\d{1,9}))?(?:@(?P<selection>.*))?", re.DOTALL)


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
        model = model_in_file(Path(in_file["path"]), in_file["factory"])
        frames, selection = None, in_file["selection"]
    elif (family := family_of(request)) is not None:
        name, frames, selection = _family_parts(request.removeprefix(f"{family}:"))
        model = family_model(family, name)
    else:
        named = _NAME.fullmatch(request)
        assert named is not None, "the expression matches every string"
        name = named["name"]
        in_folder = name != "" and name not in model_names() and Path(name).is_dir()
        model = model_in_folder(Path(name)) if in_folder else named_model(name)
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


def keep_importable(request: ModelRequest) -> None:
    """From now on let functions in a user's file import the modules beside it; no effect for a name."""
    if (in_file := _FILE.fullmatch(request.key)) is not None:
        keep_neighbours_importable(Path(in_file["path"]))


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


def _family_parts(text: str) -> tuple[str, str | None, str | None]:
    """Of what follows a family's prefix: the name, the frames of `:K=` and the selection.

    A revision or a path in the name may have an "@" too.
    """
    rest, at, last = text.rpartition("@")
    selected = bool(at) and last.partition(":")[0] in BACKENDS
    named = _WINDOW.fullmatch(rest if selected else text)
    assert named is not None, "the expression matches every string"
    return named["name"], named["frames"], last if selected else None

"""The weights of each stream of a planned model."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from ...errors import WeightsError
from ...models.registry import ModelRequest
from ...models.spec import Weights, WeightsDescription
from ...models.weights import resolve_weights, stored_weights
from ...models.weights.formats.readers import WRITABLE
from .config import RunConfig, is_demo


def weights_names(key: str, request: ModelRequest) -> list[str]:
    """Names for a model, or one of its streams, in `--weights`; the most specific first.

    - `key`: the model's name in reports.
    - `request`: the model.
    """
    name = request.model.name
    return [*(f"{name}-{stream}" for stream in request.model.streams), key, name]


def planned_weights(key: str, request: ModelRequest, config: RunConfig) -> dict[str, Weights]:
    """Stream → its weights: of `--weights`, else its own or stored ones, else (demo clips) demo weights.

    - `key`: the model's name in reports.
    - `request`: the model.
    - `config`: names weights and data.

    Streams of one network have either all trained weights or none: with the demo clips, if one stream has no
    stored weights, all streams without a `--weights` have demo weights. Raises WeightsError where trained and
    demo weights would be mixed, or a stream has no weights, or where weights are named for a network whose
    file holds its weights; `*=random` and `*=demo` are not for such a network.
    """
    streams = request.model.streams
    if request.model.fixed_weights:
        _refuse_others(key, request, config)
        return dict(request.model.fixed_weights)
    named = {stream: _named(key, request, stream, config) for stream in streams}
    stored = {stream: _stored(request, stream) for stream in streams if named[stream] is None}
    use_demo = is_demo(config.data) and None in stored.values()
    weights = {}
    for stream, description in streams.items():
        value = named[stream]
        if value == "random":
            weights[stream] = Weights("random", description, seed=config.seed)
        elif value == "demo" or (value is None and use_demo):
            weights[stream] = Weights("demo", description, seed=config.seed)
        elif value is not None:
            weights[stream] = _readable(resolve_weights(stream, description, Path(value)), request)
        else:
            weights[stream] = stored[stream] or _absent(key, request, stream)
    kinds = {stream: each.kind for stream, each in weights.items()}
    if "demo" in kinds.values() and set(kinds.values()) & {"published", "user"}:
        raise WeightsError(
            "some streams have trained weights and some have demo weights",
            where=f"--weights {key}",
            found=", ".join(f"{stream}: {kind}" for stream, kind in kinds.items()),
            remedy="Name trained weights for each stream, or none",
        )
    return weights


def _refuse_others(key: str, request: ModelRequest, config: RunConfig) -> None:
    """Raise WeightsError for weights that are named for a network whose file holds its weights."""
    every = {"*"} if config.weights.get("*") not in ("random", "demo", None) else set()
    for name in (every | set(weights_names(key, request))) & config.weights.keys():
        raise WeightsError(
            "no weights can be named for it: its file is the network and its weights in one",
            where=f"--weights {name}={config.weights[name]}",
            remedy="Leave it out (`*=random` leaves this network as it is), or export the other weights as "
            "an ONNX file of their own.",
        )


def _named(key: str, request: ModelRequest, stream: str, config: RunConfig) -> str | None:
    """The value of `--weights` for a stream; None without one."""
    model = request.model.name
    names = (f"{model}-{stream}", key, model, "*")
    return next((config.weights[name] for name in names if name in config.weights), None)


def _published(request: ModelRequest, stream: str) -> list[WeightsDescription]:
    """The published weights for a stream that its backend can read, the preferred ones first."""
    every = (request.model.streams[stream], *request.model.alternatives.get(stream, ()))
    return [each for each in every if _reads(request, each)]


def _stored(request: ModelRequest, stream: str) -> Weights | None:
    if (own := request.model.own_weights.get(stream)) is not None:
        return resolve_weights(stream, request.model.streams[stream], own)
    for each in _published(request, stream):
        if (path := stored_weights(each)) is not None:
            return resolve_weights(stream, each, path)
    return None


def _absent(key: str, request: ModelRequest, stream: str) -> NoReturn:
    names = [f"`bench weights fetch {each.name}`" for each in _published(request, stream)]
    published = f"{' or '.join(names)} stores published ones; " if names else ""
    raise WeightsError(
        f"no weights for the {stream} stream of {key}",
        remedy=f"{published}--weights {request.model.name}=PATH names a file; "
        "--weights random measures time only.",
    )


def _reads(request: ModelRequest, description: WeightsDescription) -> bool:
    """Whether the backend reads weights of this format."""
    formats = request.offered.reads
    return formats is None or description.format in formats


def _readable(weights: Weights, request: ModelRequest) -> Weights:
    if _reads(request, weights.description):
        return weights
    formats = request.offered.reads or ()
    target = next((format for format in formats if format in WRITABLE), None)
    convert = f"`bench weights convert {weights.path} TARGET --to {target}`, or " if target else ""
    raise WeightsError(
        f"the {request.backend} backend does not read the format {weights.description.format}",
        where=weights.path,
        expected=" or ".join(formats),
        remedy=f"{convert}name another backend of {request.model.name}.",
    )

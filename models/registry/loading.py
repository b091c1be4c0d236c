"""Loads the network of a request on a device, with its weights."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import partial

from ...errors import BackendUnavailable, UsageError
from ...registry import LOAD_REMEDY, load
from ..capabilities import OUR_MODULES, missing_packages, why_not
from ..spec import Loader, LoadOptions, Network, Weights
from .factories import call
from .request import ModelRequest, keep_importable

_METHODS = ("upload", "forward", "download", "synchronize", "describe")
"""Those of `Network`."""


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
    load_on: Loader = load(loader, f"the backend '{request.backend}'", LOAD_REMEDY)
    if load_on.__module__.startswith(OUR_MODULES):
        return load_on(request.model, weights, options)
    network: Network = call(partial(load_on, request.model, weights, options), request.key)
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

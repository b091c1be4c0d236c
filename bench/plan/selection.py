"""From sets, `--backends` and `--precisions` to the models of a run, and what this machine can run."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import product

from ...errors import ActionBenchError, UsageError, unknown_name
from ...models.capabilities import Backend, caution, missing_packages, needed_packages, offer, why_not
from ...models.registry import ModelRequest, find_model, set_members
from .config import RunConfig
from .environment import has_gpu, lacking

ALL = "all"


def expanded(config: RunConfig, say: Callable[[str], None]) -> RunConfig:
    """The settings with the members of each set, and each model once for each of its backends and precisions.

    - `config`: the settings; for its sets see `with_members`. `backends` applies to models named without a
      backend ("all": those that this machine can run), `precisions` to models named without a precision.
    - `say`: called with a message for each combination that is left out.

    A combination that a model does not offer is left out. With "all", so is one that this machine cannot run,
    which otherwise is a row without figures. Raises UsageError if no combination of a model is left, or for a
    name that no model has.
    """
    config = with_members(config, say)
    if not config.backends and not config.precisions:
        return config
    names: list[str] = []
    requests = [find_model(name) for name in config.models]
    backends, precisions = {ALL}, set[str]()
    for model in (request.model for request in requests):
        backends |= model.backends.keys()
        precisions |= {p for backend in model.backends for p in offer(model, backend).precisions}
    for option, given, known in (
        ("--backends", config.backends, backends),
        ("--precisions", config.precisions, precisions),
    ):
        for word in given:
            if word not in known:
                raise UsageError(
                    f"none of the models has '{word}'",
                    where=option,
                    remedy=unknown_name("name", word, known).remedy,
                )
    for request in requests:
        names += [found.key for found in _expanded(request, config, say)]
    return replace(config, models=tuple(dict.fromkeys(names)), backends=(), precisions=())


def with_members(config: RunConfig, say: Callable[[str], None]) -> RunConfig:
    """The settings with the models of a set in the place of its name ("@realtime").

    - `config`: the settings. Where they name no backends, a model has its first one that runs here.
    - `say`: called with a message for the models that are left out, one for each reason why this machine
      cannot run them.

    Raises UsageError for an unknown set, or if this machine can run none of its models.
    """
    names: list[str] = []
    for name in config.models:
        if (members := set_members(name)) is None:
            names.append(name)
            continue
        able: list[str] = []
        left_out: dict[str, list[str]] = {}
        for member in members:
            found, reason = _able_member(member, config)
            if reason is None:
                able.append(found)
            else:
                left_out.setdefault(reason, []).append(member)
        for reason, without in left_out.items():
            say(f"left out of {name}: {', '.join(without)}: {reason}")
        if not able:
            raise UsageError(
                "this machine can run none of its models",
                where=name,
                expected=", ".join(members),
                remedy="`bench models` lists what this machine can run.",
            )
        names += able
    return replace(config, models=tuple(dict.fromkeys(names)))


def _able_member(member: str, config: RunConfig) -> tuple[str, str | None]:
    """A model of a set, with a backend that runs here; if there is none, also why, for its first backend."""
    try:
        request = find_model(member)
        if config.backends:
            return member, None
        reasons = {
            backend: unable(find_model(f"{member}@{backend}"), config) for backend in request.model.backends
        }
    except ActionBenchError as error:
        return member, str(error)
    for backend, reason in reasons.items():
        if reason is None:
            return (member if backend == request.backend else f"{member}@{backend}"), None
    return member, reasons[request.backend]


def _expanded(request: ModelRequest, config: RunConfig, say: Callable[[str], None]) -> list[ModelRequest]:
    words = request.selection.split(":") if request.selection else []
    if len(words) > 1 or (words and not config.precisions):
        return [request]
    backends: tuple[str, ...] = (request.backend,)
    if not words and config.backends:
        backends = tuple(request.model.backends) if ALL in config.backends else config.backends
    found = []
    for backend, precision in product(backends, config.precisions or ("",)):
        key = f"{request.name}@{backend}" + (precision and f":{precision}")
        try:
            asked = find_model(key)
        except UsageError as error:
            say(f"left out: {error.what}")
            continue
        reason = unable(asked, config) or _without_weights(asked, config)
        if reason is not None and ALL in config.backends:
            say(f"left out: {key}: {reason}")
            continue
        found.append(asked)
    if not found:
        raise UsageError(
            "has none of the combinations of --backends and --precisions",
            where=request.key,
            remedy="`bench models` lists what this machine can run.",
        )
    return found


def _without_weights(request: ModelRequest, config: RunConfig) -> str | None:
    """Why it cannot have the weights that are configured for it, as a clause; None if it can."""
    wanted = {config.weights.get(name) for name in (request.model.name, request.key, "*")}
    if request.offered.own_network and "random" in wanted:
        return f"{request.backend} runs a network as it is stored: there are no random weights for it"
    return None


def unable(request: ModelRequest, config: RunConfig) -> str | None:
    """Why this machine cannot run a model on the configured device, as a clause; None if it can.

    - `request`: the model.
    - `config`: gives the device and other interpreters.
    """
    offered = request.offered
    python = config.python.get(request.backend, sys.executable)
    if missing := lacking(python, needed_packages(offered, request.precision)):
        return f"{python} lacks {', '.join(missing)}: {offered.remedy_for(missing)}"
    device = config.device
    if device == "auto":
        device = "cuda:0" if has_gpu() else "cpu"
    return why_not(offered, request.precision, request.variant, device)


def capabilities_rows(backends: dict[str, Backend]) -> list[list[str]]:
    """Rows of a table: backend, precision, variants, and whether this machine's CPU and GPU can run it."""
    rows = []
    for name, backend in backends.items():
        for precision in backend.precisions:
            states = [_state(backend, precision, device) for device in ("cpu", "cuda:0")]
            if missing := missing_packages(backend, precision):
                remedy = backend.remedy_for(missing)
                states = [f"no: {sys.executable} lacks {', '.join(missing)} ({remedy})", ""]
            rows.append([name, precision, ", ".join(backend.variants(precision)), *states])
    return rows


def _state(backend: Backend, precision: str, device: str) -> str:
    offered = backend.cpu if device == "cpu" else backend.cuda
    variant = offered[precision][0] if precision in offered else backend.variants(precision)[0]
    if (reason := why_not(backend, precision, variant, device)) is not None:
        return f"no: {reason}"
    if device != "cpu" and not has_gpu():
        return "no: no CUDA device"
    note = caution(precision, device)
    return "yes" if note is None else f"yes, but {note}"

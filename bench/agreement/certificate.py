"""Certificates: that a backend has reproduced its authors' published example with these very weights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from ...atomic import write_file
from ...errors import UsageError
from ...home import home
from ...models.registry import ModelRequest
from ...models.spec import LoadOptions, Weights
from ...parsing import parse_json
from ...typed_values import typed

_DECISIVE = ("torch", "tensorflow", "dm-sonnet", "onnxruntime", "onnxruntime-gpu", "openvino")
"""Distributions whose versions a certificate is bound to: another version needs a new certificate."""


@dataclass(frozen=True, slots=True)
class _Certificate:
    """The content of a certificate's file; the parameters of `write_certificate`, and the day."""

    model: str
    backend: str
    weights: Mapping[str, str | None]
    largest_difference: float
    date: str


def write_certificate(
    request: ModelRequest,
    weights: Mapping[str, Weights],
    options: LoadOptions,
    packages: Mapping[str, str | None],
    worst: float,
) -> Path:
    """Write that `request` reproduced the authors' published example; returns the path of the file.

    - `request`: the model with its backend, precision and variant.
    - `weights`: stream → the weights that it was computed with; identified by their SHA-256.
    - `options`: device and precision that it was computed with.
    - `packages`: distribution → its version in the interpreter that computed it.
    - `worst`: largest absolute difference from a published value.
    """
    path = _path(request, weights, options, packages)
    reproduced = _Certificate(
        model=request.model.name,
        backend=request.backend,
        weights={stream: each.sha256 for stream, each in weights.items()},
        largest_difference=worst,
        date=datetime.now(UTC).date().isoformat(),
    )
    return write_file(path, json.dumps(asdict(reproduced), indent=1))


def certificate(
    request: ModelRequest,
    weights: Mapping[str, Weights],
    options: LoadOptions,
    packages: Mapping[str, str | None],
) -> str | None:
    """The sentence that reports show of the certificate; None if there is none for this combination.

    The parameters are those of `write_certificate`. Raises UsageError for a damaged file.
    """
    path = _path(request, weights, options, packages)
    if not path.is_file():
        return None
    try:
        found = typed(_Certificate, parse_json(path.read_text(encoding="utf-8")))
    except ValueError as error:
        raise UsageError(
            f"is damaged: {error}", where=path, remedy="Remove it, and run `bench parity --published` again."
        ) from error
    worst = f"{found.largest_difference:.1e}"
    return f"reproduced the authors' published example on {found.date}, largest difference {worst}"


def _path(
    request: ModelRequest,
    weights: Mapping[str, Weights],
    options: LoadOptions,
    packages: Mapping[str, str | None],
) -> Path:
    """One file for each set of weights, kind of device, precision, variant and versions of the frameworks."""
    what = {
        "weights": {stream: each.sha256 for stream, each in weights.items()},
        "device": options.device.partition(":")[0],
        "tf32": options.tf32,
        "precision": options.precision,
        "form": options.variant,  # the key of certificates written before
        "packages": {name: packages.get(name) for name in _DECISIVE},
    }
    name = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:16]
    return home() / "certificates" / f"{request.model.name}-{request.backend}-{name}.json"

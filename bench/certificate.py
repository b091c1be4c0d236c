"""Certificates: that a backend has reproduced its authors' published example with these very weights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from ..home import home
from ..models.registry import ModelRequest
from ..models.spec import Weights


def write_certificate(request: ModelRequest, weights: Mapping[str, Weights], worst: float) -> Path:
    """Keep that `request` reproduced the example, at most `worst` off; the file."""
    path = _path(request, weights)
    path.parent.mkdir(parents=True, exist_ok=True)
    facts = {
        "model": request.model.name,
        "backend": request.backend,
        "weights": {stream: each.sha256 for stream, each in weights.items()},
        "largest_difference": worst,
        "date": datetime.now(UTC).date().isoformat(),
    }
    path.write_text(json.dumps(facts, indent=1), encoding="utf-8")
    return path


def certificate(request: ModelRequest, weights: Mapping[str, Weights]) -> str | None:
    """What reports say of the certificate; None if there is none for this backend and these weights."""
    path = _path(request, weights)
    if not path.is_file():
        return None
    facts = json.loads(path.read_text(encoding="utf-8"))
    return (
        f"reproduced the authors' published example on {facts['date']}, "
        f"largest difference {facts['largest_difference']:.1e}"
    )


def _path(request: ModelRequest, weights: Mapping[str, Weights]) -> Path:
    digests = "".join(f"{stream}={each.sha256};" for stream, each in sorted(weights.items()))
    name = hashlib.sha256(digests.encode()).hexdigest()[:16]
    return home() / "certificates" / f"{request.model.name}-{request.backend}-{name}.json"

"""Files of weights: their formats, where published ones come from, and where they are kept.

The names below are imported when they are first used: the architectures need the descriptions, and the
readers need the architectures' names of tensors.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .fetching import fetch
    from .formats.readers import convert, detect_format, read_state, write_state
    from .inventory import list_weights, verify
    from .store import resolve_weights, stored_weights

_HOMES = {
    "convert": "formats.readers",
    "detect_format": "formats.readers",
    "fetch": "fetching",
    "list_weights": "inventory",
    "read_state": "formats.readers",
    "resolve_weights": "store",
    "stored_weights": "store",
    "verify": "inventory",
    "write_state": "formats.readers",
}

__all__ = [
    "convert",
    "detect_format",
    "fetch",
    "list_weights",
    "read_state",
    "resolve_weights",
    "stored_weights",
    "verify",
    "write_state",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)

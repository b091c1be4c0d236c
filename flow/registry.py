"""The optical-flow methods that can be named on the command line."""

from __future__ import annotations

import inspect
from typing import Any

from ..registry import Registry
from .method import FlowMethod

METHODS: dict[str, str] = {
    "tvl1": "actionbench.flow.tvl1:faithful",
    "tvl1-balanced": "actionbench.flow.tvl1:balanced",
    "tvl1-fast": "actionbench.flow.tvl1:fast",
    "tvl1-fast-crop": "actionbench.flow.centre:fast_crop",
    "tvl1-torch": "actionbench.flow.tvl1_torch.method:faithful",
    "tvl1-balanced-torch": "actionbench.flow.tvl1_torch.method:balanced",
    "tvl1-fast-torch": "actionbench.flow.tvl1_torch.method:fast",
    "opencv": "actionbench.flow.opencv:dual_tvl1",
    "dis": "actionbench.flow.opencv:dis",
    "farneback": "actionbench.flow.opencv:farneback",
}
"""Name → "module:attribute" of a function that takes `threads`, and `device` if it computes on several, and
returns the method."""

NEEDS_TORCH = frozenset(name for name, value in METHODS.items() if ".tvl1_torch." in value)
"""Methods that import torch, which must not be imported beside TensorFlow."""

HOLDS_IN = {"tvl1-fast-crop": 224}
"""Methods whose flow is not that of the whole frame: name → side of the square in its centre, pixels, that
the flow is to be used in."""

_REGISTRY = Registry(
    "flow method",
    "actionbench.flow",
    METHODS,
    remedy="Install what it needs (for cv2: opencv-contrib-python, and no other cv2 package; for torch: "
    "torch)",
)


def method_names() -> dict[str, str]:
    """All methods, name → "module:attribute": our own, and those that installed packages add.

    Raises UsageError if a package takes a name that is in use.
    """
    return _REGISTRY.references()


def summary(name: str) -> str:
    """The first line of what the method's factory says of itself; empty if it says nothing.

    Raises UsageError or BackendUnavailable as `get_method` does.
    """
    return (inspect.getdoc(_REGISTRY.load(name)) or "").partition("\n")[0]


def get_method(name: str, threads: int = 1, device: str | None = None) -> FlowMethod:
    """A flow method.

    - `name`: one of `method_names`.
    - `threads`: CPU threads that it computes with.
    - `device`: "cpu" or "cuda:N", for methods that support several devices; None: the method's default.

    Raises UsageError for an unknown name, BackendUnavailable if it cannot be loaded because a package that it
    needs is missing or broken.
    """
    factory = _REGISTRY.load(name)
    options: dict[str, Any] = {"threads": threads}
    if "device" in inspect.signature(factory).parameters:
        options["device"] = device
    method: FlowMethod = factory(**options)
    return method

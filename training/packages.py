"""What training needs beside ActionBench itself: the packages of the extra `training`."""

from __future__ import annotations

import importlib.util

from ..errors import BackendUnavailable

_PACKAGES = ("lightning", "torchmetrics", "kornia")


def require_training() -> None:
    """Raise BackendUnavailable if a package that training needs is not installed."""
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise BackendUnavailable(
            f"training needs packages that are not installed: {', '.join(missing)}",
            remedy="`pip install 'actionbench[training]'`",
        )

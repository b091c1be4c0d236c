"""What the page needs beside ActionBench itself: packages of the extra `live`."""

from __future__ import annotations

import importlib.util

from ...errors import BackendUnavailable

_PACKAGES = ("anyio", "prometheus_client", "starlette", "uvicorn")


def require_web() -> None:
    """Raise BackendUnavailable if a package that the page needs is not installed."""
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise BackendUnavailable(
            f"the page needs packages that are not installed: {', '.join(missing)}",
            where="--web",
            remedy="`pip install 'actionbench[live]'`",
        )

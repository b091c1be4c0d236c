"""numba's compiler with this engine's settings, and where it keeps what it compiled."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba.extending import register_jitable

from ...home import home

Function = TypeVar("Function", bound=Callable[..., Any])

_ARITHMETIC = {"fastmath": True, "error_model": "numpy"}
"""Sums may be reordered, and a division by zero raises nothing: what vector units do."""


def inlined(function: Function) -> Function:
    """Let compiled functions call `function`, which is compiled into each of them; Python may call it too.

    Into each: a copy of its own that is called could be another one when it comes from the disk than when it
    was just compiled, and round differently.
    """
    compiled = register_jitable(
        forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True, **_ARITHMETIC
    )
    registered: Function = compiled(function)
    return registered


def entry_point(function: Function) -> Function:
    """Compile to be called from Python, without the global interpreter lock, and keep it in `cache_folder`.

    Where that folder cannot be written, each process compiles again.
    """
    before, numba.config.CACHE_DIR = numba.config.CACHE_DIR, str(cache_folder())
    try:
        compiled: Function = numba.njit(function, cache=_writable(cache_folder()), nogil=True, **_ARITHMETIC)
    finally:
        numba.config.CACHE_DIR = before
    return compiled


def is_ready(entry: Any) -> bool:
    """Whether an entry point has been compiled, in this process or into `cache_folder`."""
    return bool(entry.signatures) or any(cache_folder().glob(f"*/*.{entry.__name__}-*.nbc"))


@cache
def cache_folder() -> Path:
    """Where compiled functions are kept: below NUMBA_CACHE_DIR where that is set, else `home()`/numba.

    The folder's name holds a digest of the engine's sources, since numba looks at no file but that of the
    function itself when it decides whether what it kept is still good.
    """
    digest = hashlib.sha256()
    compiled_in = Path(__file__).parents[1] / "sorting_networks.py"
    for source in [*sorted(Path(__file__).parent.glob("*.py")), compiled_in]:
        digest.update(source.read_bytes())
    parent = Path(numba.config.CACHE_DIR) if numba.config.CACHE_DIR else home() / "numba"
    return parent / f"tvl1-{digest.hexdigest()[:16]}"


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)

"""Free space on the disk that a transfer writes to."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from ..errors import ActionBenchError

_SPARE_BYTES: Final = 64 << 20  # left free on the disk


def require_space(folder: Path, needed: int, error: type[ActionBenchError], remedy: str) -> None:
    """Raise `disk_full`'s error unless `needed` bytes fit on the disk of `folder`, and 64 MiB beside them.

    - `folder`: exists.
    - `error`, `remedy`: as in `disk_full`.
    """
    free = shutil.disk_usage(folder).free
    if free < needed + _SPARE_BYTES:
        raise disk_full(folder, error, remedy, f"{needed + _SPARE_BYTES} bytes", f"{free} bytes free")


def disk_full(
    folder: Path,
    error: type[ActionBenchError],
    remedy: str,
    expected: str | None = None,
    found: str | None = None,
) -> ActionBenchError:
    """The error for a full disk.

    - `folder`: is on it.
    - `error`: its class.
    - `remedy`: what to do beside making room.
    - `expected`, `found`: free bytes, as text.
    """
    return error(
        "the disk is full",
        where=folder,
        expected=expected,
        found=found,
        remedy=f"Free some space, then give the command again, or {remedy}",
    )

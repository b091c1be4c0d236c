"""What several commands share: parsing of option values, checks before work begins, counts with a noun."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from ...errors import UsageError


def share(option: str, text: str) -> float:
    """ "5%" or "0.05" as 0.05. Raises UsageError for what is neither."""
    digits, percent, rest = text.strip().partition("%")
    try:
        value = math.nan if rest else float(digits)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UsageError("is not a share", where=option, expected="e.g. 5% or 0.05", found=text)
    return value / 100 if percent else value


def check_writable(option: str, path: Path | None) -> None:
    """Raise UsageError if no file can be written at `path`: checked before the work whose result it takes.

    - `option`: the option that names the path, for the error.
    - `path`: an existing file is left unchanged; None, and special files such as pipes, are not checked.
    """
    if path is None or (path.exists() and not path.is_file() and not path.is_dir()):
        return
    new = not path.exists()
    try:
        # By trying: permissions alone do not say whether a file system is writable.
        with path.open("ab"):
            pass
        if new:
            path.unlink()
    except OSError as error:
        raise UsageError(f"cannot be written: {error.strerror}", where=f"{option} {path}") from error


def check_ending(option: str, path: Path, endings: Sequence[str]) -> None:
    """Raise UsageError if a path's extension is none of `endings`, each with its dot; "" is that of a folder.

    - `option`: the option or argument that names the path, for the error.
    """
    if path.suffix.lower() not in endings:
        raise UsageError(
            "has an unknown file extension",
            where=f"{option} {path}",
            expected=" or ".join(ending or "none, for a folder" for ending in endings),
        )

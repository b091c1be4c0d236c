"""Writes what is derived from measurements and can be made again: files into a folder, JSON documents."""

from __future__ import annotations

import errno
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...atomic import write_file


def write_files(folder: Path, files: Mapping[str, str | bytes]) -> None:
    """Write files into a folder, each replaced as a whole; folders that do not exist are created.

    - `folder`: where.
    - `files`: path below `folder` → content, a text as UTF-8; written in this order. Half of a surrogate
      pair, which UTF-8 does not have, becomes "?": names of files may hold it, and damaged records.

    Raises OSError if one cannot be written, or if a link that lies in the folder leads it elsewhere: the
    folder may be a run of somebody else's.
    """
    for name, content in files.items():
        if not stays_inside(path := folder / name, folder):
            raise OSError(errno.ELOOP, "a link leads out of the folder", str(path))
        data = content.encode("utf-8", "replace") if isinstance(content, str) else content
        write_file(path, data, sync=False)


def stays_inside(path: Path, folder: Path) -> bool:
    """Whether `path`, which begins with `folder`, lies in it also when links are followed."""
    return path.resolve().is_relative_to(folder.resolve())


def json_document(value: Any) -> str:
    """Plain values as a JSON document; numbers that JSON cannot represent (NaN, infinity) become null."""
    return json.dumps(_finite(value), ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

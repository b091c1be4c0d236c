"""Writes an evaluation's document, for people and for programs, with its tables and plots."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ...atomic import NO_SPACE
from ...errors import UsageError
from ..formats.files import json_document, write_files


def write_document(
    out: Path,
    name: str,
    parts: Iterable[str],
    record: Mapping[str, Any],
    files: Mapping[str, str | bytes],
    earlier: Iterable[Path] = (),
) -> Path:
    """Write all files, each whole; returns the path of the one for people.

    - `out`: the folder.
    - `name`: of the document: NAME.md and NAME.json.
    - `parts`: of NAME.md, Markdown; empty ones are left out.
    - `record`: the content of NAME.json.
    - `files`: path below `out` → content of the tables and plots.
    - `earlier`: files that earlier documents may have left in `out`; those that this one does not have are
      removed.

    Raises UsageError if they cannot be written.
    """
    document = f"{name}.md"
    written = {
        **files,
        f"{name}.json": json_document(record),
        document: "\n\n".join(part for part in parts if part) + "\n",
    }
    try:
        write_files(out, written)
        for path in earlier:
            if path.relative_to(out).as_posix() not in written:
                path.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(
            f"the evaluation cannot be written: {error.strerror}",
            where=error.filename or out,
            remedy="What it is of is safe; free some space, then give the command again."
            if error.errno in NO_SPACE
            else "Name another folder: --out FOLDER.",
        ) from error
    return out / document

"""What of the published weights is in the store, and whether it still is what was fetched."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import WeightsError
from .catalogue import CATALOGUE, Source, find_source, total_size
from .store import RECORD, digest, stored, weights_folder


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """`problems`: what is wrong with the stored files, in words; empty if they are as they were fetched."""

    name: str
    path: Path
    files: int
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.problems


@dataclass(frozen=True, slots=True)
class WeightsRow:
    """One line of the list of published weights.

    - `size`: bytes, None if unknown. `path`: where they are stored, None if they are not. `by_hand`: whether
      a browser is needed.
    """

    name: str
    stream: str
    licence: str
    size: int | None
    path: Path | None
    source: str
    accuracy: str
    by_hand: bool


def verify(name: str) -> VerifyResult:
    """Compare the stored files of `name` with what was recorded when they were fetched.

    Raises UsageError for an unknown name, WeightsError if they were not fetched.
    """
    source = find_source(name)
    path = stored(source)
    folder = weights_folder() / source.folder
    if path is None:
        raise WeightsError(
            "these weights were not fetched", where=folder, remedy=f"Run `bench weights fetch {name}`"
        )
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        files: Mapping[str, Mapping[str, Any]] = record["files"]
        problems = [problem for file in files if (problem := _problem(folder / file, file, files[file]))]
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise WeightsError(
            "is damaged", where=folder / RECORD, remedy=f"Remove {folder} and fetch {name} again"
        ) from error
    return VerifyResult(name, path, len(files), tuple(problems))


def list_weights() -> list[WeightsRow]:
    """Everything in the catalogue, in its order."""
    rows = []
    for source in CATALOGUE.values():
        path = stored(source)
        rows.append(
            WeightsRow(
                name=source.name,
                stream=source.description.stream if source.description else "",
                licence=source.licence,
                size=_stored_size(source) if path is not None else total_size(source.files),
                path=path,
                source=source.origin,
                accuracy=source.description.accuracy if source.description else "",
                by_hand=not source.base,
            )
        )
    return rows


def _stored_size(source: Source) -> int:
    folder = weights_folder() / source.folder
    return sum((folder / file.name).stat().st_size for file in source.files if (folder / file.name).exists())


def _problem(path: Path, name: str, recorded: Mapping[str, Any]) -> str | None:
    if not path.is_file():
        return f"{name} is missing"
    if path.stat().st_size != recorded["size"]:
        return f"{name} has {path.stat().st_size} bytes instead of {recorded['size']}"
    return None if digest([path]) == recorded["sha256"] else f"{name} has changed: its SHA-256 differs"

"""Which published weights are in the store, and whether their files are unchanged."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...errors import WeightsError
from .catalogue import CATALOGUE, WeightsSource, find_source, total_size
from .hugging_face.hub import is_hub_name, problems, stored_snapshot, stored_snapshots
from .record import RECORD, difference, recorded
from .store import stored, weights_folder


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """The result of `verify`.

    - `name`: of the weights.
    - `path`: to load them from.
    - `files`: number of files.
    - `problems`: a sentence for each file that is missing or has changed; empty if none.
    """

    name: str
    path: Path
    files: int
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether there are no problems."""
        return not self.problems


@dataclass(frozen=True, slots=True)
class WeightsRow:
    """One line of the list of published weights.

    - `name`, `licence`, `source`: name, licence and origin in the catalogue.
    - `stream`: "rgb" or "flow"; empty for samples.
    - `size`: bytes, None if unknown.
    - `path`: to load them from; None if they are not stored.
    - `accuracy`: that is reported, as text; empty if none.
    - `by_hand`: whether they can only be fetched with a browser.
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
    if is_hub_name(name):
        return _verify_snapshot(name)
    source = find_source(name)
    path = stored(source)
    folder = weights_folder() / source.folder
    if path is None:
        raise WeightsError(
            "these weights were not fetched", where=folder, remedy=f"Run `bench weights fetch {name}`"
        )
    files = recorded(folder)
    problems = [problem for file in files if (problem := difference(folder / file, file, files[file]))]
    return VerifyResult(name, path, len(files), tuple(problems))


def _verify_snapshot(name: str) -> VerifyResult:
    snapshot = stored_snapshot(name)
    if snapshot is None:
        raise WeightsError(
            "this network was not fetched", where=name, remedy=f"Run `bench weights fetch {name}`"
        )
    return VerifyResult(name, Path(snapshot.folder), len(snapshot.files), problems(snapshot))


def list_weights() -> list[WeightsRow]:
    """Everything in the catalogue, in its order, and what was fetched from the Hugging Face Hub."""
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
                accuracy=source.description.reported_accuracy if source.description else "",
                by_hand=source.by_hand,
            )
        )
    return rows + [
        WeightsRow(
            name=each.name,
            stream="rgb",
            licence=each.licence,
            size=sum(file.size for file in each.files.values()),
            path=Path(each.folder),
            source=each.source,
            accuracy="",
            by_hand=False,
        )
        for each in stored_snapshots()
    ]


def _stored_size(source: WeightsSource) -> int:
    folder = weights_folder() / source.folder
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file() and file.name != RECORD)

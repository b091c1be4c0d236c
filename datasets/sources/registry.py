"""Where clips come from: a registry of sources, and which of them reads a given path.

A source is a function `load(argument, *, vocabulary, videos) -> ClipSet`. Another package adds one by an
entry point in the group `actionbench.sources`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from ...errors import ClipError, UsageError, did_you_mean, unknown_name
from ...registry import Registry
from ..clip import ClipSet
from .arrays import ARRAY_SUFFIXES
from .kinetics import is_kinetics

SOURCES = {
    "arrays": "actionbench.datasets.sources.folder:load_arrays",
    "demo": "actionbench.datasets.sources.registry:load_demo_part",
    "folder": "actionbench.datasets.sources.folder:load_folder",
    "hmdb51": "actionbench.datasets.sources.hmdb51:load_hmdb51",
    "kinetics": "actionbench.datasets.sources.kinetics:load_kinetics",
    "manifest": "actionbench.datasets.sources.manifest:load_manifest",
    "segments": "actionbench.datasets.sources.segments:load_segments",
}

LISTS = ("kinetics", "segments")
"""Our sources whose argument is a list, of videos that may lie elsewhere."""

_REGISTRY = Registry("source of clips", "actionbench.sources", SOURCES)


class Source(Protocol):
    """A function that loads clips."""

    def __call__(self, argument: str, /, *, vocabulary: Sequence[str], videos: Path | None) -> ClipSet:
        """The clips.

        - `argument`: the text after the source's name and the colon.
        - `vocabulary`: the class names that labels are matched to.
        - `videos`: folder of the videos, for sources whose argument is only a list.

        Raises ActionBenchError.
        """
        ...


def load_clips(data: str, *, vocabulary: Sequence[str], videos: Path | None = None) -> ClipSet:
    """The clips that `data` names.

    - `data`: `SOURCE:ARGUMENT`, `demo`, or a path.
    - `vocabulary`: the class names that labels are matched to.
    - `videos`: folder of the videos of a Kinetics CSV.

    A path to a folder is read as `folder`, a CSV file with Kinetics' columns as `kinetics` (with `videos`),
    another CSV or JSON Lines file as `manifest`, any other file as one clip without a label.
    Raises UsageError or ClipError, with similar names, for a path that does not exist, UsageError for
    `videos` with one of our sources that does not use it, BackendUnavailable for a source that cannot be
    imported.
    """
    if not data:
        raise UsageError("no clips are named: the text is empty", remedy="'.' is the current folder.")
    known = _REGISTRY.references()
    name, colon, argument = data.partition(":")
    path = Path(data)
    if name not in known or (not colon and name != "demo"):
        if not path.exists():
            raise _not_there(data, known)
        name, argument = _detect(path), data
    elif not argument and name != "demo":
        raise UsageError(f"does not say which {name}", where=f"'{data}'", expected=f"{name}:ARGUMENT")
    if videos is not None and name in SOURCES and name not in LISTS:
        raise UsageError(
            "is for a Kinetics CSV or a list of segments only",
            where=f"--videos {videos}",
            found=f"clips of the source '{name}'",
        )
    load: Source = _REGISTRY.load(name)
    return load(argument, vocabulary=vocabulary, videos=videos)


def load_demo_part(argument: str, *, vocabulary: Sequence[str], videos: Path | None = None) -> ClipSet:  # noqa: ARG001
    """A part of the demo clips as a `Source`: "train" or "test", the default; `videos` is not used."""
    from ..synthetic.clips import load_demo

    return load_demo(argument or "test")


def _detect(path: Path) -> str:
    suffix = path.suffix.lower()
    if path.is_file() and suffix in ARRAY_SUFFIXES:
        return "arrays"
    if path.is_file() and suffix == ".csv":
        return "kinetics" if is_kinetics(path) else "manifest"
    return "manifest" if suffix == ".jsonl" else "folder"


def _not_there(data: str, known: dict[str, str]) -> UsageError | ClipError:
    name, colon, _ = data.partition(":")
    if colon and name.isidentifier() and len(name) > 1:  # one letter is a drive
        return unknown_name("source of clips", name, known)
    path = Path(data)
    folder = path.parent
    beside = [other.name for other in folder.iterdir()] if folder.is_dir() else []
    hint = did_you_mean(path.name, [*beside, *known])
    sources = ", ".join(f"{source}:…" for source in sorted(known))
    return ClipError("no such folder or file", where=data, remedy=f"{hint}Or name a source: {sources}")

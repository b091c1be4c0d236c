"""The clips of a run that come out of archives while it goes on: what is known of them before any is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...datasets.archives.sets.parts import Reading
from ...datasets.archives.sets.request import FetchRequest
from ...datasets.archives.sets.split import OpenSplit, open_split
from ...datasets.clip import Clip, ClipSet
from ...datasets.labels import LabelMatcher
from ...settings import to_plain
from ..console.progress import Console, transfer


class ArchiveClips:
    """The clips that a request asks for.

    - `request`: what is fetched, and how.
    - `reading`: reads its addresses.
    - `split`: the archives and the videos, once `load` has opened them.
    """

    split: OpenSplit

    def __init__(self, request: FetchRequest, console: Console) -> None:
        """`console`: shows messages."""
        self.request = request
        self.reading = Reading(request.limit_rate)
        self._console = console
        self._matcher = LabelMatcher(())

    def load(self, data: str, *, vocabulary: Sequence[str], videos: Path | None = None) -> ClipSet:  # noqa: ARG002
        """The clips as they are chosen before any archive is read, as a `Source` gives them; without files.

        Raises UsageError, ArchiveError or ClipError as `open_split` does.
        """
        with transfer(Path(self.request.archives).stem) as progress:
            self.reading.watch(progress)
            self.split = open_split(self.request, self.reading, self._console.say)
        self._matcher = LabelMatcher(vocabulary)
        return self.clip_set(self.split.selection.wanted(()), {}, {})

    def clip_set(
        self, videos: Mapping[str, str], missing: Mapping[str, str], sha256: Mapping[str, str]
    ) -> ClipSet:
        """A set of clips without files.

        - `videos`, `missing`: key → class of the videos that can and cannot be had.
        - `sha256`: key → digest of the file, where it is known.
        """
        unknown = (label for label in self.split.selection.classes if label and not self._matcher(label))
        return ClipSet(
            self.split.name,
            tuple(self.clip(key, label, Path(key), sha256.get(key)) for key, label in videos.items()),
            tuple(self.clip(key, label, Path(key), None) for key, label in missing.items()),
            tuple(unknown),
        )

    def clip(self, key: str, label: str, path: Path, sha256: str | None) -> Clip:
        """The clip of a video; its class as the models call it, where they know it."""
        return Clip(key, path, self._matcher(label) or label or None, source="archives", sha256=sha256)

    def record(self, planned: ClipSet) -> dict[str, Any]:
        """What `run.json` says of the archives. `planned`: from `load`."""
        return {
            "request": to_plain(self.request),
            "licence": self.split.set.licence,
            "planned": planned.digest(),
        }

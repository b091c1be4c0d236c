"""A split of an archive set, opened: its archives, and the videos that are wanted of it."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ....atomic import write_file
from ....downloads.web import without_secrets
from ....errors import ClipError, UsageError
from ...sources.kinetics import read_annotations
from .archive_set import ArchiveSet, Part, SplitArchives, is_url, read_set
from .layouts import labels_in
from .parts import Archive, Reading, in_threads
from .request import FetchRequest
from .selection import Selection, select

_SURVEYED_AT_ONCE = 8
"""Archives whose size is asked for at the same time."""

_MOST_ARCHIVES = 10_000
"""In a list; published sets have some hundreds."""

_MOST_REMARKS = 5
"""Of an archive that are shown."""


@dataclass(frozen=True, slots=True)
class OpenSplit:
    """A split whose archives and videos are known.

    - `set`: that it is of. `request`: what is wanted.
    - `reading`: reads its addresses.
    - `archives`: with the corrections first. `corrections`: number of these.
    - `selection`: the videos, in their order.
    """

    set: ArchiveSet
    request: FetchRequest
    reading: Reading
    archives: tuple[Archive, ...]
    corrections: int
    selection: Selection

    @property
    def name(self) -> str:
        """Name of the videos in reports."""
        return self.request.name(self.set.name)


def open_split(request: FetchRequest, reading: Reading, say: Callable[[str], None]) -> OpenSplit:
    """Find the archives of a split and the videos that are wanted of it.

    - `request`: what is wanted.
    - `reading`: reads addresses.
    - `say`: gets messages: licence and terms first.

    A set without annotations is indexed here if it is not yet: only its archives name the videos. Raises
    UsageError for an unknown set, split or class, and for a split without videos; ArchiveError or ClipError
    for what cannot be read.
    """
    found = read_set(request.archives)
    split = found.split(request.split)
    say(f"{found.title}. Licence: {found.licence}" + (f". {found.terms.strip()}" if found.terms else ""))
    base = request.mirror
    corrections = [_archive(part, found, base, reading) for part in split.corrections]
    parts = [_archive(part, found, base, reading) for part in _parts(found, split, base, reading)]
    archives = (*corrections, *parts)
    if twice := [each for each, n in Counter(archive.address for archive in archives).items() if n > 1]:
        raise UsageError("names an archive twice", where=found.name, found=without_secrets(twice[0]))
    in_threads((archive.survey for archive in archives), _SURVEYED_AT_ONCE, reading.interrupt)
    if split.annotations is None:
        _index(archives, found, request, reading, say)
        videos = _named_by_archives(found, archives, say)
    else:
        videos = _annotated(found.address(split.annotations, base), reading)
    if not videos:
        raise UsageError("names no video", where=f"{found.name}, split {request.split}")
    selection = select(videos, request.per_class, request.seed, request.classes)
    return OpenSplit(found, request, reading, archives, len(corrections), selection)


def _archive(part: Part, found: ArchiveSet, base: str | None, reading: Reading) -> Archive:
    return Archive(found.address(part.address, base), found.layout, part.size, part.sha256, reading)


def _parts(found: ArchiveSet, split: SplitArchives, base: str | None, reading: Reading) -> Iterator[Part]:
    yield from split.parts
    if split.list is None:
        return
    address = found.address(split.list, base)
    shown = without_secrets(address)
    lines = [line.strip() for line in reading.text(address).splitlines() if line.strip()]
    if not 0 < len(lines) <= _MOST_ARCHIVES:
        raise UsageError(
            "names too many archives" if lines else "names no archive",
            where=shown,
            expected=f"1 to {_MOST_ARCHIVES}",
            found=len(lines),
        )
    allowed = {address.partition("://")[0], "https"}
    for line in lines:
        # Whoever keeps a list on the web has no say in which of this machine's files are read.
        if is_url(address) and found.address(line, base).partition("://")[0] not in allowed:
            raise UsageError(
                "names an address of another kind than its own",
                where=shown,
                expected=" or ".join(f"{scheme}://" for scheme in sorted(allowed)),
                found=without_secrets(line),
            )
        yield Part(line)


def _annotated(address: str, reading: Reading) -> list[tuple[str, str | None]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "annotations.csv")
        write_file(path, reading.bytes(address), sync=False)
        try:
            return [(each.name, each.label) for each in read_annotations(path)]
        except ClipError as error:
            where = (error.where or "").replace(str(path), without_secrets(address))
            raise ClipError(error.what, where=where, expected=error.expected, found=error.found) from None


def _index(
    archives: tuple[Archive, ...],
    found: ArchiveSet,
    request: FetchRequest,
    reading: Reading,
    say: Callable[[str], None],
) -> None:
    without = [archive for archive in archives if archive.index is None]
    if not without:
        return
    archives_are = "1 archive is" if len(without) == 1 else f"{len(without)} archives are"
    say(f"{found.name} has no list of its videos: {archives_are} read once to find their names")
    reading.expect(archive.size for archive in without)
    tasks = (partial(archive.read_all, lambda _: True) for archive in without)
    in_threads(tasks, request.parts_at_once, reading.interrupt)


def _named_by_archives(
    found: ArchiveSet, archives: tuple[Archive, ...], say: Callable[[str], None]
) -> list[tuple[str, str | None]]:
    videos: dict[str, str] = {}
    for archive in archives:
        assert archive.index is not None
        labels, remarks = labels_in(found.layout, archive.index.entries)
        videos = labels | videos
        for remark in remarks[:_MOST_REMARKS]:
            say(f"{archive.name}: left out: {remark}")
        if len(remarks) > _MOST_REMARKS:
            say(f"{archive.name}: {len(remarks) - _MOST_REMARKS} more left out")
    return list(videos.items())

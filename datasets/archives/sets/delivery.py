"""Passes over the archives of a split, until every video that is wanted and available has been delivered.

A pass over an archive without an index writes one, and takes what is wanted as it passes. A video that is in
no archive, or does not decode, is replaced by the next one of its class; where that one has passed already, a
further pass reads only the archives that hold such videos. What is delivered depends on the set, the seed and
the archives alone, not on the order of reading or on interruptions.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Protocol, Self

from ....errors import ArchiveError
from ...check import Checker
from ...clip import MIN_FRAMES, Clip
from ...sources.manifest import file_digest
from ..members import Member
from ..writing import write_member
from .index import Entry
from .layouts import video_key
from .ledger import Ledger, Outcome
from .parts import Archive, in_threads
from .split import OpenSplit


@dataclass(frozen=True, slots=True)
class Delivered:
    """A video that was taken out of an archive. `path`: of its file; the rest: see `Outcome`."""

    key: str
    label: str
    path: Path
    size: int
    sha256: str


class Destination(Protocol):
    """Where videos go. Its methods are called from several threads.

    - `revises`: whether a video can come again, in place of the one that `keep` was given: of copies in
      several archives, the one in the first of the list counts.
    """

    revises: bool

    def has(self, key: str, outcome: Outcome | None, part: str | None) -> bool:
        """Whether a video need not be read again.

        - `key`: of the video. `outcome`: what became of it before, if anything.
        - `part`: address of the archive that it is in; None where that is not known yet.
        """
        ...

    def place(self, key: str, label: str, suffix: str, size: int) -> Path:
        """A path to write a video to; waits until there is space for `size` bytes. Raises `Stopped`."""
        ...

    def keep(self, video: Delivered) -> None:
        """A video is complete at the path that `place` gave."""
        ...

    def discard(self, path: Path, size: int) -> None:
        """A video at the path that `place` gave is not used."""
        ...

    def withdraw(self, video: Outcome) -> None:
        """A video that `keep` was given comes again: it was the wrong copy, or its file has gone."""
        ...


class Stopped(Exception):
    """The delivery was asked to end."""


class Delivery:
    """The delivery of the videos that are wanted of a split.

    - `split`: its archives, and the videos.
    - `ledger`: what became of videos before, and now.
    - `destination`: takes the videos.

    Where a number of videos of each class is wanted, each is decoded, and replaced where that fails. Where
    all are wanted, none could take its place. A context manager, at whose end decoding ends.
    """

    def __init__(self, split: OpenSplit, ledger: Ledger, destination: Destination) -> None:
        self._archives, self._corrections = split.archives, split.corrections
        self._layout, self._selection = split.set.layout, split.selection
        self._at_once, self._reading = split.request.parts_at_once, split.reading
        self._ledger, self._destination = ledger, destination
        replaced = split.selection.per_class is not None
        self._checker = Checker(min_frames=MIN_FRAMES, workers=self._at_once) if replaced else None
        self._lock = threading.Lock()
        self._wanted: dict[str, str] = {}
        self._remaining: dict[str, str] = {}
        self._absent: frozenset[str] = frozenset()
        # Of the archives with an index, the first that holds a video; the archives without.
        self._owner: dict[str, int] = {}
        self._unknown: set[int] = set()
        self._numbers = {archive.public: number for number, archive in enumerate(self._archives)}
        self._last = -1
        self._stop = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._checker is not None:
            self._checker.__exit__()

    def run(self, say: Callable[[str], None]) -> None:
        """Read until every available video that is wanted has been delivered.

        - `say`: gets a message before each pass but the first.

        Raises what an archive, the destination or the disk raises; what was delivered before counts.
        """
        passes = 0
        while planned := self._planned():
            if passes:
                archives = "1 archive" if len(planned) == 1 else f"{len(planned)} archives"
                number = len(self._remaining)
                missing = "1 video" if number == 1 else f"{number or 'copies of'} videos"
                say(f"another pass over {archives}, for {missing}")
            passes += 1
            self._read(planned)
            for number, keys in planned.items():
                # An earlier archive may have turned out to hold it too.
                if lost := {key for key in keys & self._remaining.keys() if self._owner[key] == number}:
                    raise ArchiveError(
                        "does not hold a video that it held before",
                        where=self._archives[number].public,
                        found=f"no {min(lost)}",
                        remedy="Delete the indexes of archives, and fetch again (docs/archives.md).",
                    )

    def end(self) -> None:
        """End a `run` in another thread, which raises for that."""
        self._stop.set()
        self._reading.interrupt()

    def unusable(self) -> Mapping[str, str]:
        """Key → reason of the videos that are known to be unusable: absent, damaged or too short.

        Absent ones are known when all archives have an index.
        """
        self._find()
        refused = {key: why for key, why in self._ledger.refused.items() if self._is_refused(key)}
        return dict.fromkeys(self._absent, "in none of the archives") | refused

    def _is_refused(self, key: str) -> bool:
        """Whether a video cannot be used as it is in the archive that counts."""
        return self._is_flawed(key) and self._counts(self._ledger[key].part)

    def _is_flawed(self, key: str) -> bool:
        """As `_is_refused`, of the archive that counts as far as the indexes say."""
        outcome = self._ledger.get(key)
        if outcome is None or outcome.reason is None:
            return False
        return self._address(key) in (None, outcome.part)

    def _counts(self, part: str) -> bool:
        """Whether it is known of a video in this archive that no earlier one holds it."""
        number = self._numbers.get(part, -1)
        with self._lock:
            return not self._destination.revises or all(number <= each for each in self._unknown)

    def _find(self) -> list[int]:
        """Note which archive has which video, the first of several; the archives without an index."""
        self._owner, self._unknown = {}, set(range(len(self._archives)))
        for number in range(len(self._archives)):
            self._note(number)
        if not self._unknown:
            keys = (key for keys in self._selection.classes.values() for key in keys)
            self._absent = frozenset(key for key in keys if key not in self._owner)
        return sorted(self._unknown)

    def _note(self, number: int) -> None:
        """Note what an archive holds, if it has an index."""
        index = self._archives[number].index
        if index is None:
            return
        keys = {video_key(self._layout, entry.name) for entry in index.entries} - {None}
        with self._lock:
            self._unknown.discard(number)
            for key in keys:
                self._owner[str(key)] = min(number, self._owner.get(str(key), number))

    def _planned(self) -> dict[int, set[str]]:
        """Number of each archive to read → the videos that are known to be in it."""
        without = self._find()
        flawed = {key for key in self._ledger.refused if self._is_flawed(key)}
        refused = {key for key in flawed if self._is_refused(key)}
        undecided = flawed - refused  # until earlier archives have been read
        self._wanted = self._selection.wanted(self._absent | refused)
        self._remaining = {
            key: label
            for key, label in self._wanted.items()
            if key not in undecided
            and not self._destination.has(key, self._ledger.get(key), self._address(key))
        }
        taken = (self._ledger.get(key) for key in self._wanted.keys() | self._ledger.refused.keys())
        numbers = [self._numbers.get(each.part, -1) for each in taken if each is not None]
        self._last = max(numbers, default=-1) if self._destination.revises else -1
        before = {number: set[str]() for number in without if number < self._last}
        if not self._remaining:
            return before
        if corrections := [n for n in without if n < self._corrections]:
            return {n: set() for n in corrections}
        planned: dict[int, set[str]] = defaultdict(set, before)
        for key in self._remaining:
            if key in self._owner:
                planned[self._owner[key]].add(key)
        if any(key not in self._owner for key in self._remaining):
            for number in without:
                planned.setdefault(number, set())
        return dict(sorted(planned.items()))

    def _address(self, key: str) -> str | None:
        number = self._owner.get(key)
        return None if number is None else self._archives[number].public

    def _read(self, planned: Mapping[int, set[str]]) -> None:
        entries = {number: self._entries(number, keys) for number, keys in planned.items()}
        self._reading.expect(self._archives[number].most_bytes(some) for number, some in entries.items())
        in_threads((partial(self._read_one, *each) for each in entries.items()), self._at_once, self.end)

    def _entries(self, number: int, keys: set[str]) -> list[Entry] | None:
        """The entries of videos in an archive; None if it has no index, and is read as a whole."""
        index = self._archives[number].index
        if index is None:
            return None
        return [entry for entry in index.entries if video_key(self._layout, entry.name) in keys]

    def _read_one(self, number: int, entries: list[Entry] | None) -> None:
        archive = self._archives[number]
        if entries is not None:
            archive.read_entries(entries, lambda member: self._visit(archive, number, member))
        else:
            archive.read_all(lambda member: self._visit(archive, number, member))
            self._note(number)

    def _visit(self, archive: Archive, number: int, member: Member) -> bool:
        """Take the member if it is wanted. Whether the rest of the archive is of any use."""
        if self._stop.is_set():
            raise Stopped
        key = video_key(self._layout, member.name)
        with self._lock:
            wanted = key is not None and self._owner.get(key, number) == number
            label = self._remaining.pop(key, None) if wanted and key is not None else None
            if label is not None and self._destination.revises:
                self._last = max(self._last, number)
        if key is not None and label is not None:
            self._take(archive, key, label, member)
        # Archives before one that has given a video are read to their end: they may hold the copy that
        # counts.
        return bool(self._remaining) or number < max(self._corrections, self._last)

    def _take(self, archive: Archive, key: str, label: str, member: Member) -> None:
        suffix = PurePosixPath(member.name).suffix.lower()
        path = self._destination.place(key, label, suffix, member.size)
        try:
            sha256 = file_digest(write_member(member, path.parent, path.name))
            reason = self._flaw(path)
        except BaseException:
            self._destination.discard(path, member.size)
            raise
        # First, or the ledger would take the file of another copy for the one that it tells of.
        before = self._ledger.get(key)
        if before is not None and before.reason is None:
            self._destination.withdraw(before)
        self._ledger.add(Outcome(key, archive.public, suffix, member.size, sha256, reason))
        if reason is None:
            self._destination.keep(Delivered(key, label, path, member.size, sha256))
        else:
            self._destination.discard(path, member.size)
            self._replace(label)

    def _replace(self, label: str) -> None:
        """Want the next videos of a class from now on, where they have not passed yet."""
        # Of this class alone: to look at all videos each time would take a time that grows with their square.
        keys = self._selection.classes[label]
        chosen = self._selection.chosen(label, {k for k in keys if k in self._absent or self._is_refused(k)})
        with self._lock:
            for key in chosen.taken:
                if key not in self._wanted:
                    self._wanted[key] = self._remaining[key] = label

    def _flaw(self, path: Path) -> str | None:
        """Why the video at `path` cannot be used."""
        if self._checker is None:
            return None
        status = self._checker.check(Clip(path.name, path))
        return None if status.state == "ok" else (status.reason or "").removeprefix(f"{path}: ")

"""Clips of a run that come out of archives while it runs, round by round, and are forgotten after each.

A thread fills a spool folder of limited size while the models predict the round before. The clips of a round
are deleted when all models have had them, but for a seeded few that are timed at the end.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...datasets.archives.sets.delivery import Delivered, Delivery, Stopped
from ...datasets.archives.sets.ledger import LEDGER, Ledger
from ...datasets.archives.sets.parts import Reading
from ...datasets.archives.sets.request import FetchRequest, bytes_in_words
from ...datasets.archives.sets.split import OpenSplit, open_split
from ...datasets.archives.sets.summary import RECORD, summarise, write_record
from ...datasets.clip import Clip, ClipSet
from ...datasets.labels import LabelMatcher
from ...datasets.subset import rank
from ...settings import to_plain
from ..console.progress import Console
from .spool import Spool, spool_name

SPOOL, TIMED = "spool", "timed"
"""Names in the run directory."""

_SPARE = 2
"""So many times the clips that are timed are kept: a model may fail on some of them."""


class ArchiveClips:
    """The clips of one run. Its methods are called in the order in which they stand here.

    - `request`: what is fetched, and how.
    - `console`: shows messages.
    """

    def __init__(self, request: FetchRequest, console: Console) -> None:
        self._request, self._console = request, console
        self._split: OpenSplit | None = None

    def load(self, data: str, *, vocabulary: Sequence[str], videos: Path | None = None) -> ClipSet:  # noqa: ARG002
        """The clips as far as they are known before any archive is read, as a `Source` gives them.

        They have no files yet. Raises UsageError, ArchiveError or ClipError as `open_split` does.
        """
        self._reading = Reading(self._request.limit_rate)
        self._split = split = open_split(self._request, self._reading, self._console.say)
        matcher = LabelMatcher(vocabulary)
        self._labels = {label: matcher(label) or label or None for label in split.selection.classes}
        self._unknown = tuple(label for label in self._labels if label and matcher(label) is None)
        return ClipSet(
            split.name,
            tuple(
                Clip(key, Path(key), self._labels[label], source="archives")
                for key, label in split.selection.wanted(()).items()
            ),
            unknown_labels=self._unknown,
        )

    def record(self, planned: ClipSet) -> dict[str, Any]:
        """What `run.json` says of the archives at the start. `planned`: from `load`."""
        assert self._split is not None
        return {
            "request": to_plain(self._request),
            "licence": self._split.set.licence,
            "planned": planned.digest(),
        }

    def rounds(self, run: Path, done: Callable[[str], bool], timed: int) -> Iterator[tuple[Clip, ...]]:
        """The clips, round by round; those of a round are deleted when the next one is asked for.

        - `run`: the run directory.
        - `done`: whether all models have had a clip, by its id, before.
        - `timed`: number of clips that will be timed.

        Close the iterator to end early. Raises ArchiveError if an archive cannot be read or the disk is full;
        the clips that came before count.
        """
        assert self._split is not None
        split, request = self._split, self._request
        self._timed_folder, self._most_timed = run / TIMED, _SPARE * timed
        self._ledger = Ledger(run / LEDGER)
        self._timed = self._kept_before()
        wanted = split.selection.wanted(self._ledger.refused)
        first = sorted(wanted, key=self._rank)[: self._most_timed]
        lost = frozenset(key for key in first if key not in self._timed)
        spool = self._spool = Spool(run / SPOOL, request.spool, lambda key: done(key) and key not in lost)
        self._delivery = delivery = Delivery(split, self._ledger, spool)
        failure: list[Exception] = []

        def fill() -> None:
            try:
                with delivery:
                    delivery.run(self._console.say)
            except Stopped:
                pass
            except Exception as error:
                failure.append(error)
            finally:
                spool.end()

        thread = threading.Thread(target=fill, name="archives", daemon=True)
        begin, total = time.monotonic(), sum(not done(key) for key in wanted)
        handed = 0
        thread.start()
        try:
            while videos := spool.round():
                handed += len(videos)
                self._console.say(self._progress(handed, total, time.monotonic() - begin))
                yield self._clips(videos)
                spool.release(videos)
        finally:
            delivery.end()
            spool.end()
            thread.join()
            shutil.rmtree(run / SPOOL, ignore_errors=True)
        if failure:
            raise failure[0]

    def result(self, run: Path) -> ClipSet:
        """The clips that the rounds came to; tells what was passed over, and writes the record of that.

        - `run`: the run directory.
        """
        assert self._split is not None
        unusable = self._delivery.unusable()
        summary = summarise(self._split, unusable)
        write_record(run / RECORD, self._split, summary)
        for line in summary.lines(run / RECORD):
            self._console.say(line)
        kept = sum(video.stat().st_size for video in self._timed.values())
        self._console.say(
            f"most on the disk at a time: {bytes_in_words(self._spool.most)} of videos in the spool "
            f"(limit {bytes_in_words(self._request.spool)}) and {bytes_in_words(kept)} that are timed"
        )
        wanted = self._split.selection.wanted(unusable)
        passed_over = {key: label for label, keys in summary.passed_over.items() for key in keys}
        return ClipSet(
            self._split.name,
            tuple(self._clip(key, label) for key, label in wanted.items()),
            tuple(Clip(key, Path(key), self._labels[label]) for key, label in passed_over.items()),
            self._unknown,
        )

    def timed(self, clips: ClipSet) -> ClipSet:
        """Those of `clips` whose files are kept to be timed."""
        here = [replace(clip, path=self._timed[clip.id]) for clip in clips if clip.id in self._timed]
        return replace(clips, clips=tuple(here))

    def forget(self) -> None:
        """Delete the files of the clips that were timed."""
        shutil.rmtree(self._timed_folder, ignore_errors=True)

    def _clips(self, videos: Sequence[Delivered]) -> tuple[Clip, ...]:
        """The clips of a round, after those to be timed have been moved to where they are kept.

        They are the first ones of all in a seeded order, whatever the order in which they come.
        """
        paths = {video.key: video.path for video in videos}
        first = sorted({**self._timed, **paths}, key=self._rank)[: self._most_timed]
        for key in first:
            if key in paths:
                self._timed_folder.mkdir(exist_ok=True)
                self._timed[key] = paths[key].replace(self._timed_folder / paths[key].name)
        for key in self._timed.keys() - set(first):
            self._timed.pop(key).unlink(missing_ok=True)
        return tuple(
            replace(self._clip(video.key, video.label), path=self._timed.get(video.key, video.path))
            for video in videos
        )

    def _clip(self, key: str, label: str) -> Clip:
        sha256 = self._ledger[key].sha256 if key in self._ledger else None
        return Clip(key, Path(key), self._labels[label], source="archives", sha256=sha256)

    def _rank(self, key: str) -> bytes:
        return rank(self._request.seed, f"timed {key}")

    def _kept_before(self) -> dict[str, Path]:
        """Key → file of the clips that an earlier process kept."""
        files = {path.name: path for path in self._timed_folder.glob("*")}
        assert self._split is not None
        keys = self._split.selection.wanted(self._ledger.refused) if files else ()
        names = {key: spool_name(key, self._ledger[key].suffix) for key in keys if key in self._ledger}
        return {key: files[name] for key, name in names.items() if name in files}

    def _progress(self, handed: int, total: int, seconds: float) -> str:
        read = self._reading.received
        rate = read / max(seconds, 1e-3)
        left = seconds / handed * max(total - handed, 0)
        return (
            f"{handed} of {total} videos, {bytes_in_words(read)} read at {bytes_in_words(rate)}/s, "
            f"about {left:.0f} s left"
        )

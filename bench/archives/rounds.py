"""Rounds of clips out of archives: each is predicted by all models, then deleted, while the next one comes.

A thread fills a spool folder of limited size. A seeded few of the clips are kept, to be timed at the end.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from ...datasets.archives.sets.delivery import Delivered, Delivery, Stopped
from ...datasets.archives.sets.ledger import LEDGER, Ledger
from ...datasets.archives.sets.request import bytes_in_words
from ...datasets.archives.sets.summary import RECORD, summarise, write_record
from ...datasets.clip import Clip, ClipSet
from ...datasets.subset import rank
from ...errors import ArchiveError, FullDisk
from ..console.progress import Console, transfer
from .clips import ArchiveClips
from .spool import Spool, spool_name

SPOOL, TIMED = "spool", "timed"
"""Names in the run directory."""

_SPARE = 2
"""So many times the clips that are timed are kept: a model may fail on some of them."""


class Rounds:
    """The rounds of a run: an iterator over the clips of each, a context manager that ends the reading.

    The files of a round are there until the next one is asked for.
    """

    def __init__(
        self, clips: ArchiveClips, run: Path, done: Callable[[str], bool], timed: int, console: Console
    ) -> None:
        """- `clips`: opened by its `load`.
        - `run`: the run directory.
        - `done`: whether all models have had a clip, by its id, before.
        - `timed`: number of clips that will be timed.
        - `console`: shows messages.
        """
        self._clips, self._run, self._console = clips, run, console
        self._selection = clips.split.selection
        self._ledger = Ledger(run / LEDGER)
        self._most_timed = _SPARE * timed
        self._timed = self._kept_before()
        wanted = self._selection.wanted(self._ledger.refused)
        lost = frozenset(self._first(wanted)) - self._timed.keys()
        self._total = sum(not done(key) for key in wanted)
        limit = clips.request.spool
        self._spool = Spool(run / SPOOL, limit, lambda key: done(key) and key not in lost)
        self._delivery = Delivery(clips.split, self._ledger, self._spool)
        self._failure: Exception | None = None
        self._filling = threading.Thread(target=self._fill, name="archives", daemon=True)

    def __enter__(self) -> Iterator[tuple[Clip, ...]]:
        """The rounds. Raises ArchiveError if an archive cannot be read; the clips that came before count."""
        self._filling.start()
        return self._rounds()

    def __exit__(self, *_: object) -> None:
        self._delivery.end()
        self._spool.end()
        self._filling.join()
        shutil.rmtree(self._run / SPOOL, ignore_errors=True)

    def _fill(self) -> None:
        try:
            with self._delivery:
                self._delivery.run(self._console.say)
        except Stopped:
            pass
        except Exception as error:
            self._failure = error
        finally:
            self._spool.end()

    def _rounds(self) -> Iterator[tuple[Clip, ...]]:
        begin, before, handed = time.monotonic(), self._clips.reading.received, 0
        while videos := self._next_round():
            handed += len(videos)
            read = self._clips.reading.received - before
            self._console.say(self._progress(handed, read, time.monotonic() - begin))
            yield self._clips_of(videos)
            self._spool.release(videos)
        if isinstance(full := self._failure, FullDisk):
            remedy = f"Free some space, then `bench run --resume {self._run}`."
            raise ArchiveError(
                full.what, where=full.where, expected=full.expected, found=full.found, remedy=remedy
            ) from full
        if self._failure is not None:
            raise self._failure

    def _next_round(self) -> list[Delivered]:
        """The videos of the next round; while they are waited for, the progress of what is read is shown."""
        reading = self._clips.reading
        with transfer(self._clips.split.name) as progress:
            reading.watch(progress)
            try:
                return self._spool.round()
            finally:
                reading.watch(lambda *_: None)

    def result(self) -> ClipSet:
        """The clips that the rounds came to, without files; tells what was passed over, and records that."""
        split, record = self._clips.split, self._run / RECORD
        unusable = self._delivery.unusable()
        summary = summarise(split, unusable)
        write_record(record, split, summary)
        for line in summary.lines(record):
            self._console.say(line)
        kept = sum(path.stat().st_size for path in self._timed.values())
        self._console.say(
            f"most on the disk at a time: {bytes_in_words(self._spool.most)} of videos in the spool "
            f"(limit {bytes_in_words(self._clips.request.spool)}) and {bytes_in_words(kept)} that are timed"
        )
        wanted = self._selection.wanted(unusable)
        passed_over = {key: label for label, keys in summary.passed_over.items() for key in keys}
        return self._clips.clip_set(wanted, passed_over, {key: self._ledger[key].sha256 for key in wanted})

    def timed(self) -> tuple[Clip, ...]:
        """The clips that are kept to be timed, with their files."""
        return tuple(
            self._clips.clip(key, label, self._timed[key], self._ledger[key].sha256)
            for label, keys in self._selection.classes.items()
            for key in keys
            if key in self._timed
        )

    def _clips_of(self, videos: Sequence[Delivered]) -> tuple[Clip, ...]:
        """The clips of a round, after those to be timed have been moved to where they are kept.

        They are the first ones of all in a seeded order, whatever the order in which they come.
        """
        paths = {video.key: video.path for video in videos}
        first = self._first({**self._timed, **paths})
        for key in first:
            if key in paths:
                (self._run / TIMED).mkdir(exist_ok=True)
                self._timed[key] = paths[key].replace(self._run / TIMED / paths[key].name)
        for key in self._timed.keys() - set(first):
            self._timed.pop(key).unlink(missing_ok=True)
        return tuple(
            self._clips.clip(v.key, v.label, self._timed.get(v.key, v.path), v.sha256) for v in videos
        )

    def _first(self, keys: Mapping[str, object]) -> list[str]:
        seed = self._clips.request.seed
        return sorted(keys, key=lambda key: rank(seed, f"timed {key}"))[: self._most_timed]

    def _kept_before(self) -> dict[str, Path]:
        """Key → file of the clips that an earlier process kept."""
        files = {path.name: path for path in (self._run / TIMED).glob("*")}
        outcomes = self._ledger.usable if files else {}
        names = {key: spool_name(key, outcome.suffix) for key, outcome in outcomes.items()}
        return {key: files[name] for key, name in names.items() if name in files}

    def _progress(self, handed: int, read: int, seconds: float) -> str:
        left = seconds / handed * max(self._total - handed, 0)
        return (
            f"{handed} of {self._total} videos, {bytes_in_words(read)} read at "
            f"{bytes_in_words(read / max(seconds, 1e-3))}/s, about {left:.0f} s left"
        )


def forget_timed(run: Path) -> None:
    """Delete the files of the clips that were timed. `run`: the run directory."""
    shutil.rmtree(run / TIMED, ignore_errors=True)

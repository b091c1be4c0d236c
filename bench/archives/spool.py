"""A folder of limited size that a thread fills with videos, and that is emptied round by round."""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from ...datasets.archives.sets.delivery import Delivered, Stopped
from ...datasets.archives.sets.ledger import Outcome
from ...datasets.archives.sets.request import bytes_in_words
from ...errors import UsageError


def spool_name(key: str, suffix: str) -> str:
    """Name of a video's file, safe whatever the video is called. `suffix`: such as ".mp4"."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:32] + suffix


class Spool:
    """A `Destination` whose videos are taken away in rounds.

    - `most`: bytes that lay in it at most.
    """

    revises = False

    def __init__(self, folder: Path, limit: int, done: Callable[[str], bool]) -> None:
        """- `folder`: its own; what an earlier process left in it is deleted.
        - `limit`: bytes that may lie in it.
        - `done`: whether a video, by its key, need not come.
        """
        shutil.rmtree(folder, ignore_errors=True)
        self._folder, self._limit, self._done = folder, limit, done
        self._state = threading.Condition()
        self._handed: set[str] = set()
        self._ready: list[Delivered] = []
        self._used = self._waiting = 0
        self._ended = False
        self.most = 0

    def has(self, key: str, outcome: Outcome | None, part: str | None) -> bool:  # noqa: ARG002  of the protocol
        """See `Destination.has`: it was handed out in a round, or need not be."""
        with self._state:
            return key in self._handed or (outcome is not None and self._done(key))

    def place(self, key: str, label: str, suffix: str, size: int) -> Path:  # noqa: ARG002  of the protocol
        """See `Destination.place`. Raises UsageError for a video that is larger than the spool."""
        if size > self._limit:
            raise UsageError(
                "is too small",
                where=f"--spool {bytes_in_words(self._limit)}",
                expected=f"{bytes_in_words(size)} at least, the size of {key}",
                remedy="Start a new run with a larger one: a run keeps the size that it began with.",
            )
        with self._state:
            self._waiting += 1
            self._state.notify_all()
            try:
                self._state.wait_for(lambda: self._ended or self._used + size <= self._limit)
            finally:
                self._waiting -= 1
            if self._ended:
                raise Stopped
            self._used += size
            self.most = max(self.most, self._used)
        return self._folder / spool_name(key, suffix)

    def keep(self, video: Delivered) -> None:
        """See `Destination.keep`: it is ready for the next round."""
        with self._state:
            self._handed.add(video.key)
            self._ready.append(video)
            self._state.notify_all()

    def discard(self, path: Path, size: int) -> None:
        """See `Destination.discard`."""
        path.unlink(missing_ok=True)
        self._free(size)

    def withdraw(self, video: Outcome) -> None:
        """See `Destination.withdraw`: what was handed out may have been predicted."""

    def round(self) -> list[Delivered]:
        """The videos of the next round: when the spool is half full, when it can take no more, or at the end.

        None are left when the list is empty.
        """
        with self._state:
            self._state.wait_for(
                lambda: (
                    self._ended
                    or (bool(self._ready) and self._waiting > 0)
                    or sum(video.size for video in self._ready) * 2 >= self._limit
                )
            )
            videos, self._ready = self._ready, []
            return videos

    def release(self, videos: Sequence[Delivered]) -> None:
        """Delete the files of a round, where they are still there, and give their space back."""
        for video in videos:
            video.path.unlink(missing_ok=True)
        self._free(sum(video.size for video in videos))

    def end(self) -> None:
        """Nothing more comes; who waits for space is sent away."""
        with self._state:
            self._ended = True
            self._state.notify_all()

    def _free(self, size: int) -> None:
        with self._state:
            self._used -= size
            self._state.notify_all()

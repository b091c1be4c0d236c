"""The videos that `bench evaluate-live` has watched, in a folder to which each is added when it is done."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Self

from ..atomic import remove_abandoned
from ..errors import UsageError
from .json_lines import AppendedFile, mend, read_whole, records, to_json, write_atomically
from .live import SCHEMA, RecordedSession, WatchedVideo
from .lock import FolderLock

SESSION, VIDEOS = "session.json", "videos.jsonl"
_SAME_COMMAND = "the same `bench evaluate-live` command"


class LiveDirectory:
    """The one writer of the folder; a context manager that holds its lock.

    - `path`: the folder; it is created if it is missing.
    - `session`: how the videos are watched. What the folder holds must have been watched so.

    Raises UsageError if it was watched otherwise, if it is damaged, or if another process writes the folder.
    """

    def __init__(self, path: Path, session: RecordedSession) -> None:
        self.path = path
        self._lock = FolderLock(
            path,
            "another evaluation is writing this folder",
            remedy="Wait for its end, or name another --out.",
        )
        try:
            self._settle(session)
            remove_abandoned(path)
            mend(path / VIDEOS)
            self.watched = {each.sha256: each for each in records(path / VIDEOS, WatchedVideo)}
            self._videos = AppendedFile(path / VIDEOS, self._lock, _SAME_COMMAND)
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._videos.close()
        self._lock.release()

    def _settle(self, session: RecordedSession) -> None:
        path = self.path / SESSION
        if not path.is_file():
            write_atomically(path, to_json(asdict(session), indent=1), _SAME_COMMAND)
            return
        before, now = asdict(read_whole(path, RecordedSession, SCHEMA)), asdict(session)
        before, now = (each | each.pop("settings") for each in (before, now))
        for name, value in now.items():
            found = list(value) if isinstance(value, tuple) else value
            if (there := before.get(name)) not in (value, found):
                raise UsageError(
                    f"holds videos that were watched with another {name.replace('_', ' ')}",
                    where=self.path,
                    expected=there,
                    found=value,
                    remedy="Name another --out, or the settings that it was begun with.",
                )

    def add(self, video: WatchedVideo) -> None:
        """Keep one more video, on the disk when this returns. Raises MeasurementError if it cannot be."""
        self._videos.add(to_json(asdict(video)))
        self.watched[video.sha256] = video

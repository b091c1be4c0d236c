"""Videos out of archives in a folder: `class/video` files, and their manifest."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Container
from pathlib import Path

from ...clip import Clip
from ...sources.manifest import write_manifest
from ..writing import require_inside
from .delivery import Delivered
from .ledger import Ledger, Outcome
from .selection import Selection

MANIFEST = "videos.csv"

_UNSAFE = re.compile(r"[^\w .()'&+,=-]")
_MOST_LETTERS = 150
_MOST_BYTES = 200  # file systems take 255, for the digest and the suffix too


def safe_name(text: str) -> str:
    """`text` as the name of a file or folder on any system; texts that differ have names that differ."""
    name = _UNSAFE.sub("_", text).strip(" .")[:_MOST_LETTERS]
    name = name.encode()[:_MOST_BYTES].decode(errors="ignore")
    if name and name == text:
        return name
    return f"{name}-{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


class VideoFolder:
    """A `Destination` that keeps the videos in a folder, which one process at a time may write.

    A video is written in a hidden folder inside, and moved when it is complete and known to be usable.
    """

    revises = True

    def __init__(self, folder: Path, selection: Selection, ledger: Ledger) -> None:
        """- `folder`: is created when the first video arrives; what a killed process left is deleted.
        - `selection`: gives the class of each video.
        - `ledger`: of the folder.
        """
        self._folder, self._ledger = folder, ledger
        self._incoming = folder / ".incoming"
        self.clear()
        self._labels = {key: label for label, keys in selection.classes.items() for key in keys}

    def has(self, key: str, outcome: Outcome | None, part: str | None) -> bool:
        """See `Destination.has`: the file is there, and from the archive that counts."""
        if outcome is None or outcome.reason is not None or part not in (None, outcome.part):
            return False
        path = self.path(key, outcome.suffix)
        return path.is_file() and path.stat().st_size == outcome.size

    def path(self, key: str, suffix: str) -> Path:
        """Path of a video's file. `suffix`: such as ".mp4".

        Raises ArchiveError if a link that lies in the folder leads out of it.
        """
        label = self._labels[key]
        name = key.removeprefix(f"{label}/").removesuffix(suffix)
        path = self._folder / (safe_name(label) if label else "") / f"{safe_name(name)}{suffix}"
        require_inside(path.parent, self._folder)
        return path

    def clear(self) -> None:
        """Delete what is incomplete."""
        if self._incoming.is_symlink():
            self._incoming.unlink()
        shutil.rmtree(self._incoming, ignore_errors=True)

    def place(self, key: str, label: str, suffix: str, size: int) -> Path:  # noqa: ARG002  of the protocol
        """See `Destination.place`."""
        return self._incoming / (hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest() + suffix)

    def keep(self, video: Delivered) -> None:
        """See `Destination.keep`. Raises ArchiveError as `path` does."""
        path = self.path(video.key, video.path.suffix)
        path.parent.mkdir(parents=True, exist_ok=True)
        video.path.replace(path)

    def discard(self, path: Path, size: int) -> None:  # noqa: ARG002  of the protocol
        """See `Destination.discard`."""
        path.unlink(missing_ok=True)

    def withdraw(self, video: Outcome) -> None:
        """See `Destination.withdraw`."""
        self.path(video.key, video.suffix).unlink(missing_ok=True)

    def write_manifest(self, selection: Selection, unusable: Container[str]) -> Path:
        """Write the manifest of the videos that are there; its path.

        - `selection`, `unusable`: whose choice it lists, in the order of classes.
        """
        clips = []
        for key, label in selection.wanted(unusable).items():
            outcome = self._ledger[key]
            path = self.path(key, outcome.suffix)
            clips.append(Clip(key, path, label or None, source="manifest", sha256=outcome.sha256))
        write_manifest(self._folder / MANIFEST, clips)
        self.clear()
        return self._folder / MANIFEST

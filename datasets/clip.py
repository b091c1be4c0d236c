"""The record of a labelled segment of a video file, and sets of such records."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import ClipError

MIN_FRAMES = 16
"""The shortest input of the networks here that take a fixed number of frames."""


@dataclass(frozen=True, slots=True)
class Clip:
    """A labelled (or unlabelled) segment of a video file or array file.

    - `id`: unique within its set, stable from run to run, e.g. "jogging/abc.mp4".
    - `path`: the file.
    - `label`: class name as in the vocabulary where it could be matched, as found otherwise; None if
      there is none.
    - `start_s`, `end_s`: the segment in seconds from the first frame; None is the file's start or end.
    - `source`: name of the source that made the record: "demo", "folder", "kinetics", "manifest", "arrays".
    - `sha256`: of the file, where the source knows it; a reader may verify it.
    """

    id: str
    path: Path
    label: str | None = None
    start_s: float | None = None
    end_s: float | None = None
    source: str = "folder"
    sha256: str | None = None


def require_file(path: Path) -> None:
    """Raise ClipError, naming what `path` is instead, unless it is a regular file: a pipe has no end."""
    try:
        if path.is_file():
            return
        exists = path.exists()
    except OSError as error:  # of a network share that is gone, for one
        raise ClipError("file cannot be read", where=path, found=error.strerror) from None
    if not exists:
        raise ClipError(
            "is a link to nothing" if path.is_symlink() else "file does not exist",
            where=path,
            found=path.readlink() if path.is_symlink() else None,
        )
    kinds = {
        "a folder": path.is_dir,
        "a named pipe": path.is_fifo,
        "a device": lambda: path.is_char_device() or path.is_block_device(),
        "a socket": path.is_socket,
    }
    kind = next((kind for kind, test in kinds.items() if test()), "something else")
    raise ClipError("is not a file", where=path, expected="a video or an array file", found=kind)


@dataclass(frozen=True, slots=True)
class ClipSet:
    """Clips in a fixed order, with what the source could not use.

    - `name`: of the set, in reports.
    - `clips`: those whose files exist.
    - `missing`: annotated clips whose files do not exist.
    - `unknown_labels`: labels outside the vocabulary; their clips are kept, and left out of accuracy.
    - `ignored`: number of files that were ignored because they are neither videos nor arrays.
    """

    name: str
    clips: tuple[Clip, ...]
    missing: tuple[Clip, ...] = ()
    unknown_labels: tuple[str, ...] = ()
    ignored: int = 0

    def __iter__(self) -> Iterator[Clip]:
        return iter(self.clips)

    def __len__(self) -> int:
        return len(self.clips)

    def digest(self) -> str:
        """sha256 over the clips' ids, labels, segments and, where known, file digests; not their paths."""
        lines = ["\t".join(str(v) for v in (c.id, c.label, c.start_s, c.end_s, c.sha256)) for c in self.clips]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

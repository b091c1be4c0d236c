"""The file of a video in fragments, of which what is whole can be played whatever the disk refuses."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


class FragmentFile:
    """A file that a muxer writes an MP4 in fragments to, from its beginning to its end.

    - `path`: the file; an existing one is replaced.
    - `refused`: why the disk has not taken what came last; None if it has. Nothing more is written then. A
      muxer does not tell of all such errors, least of those at its end.

    Raises OSError if it cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("wb", buffering=0)
        self.refused: OSError | None = None

    def write(self, data: bytes) -> int:
        """Write all of `data`. Raises OSError if the disk refuses it."""
        if self.refused is not None:
            raise self.refused
        left = memoryview(data)
        try:
            while left:
                # Of what does not fit on the disk, the beginning is written without an error.
                left = left[self._file.write(left) :]
        except OSError as error:
            self.refused = error
            raise
        return len(data)

    def close(self) -> None:
        """Close it; it is complete. Raises OSError if the disk refuses it, as one of another machine may."""
        self._file.close()

    def cut(self) -> bool:
        """Close it after an error, and drop what came in part; whether there is something to be played.

        Otherwise it is removed.
        """
        with suppress(OSError):
            self._file.close()
        if not self._path.is_file():
            return False
        if end := _end_of_fragments(self._path):
            os.truncate(self._path, end)
        else:
            self._path.unlink()
        return end > 0


def _end_of_fragments(path: Path) -> int:
    """Where the last whole fragment ends, in bytes; 0 without one (boxes: ISO/IEC 14496-12, 4.2)."""
    size, position, end = path.stat().st_size, 0, 0
    with path.open("rb") as file:
        while position + 8 <= size:
            file.seek(position)
            header = file.read(8)
            # Not all sizes stand here, but all of boxes that are smaller than 4 GiB.
            position += max(8, int.from_bytes(header[:4], "big"))
            if header[4:] == b"mdat" and position <= size:
                end = position
    return end

"""Finding the videos that annotations name on another machine's disk.

Recorded paths are never opened: they are compared with the files that lie in a folder, so that none leads out
of it.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ...errors import ClipError
from ..clip import require_file
from ..sources.manifest import file_digest
from ..sources.walk import VIDEO_SUFFIXES, media_files


def readings(recorded: str, where: str) -> tuple[str, ...]:
    """The paths that a recorded path or name may mean, "/" between folders; the likeliest first.

    - `recorded`: a path or name of Windows or Unix, a `file:` or `http(s):` URL, percent-encoded or not. Not
      all versions of VoTT encode, so `a%20b.mp4` may be `a b.mp4` or a file of that very name.

    Raises ClipError, which names the place, for what is no path, or one that leads upwards.
    """
    text = recorded
    scheme = text.partition(":")[0].lower()
    if scheme == "file":
        text = text[len("file:") :]
    try:
        if scheme in ("http", "https"):
            text = urlsplit(text).path
        text = text.replace("\\", "/")
        decoded = unquote(text, errors="strict")
    except ValueError as error:  # among them UnicodeDecodeError
        raise ClipError("is no path", where=where, found=f"{recorded!r:.200}: {error}") from None
    found = tuple(dict.fromkeys((decoded.replace("\\", "/"), text)))
    for path in found:
        if "\0" in path or path.rpartition("/")[2] in ("", "."):
            raise ClipError("names no file", where=where, found=repr(recorded)[:200])
        if ".." in path.split("/"):
            raise ClipError(
                "the path leads out of its folder",
                where=where,
                expected="no `..`",
                found=repr(recorded)[:200],
            )
    return found


class VideoFolder:
    """The videos under a folder, to find recorded ones among.

    Raises ClipError if `root` is no folder.
    """

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            require_file(root)
            raise ClipError("is not a folder", where=root, expected="the folder of the videos")
        self.root = root
        self._files, _ = media_files(root, VIDEO_SUFFIXES)
        self._digest = cache(file_digest)

    def find(self, names: tuple[str, ...], sha256: str | None, where: str) -> Path | None:
        """The file that was recorded; None if it is not there.

        - `names`: see `readings`. Files of that name are meant; of several, the one whose folders agree
          with most of the recorded path's last folders.
        - `sha256`: of the file, if recorded; it then decides, and the name may be another.

        Raises ClipError if several files are meant equally, and if files have the name but not the digest.
        """
        agreement = {file: max(_common_end(file, name) for name in names) for file in self._files}
        best = max(agreement.values(), default=0)
        named = [file for file, length in agreement.items() if length and length == best]
        if sha256 is not None:
            others = (file for file in self._files if file not in named)
            for file in (*named, *others):
                if self._digest(file) == sha256:
                    return file
            if named:
                raise ClipError(
                    "the file is not the one that was tagged",
                    where=named[0],
                    expected=f"sha256 {sha256}, as in {where}",
                    found=self._digest(named[0]),
                )
        if len(named) > 1:
            raise ClipError(
                "several videos have this name",
                where=f"{where}: {names[0]}",
                found=", ".join(str(file.relative_to(self.root)) for file in named[:4]),
                remedy="Name with --videos a folder that holds only one of them",
            )
        return named[0] if named else None


def _common_end(file: Path, name: str) -> int:
    """How many of the last parts of two paths are the same."""
    length = 0
    for ours, theirs in zip(reversed(file.parts), reversed(name.split("/")), strict=False):
        if ours != theirs:
            break
        length += 1
    return length

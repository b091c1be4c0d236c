"""Tar archives from the network, unpacked without trusting them."""

from __future__ import annotations

import shutil
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Final

from ...errors import WeightsError

_MAX_BYTES: Final = 1 << 30
_MAX_MEMBERS: Final = 10_000

_MAX_HEADER_BYTES: Final = 4096
"""Of what precedes a file to give it a long name: as long as a path may be on Linux."""

_HEADERS: Final = (
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
)


class _Entry(tarfile.TarInfo):
    """An entry whose own size is checked before tarfile reads it: it takes a header whole, and before Python
    3.11.10 searches it in a time that grows with the square of its size (CVE-2024-6232)."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Entry:
        """See `TarInfo.frombuf`. Raises TarError for a header that is too large."""
        entry = super().frombuf(buf, encoding, errors)
        if entry.type in _HEADERS and entry.size > _MAX_HEADER_BYTES:
            raise tarfile.TarError(f"a header of {entry.size} bytes, of {_MAX_HEADER_BYTES} at most")
        return entry


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a tar archive into a new folder.

    - `archive`: compressed or not.
    - `folder`: must not exist.

    Raises WeightsError, and leaves no folder, if the archive is damaged, too large, or holds anything but
    files and folders inside itself: links, devices, absolute paths, `..`.
    """
    folder.mkdir(parents=True)
    try:
        with tarfile.open(archive, tarinfo=_Entry) as tar:
            total = 0
            for count, member in enumerate(tar):
                total += member.size
                if count >= _MAX_MEMBERS or total > _MAX_BYTES:
                    raise WeightsError(
                        "is too large when unpacked",
                        where=archive,
                        expected=f"at most {_MAX_BYTES} bytes in {_MAX_MEMBERS} files",
                    )
                _extract(tar, member, folder, archive)
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        shutil.rmtree(folder)
        raise WeightsError(
            "cannot be unpacked", where=archive, found=error, remedy="Fetch it again"
        ) from error
    except BaseException:
        shutil.rmtree(folder)
        raise


@contextmanager
def opened_member(archive: Path, name: str) -> Iterator[IO[bytes]]:
    """A file inside a tar archive, opened for reading; nothing is unpacked.

    - `archive`: compressed or not.
    - `name`: full path of the file in the archive.

    Raises WeightsError if the archive is damaged or has no such file.
    """
    try:
        with tarfile.open(archive, tarinfo=_Entry) as tar:
            for count, member in enumerate(tar):
                if count >= _MAX_MEMBERS:
                    break
                if member.name == name and member.isfile():
                    contents = tar.extractfile(member)
                    assert contents is not None, "it is a file"
                    yield contents
                    return
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise WeightsError("cannot be read", where=archive, found=error, remedy="Fetch it again") from error
    raise WeightsError("does not hold the file of weights", where=archive, expected=name)


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path, archive: Path) -> None:
    name = PurePosixPath(member.name)
    if name.is_absolute() or ".." in name.parts or "\\" in member.name or ":" in member.name:
        raise WeightsError("has a path that leads out of it", where=archive, found=member.name)
    target = folder.joinpath(*name.parts)
    if member.isdir():
        target.mkdir(parents=True, exist_ok=True)
        return
    contents = tar.extractfile(member) if member.isfile() else None
    if contents is None:
        raise WeightsError(
            "contains other entries than files and folders",
            where=archive,
            found=f"{member.name}, a link or device",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    with contents, target.open("xb") as file:
        shutil.copyfileobj(contents, file)

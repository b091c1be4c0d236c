"""The members of a tar archive as they pass in a stream, none of which is trusted."""

from __future__ import annotations

import bz2
import gzip
import io
import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

from ...errors import ArchiveError, DamagedArchive
from ...plain_text import plain_line
from .names import normal_name, unsafe_name
from .stream import ByteStream

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_HEADER_BYTES: Final = 16 << 10
"""Most bytes of a member's headers: paths of 4,096 bytes fit. Python before 3.11.10 and 3.12.6 takes a time
that grows with their square (CVE-2024-6232)."""

_BLOCK_BYTES: Final = 16 * tarfile.BLOCKSIZE
_RATIO_FROM_BYTES: Final = 64 << 20

# What tarfile and the decompressors raise for bytes that are not what they should be.
_DAMAGE: Final = (
    tarfile.TarError,
    zlib.error,
    OSError,
    EOFError,
    ValueError,
    OverflowError,
    IndexError,
    RecursionError,
)

# Not xz: Python's reader takes as much memory as the archive asks for.
_COMPRESSIONS: Final[dict[bytes, Callable[[Any], Any]]] = {
    b"\x1f\x8b": lambda source: gzip.GzipFile(fileobj=source),
    b"BZh": bz2.BZ2File,
}
_OTHER_FORMATS: Final = {
    b"PK\x03\x04": "a zip archive",
    b"PK\x05\x06": "a zip archive",
    b"Rar!": "a rar archive",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"\x28\xb5\x2f\xfd": "data compressed with zstd",
    b"\xfd7zXZ\x00": "data compressed with xz",
    b"<": "a web page",
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What an archive may hold.

    - `member_bytes`: size of a member; larger ones are refused.
    - `members`: number of members.
    - `names_bytes`: of the names of all members together, which are kept in memory.
    - `ratio`: bytes of the unpacked archive for each byte of it that was read, counted from 64 MiB on. Videos
      hardly become smaller by compression; an archive that exceeds this is made to fill disks.
    """

    member_bytes: int = 2 << 30
    members: int = 2_000_000
    names_bytes: int = 256 << 20
    ratio: float = 50.0


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive.

    - `name`: its path in the archive, with `/` between folders; inside whatever folder it is put.
    - `size`: bytes.
    - `offset`: byte of the archive at which a later reading can start with this member; None in a compressed
      archive, which can only be read from its start.
    - `content`: its bytes, to be read before the next member is asked for. What was not read is skipped.
    """

    name: str
    size: int
    offset: int | None
    content: BinaryIO


@dataclass(frozen=True, slots=True)
class Refused:
    """An entry of an archive that is not given out.

    - `name`: its path in the archive, for messages only: without control characters.
    - `size`: bytes that it is said to have.
    - `reason`: why, as the predicate of a sentence about the entry.
    """

    name: str
    size: int
    reason: str


def members(stream: ByteStream, name: str, limits: Limits | None = None) -> Iterator[Member | Refused]:
    """The files in a tar archive, in its order, and the entries that are refused; folders are left out.

    - `stream`: the archive, plain or compressed by gzip or bzip2, which its first bytes tell. Of a plain
      one, it may begin at a member's `offset`.
    - `name`: of the archive, for messages.
    - `limits`: what it may hold; None for the defaults.

    Refused are names that lead out of a folder or are no text, links, devices and pipes, sparse files, names
    that came before, and files over the limit. The stream is read to its end, so that its digests are
    compared.

    Raises DamagedArchive if the file is no such archive, is damaged or truncated, or exceeds a limit, and
    what reading the stream raises. `Member.content` raises the same. What was given out before is not
    affected.
    """
    return _Archive(stream, name, limits or Limits()).entries()


class _Archive:
    def __init__(self, stream: ByteStream, name: str, limits: Limits) -> None:
        self._stream, self._name, self._limits = stream, name, limits
        self._start = stream.position
        self._count = 0

    def entries(self) -> Iterator[Member | Refused]:
        head = _read_fully(self._stream, tarfile.BLOCKSIZE)
        source = _Replayed(head, self._stream)
        compression = next((c for magic, c in _COMPRESSIONS.items() if head.startswith(magic)), None)
        if compression is None:
            self._check_tar(head)
        elif self._start:
            raise ArchiveError("a compressed archive can only be read from its start", where=self._name)
        unpacked = _Unpacked(
            source if compression is None else compression(source), self._stream, self._limits, self._name
        )
        try:
            tar = tarfile.open(  # noqa: SIM115 - closed below, where its errors are others
                fileobj=cast(BinaryIO, unpacked),
                mode="r|",
                bufsize=_BLOCK_BYTES,
                tarinfo=_Header,
                encoding="utf-8",
                errors="surrogateescape",
            )
        except _DAMAGE as error:
            raise self._damaged(error) from error
        with tar:
            yield from self._entries(tar, unpacked, resumable=compression is None)
        yield from self._rest(unpacked)

    def _entries(
        self, tar: tarfile.TarFile, unpacked: _Unpacked, *, resumable: bool
    ) -> Iterator[Member | Refused]:
        seen: set[str] = set()
        names_bytes = 0
        while True:
            unpacked.limit = tar.offset + _HEADER_BYTES + _BLOCK_BYTES
            try:
                info = tar.next()
            except _DAMAGE as error:
                raise self._damaged(error) from error
            if info is None:
                return
            tar.members = []  # type: ignore[attr-defined]  # it would keep all
            unpacked.limit = None
            names_bytes += len(info.name.encode(errors="surrogateescape"))
            if self._count >= self._limits.members or names_bytes > self._limits.names_bytes:
                raise DamagedArchive(
                    "the archive has too many members",
                    where=self._name,
                    expected=f"at most {self._limits.members}, their names {self._limits.names_bytes} bytes",
                )
            if not info.isdir():
                name = normal_name(info.name)
                reason = self._refusal(info, name, seen)
                seen.add(name)
                if reason is not None:
                    yield Refused(plain_line(info.name), max(info.size, 0), reason)
                else:
                    file = tar.extractfile(info)
                    assert file is not None, "it is a file"
                    offset = self._start + info.offset if resumable else None
                    with io.BufferedReader(_Content(file, self._damaged)) as content:
                        yield Member(name, info.size, offset, content)
            self._count += 1

    def _refusal(self, info: tarfile.TarInfo, name: str, seen: set[str]) -> str | None:
        """Why an entry is not given out, None if it is."""
        if info.issym() or info.islnk():
            return "is a link"
        if info.issparse():
            return "is a sparse file"
        if not info.isfile():
            return "is neither a file nor a folder"
        if info.size > self._limits.member_bytes:
            return f"has {info.size} bytes, more than {self._limits.member_bytes}"
        if (reason := unsafe_name(info.name)) is not None:
            return reason
        return "has a name that came before" if name in seen else None

    def _check_tar(self, head: bytes) -> None:
        try:
            tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
        except tarfile.HeaderError as error:
            if len(head) == tarfile.BLOCKSIZE and not any(head):  # an archive without members
                return
            found = next((text for magic, text in _OTHER_FORMATS.items() if head.startswith(magic)), error)
            raise DamagedArchive(
                f"no member begins at byte {self._start}"
                if self._start
                else "is no archive that can be read",
                where=self._name,
                expected="a tar archive, plain or compressed by gzip or bzip2",
                found=found,
                remedy=None if self._start else "Unpack an archive of another format, and name its folder",
            ) from error

    def _rest(self, unpacked: _Unpacked) -> Iterator[Refused]:
        """Read what follows the end of the archive, which should be zeros."""
        hidden = 0
        try:
            while not unpacked.ended:
                block = unpacked.read(_BLOCK_BYTES)
                hidden += len(block) if hidden or any(block) else 0
        except _DAMAGE as error:
            raise self._damaged(error) from error
        while self._stream.read(_BLOCK_BYTES):  # behind the end of compressed data
            pass
        if hidden:
            yield Refused("(after the end of the archive)", hidden, "follows the end of the archive")

    def _damaged(self, error: BaseException) -> ArchiveError:
        text = plain_line(str(error)) or type(error).__name__
        return DamagedArchive(
            "the archive is damaged or incomplete",
            where=self._name,
            found=f"{text}, at byte {self._stream.position}, after {self._count} members",
        )


class _Header(tarfile.TarInfo):
    """A damaged header, or the end of the file, is an error, not the end of the archive as for tarfile."""

    @classmethod
    def fromtarfile(cls, tar: tarfile.TarFile) -> _Header:
        try:
            info = super().fromtarfile(tar)
        except tarfile.HeaderError as error:
            if isinstance(error, tarfile.EOFHeaderError):  # type: ignore[attr-defined]
                raise
            raise tarfile.ReadError(str(error)) from error
        if info.size < 0:
            raise tarfile.ReadError("a negative size")
        return info


class _Unpacked:
    """The archive's uncompressed bytes, for tarfile: counted, and refused where they exceed a limit.

    - `limit`: byte from which on nothing is read; None for no limit. It bounds what tarfile reads of headers.
    - `ended`: whether all was read. Whoever reads on gets an error.
    """

    def __init__(self, source: Any, stream: ByteStream, limits: Limits, name: str) -> None:
        self._source, self._stream, self._limits, self._name = source, stream, limits, name
        self._position = 0
        self.ended = False
        self.limit: int | None = _HEADER_BYTES + _BLOCK_BYTES

    def read(self, size: int) -> bytes:
        if self.limit is not None and self._position >= self.limit:
            raise tarfile.ReadError(f"a member's headers have more than {_HEADER_BYTES} bytes")
        if (
            self.ended
        ):  # tarfile would go on to read nothing, block by block, up to a size that may be anything
            raise tarfile.ReadError("unexpected end of data")
        data = bytes(self._source.read(size))
        self.ended = not data
        self._position += len(data)
        if self._position > _RATIO_FROM_BYTES + self._limits.ratio * self._stream.position:
            raise DamagedArchive(
                "the archive unpacks to suspiciously many bytes",
                where=self._name,
                expected=f"at most {self._limits.ratio:g} for each of its own",
                found=f"{self._position} from {self._stream.position}",
            )
        return data


class _Replayed(io.RawIOBase):
    """A stream whose first bytes were read already."""

    def __init__(self, head: bytes, rest: ByteStream) -> None:
        super().__init__()
        self._head, self._rest = head, rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        target = memoryview(buffer).cast("B")
        if not self._head:
            return self._rest.readinto(target)
        count = min(len(target), len(self._head))
        target[:count] = self._head[:count]
        self._head = self._head[count:]
        return count


class _Content(io.RawIOBase):
    """A member's bytes; what tarfile and the decompressors raise becomes an ArchiveError."""

    def __init__(self, file: Any, damaged: Callable[[BaseException], ArchiveError]) -> None:
        super().__init__()
        self._file, self._damaged = file, damaged

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        try:
            return int(self._file.readinto(buffer))
        except _DAMAGE as error:
            raise self._damaged(error) from error


def _read_fully(stream: ByteStream, size: int) -> bytes:
    data = b""
    while len(data) < size and (more := stream.read(size - len(data))):
        data += more
    return data

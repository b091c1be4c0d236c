"""What a stream reads from: one connection to a file, beginning at some byte."""

from __future__ import annotations

from typing import Protocol

from ...errors import ArchiveError


class Connection(Protocol):
    """An open file, of a web server or of a file system.

    - `begin`: byte at which it begins.
    - `size`: bytes of the whole file, None if unknown.
    - `identity`: changes when the file does; empty if nothing identifies it.
    - `md5`: MD5 of the whole file in hex digits, where its keeper states one; else None.
    """

    begin: int
    size: int | None
    identity: str
    md5: str | None

    def chunk(self) -> bytes:
        """The next bytes, as many as there are; none at the end.

        Raises `downloads.web.Transient` if the connection is lost, ArchiveError if it cannot be used.
        """
        ...

    def close(self) -> None:
        """Give it up."""
        ...


class Connect(Protocol):
    """Opens a connection to the file of a stream."""

    def __call__(self, position: int, identity: str) -> Connection:
        """A connection that begins at `position`, or before it if the other side cannot do that.

        - `position`: byte.
        - `identity`: of the file that was begun; empty if none was.

        Raises `downloads.web.Transient` if another attempt may succeed, ArchiveError otherwise.
        """
        ...


def ends_before(position: int, address: str, found: object) -> ArchiveError:
    """The error for a file that has fewer bytes than were read of it before."""
    return ArchiveError(
        "the file ends before the byte from which it is to be continued",
        where=address,
        expected=f"at least {position} bytes",
        found=found,
        remedy="It may have changed: read it again from its start",
    )

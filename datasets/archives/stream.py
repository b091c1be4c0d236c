"""A file as a stream of bytes that survives cuts: from the web, a store of the cloud or this machine."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ...downloads.web import RetryPolicy, Transient, netrc_auth, web_client, without_secrets
from ...errors import ArchiveError
from .bandwidth import BandwidthLimit
from .connection import Connect, Connection
from .stored_file import StoredFile
from .web_file import WebFile

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_FROM_THE_START: Final = "Read this file again from its start"
_CHANGED: Final = "Read it again; if it stays so, the source has changed or is damaged"


@dataclass(frozen=True, slots=True)
class Expected:
    """What is published of a file.

    - `size`: bytes.
    - `sha256`, `md5`: digests, in lower-case hex digits.

    None for what is not published.
    """

    size: int | None = None
    sha256: str | None = None
    md5: str | None = None


def open_stream(
    address: str,
    *,
    start: int = 0,
    identity: str = "",
    expected: Expected | None = None,
    policy: RetryPolicy | None = None,
    limiter: BandwidthLimit | None = None,
    ended: threading.Event | None = None,
) -> ByteStream:
    """Open a file for reading once, forwards.

    - `address`: http:// or https://, a path, or what fsspec opens (`s3://`, `gs://`, `file://`, …).
    - `start`: byte at which to begin. Then no digest of the whole file can be compared.
    - `identity`: `ByteStream.identity` of an earlier reading that `start` continues; empty for none.
    - `expected`: what the file must be.
    - `policy`: when to try again; None for the defaults.
    - `limiter`: bytes per second, shared by all streams that have it; None for no limit.
    - `ended`: once it is set, reads and waits, also those in other threads, end with an error.

    Raises ArchiveError if the file cannot be opened, or is another one than expected or continued.
    """
    policy = policy or RetryPolicy()
    close: Callable[[], None] | None = None
    connect: Connect
    if address.lower().startswith(("http://", "https://")):
        client = web_client(policy, ArchiveError, netrc_auth(ArchiveError))
        close, connect = client.close, WebFile(address, client)
    else:
        connect = StoredFile(address)
    stream = ByteStream(
        connect,
        address,
        start=start,
        identity=identity,
        expected=expected or Expected(),
        policy=policy,
        limiter=limiter,
        ended=ended or threading.Event(),
        release=close,
    )
    try:
        stream.connect()
    except BaseException:
        stream.close()
        raise
    return stream


class ByteStream(io.RawIOBase):
    """A file's bytes, in order, each once; made by `open_stream`.

    A connection that is cut, that sends nothing for the policy's timeout, or that the server answers with a
    temporary error, is opened again at the byte where it ended. `read(n)` gives up to n bytes, at least one
    before the end.

    Every read may raise ArchiveError: the connection cannot be opened again, the file changed in between, its
    size or a digest is not the expected one. So do all later reads then. The last read, which returns no
    bytes, compares the digests.

    - `position`: bytes up to which the file was read.
    - `size`: bytes of the whole file, None if unknown.
    - `received`: bytes that came over the line, repeated ones included.
    - `reconnections`: attempts to open the connection again.
    - `identity`: changes when the file does; empty if nothing identifies it. For `open_stream`.
    - `verified`: what was compared with what is published, or stated by the store, once the end was read:
      "size", "sha256", "md5".
    """

    def __init__(
        self,
        connect: Connect,
        address: str,
        *,
        start: int,
        identity: str,
        expected: Expected,
        policy: RetryPolicy,
        limiter: BandwidthLimit | None,
        ended: threading.Event,
        release: Callable[[], None] | None,
    ) -> None:
        super().__init__()
        self._connect, self._address, self._release = connect, without_secrets(address), release
        self._expected, self._policy, self._limiter, self._stop = expected, policy, limiter, ended
        self.position = start
        self.size = expected.size
        self.received = 0
        self.reconnections = 0
        self.identity = identity
        self.verified: tuple[str, ...] = ()
        self._connection: Connection | None = None
        self._surplus = b""  # of a connection's bytes that were skipped, what lies behind
        self._waiting = memoryview(b"")  # fetched, but not read yet
        self._fetched = start  # bytes up to which the file was fetched
        self._opened = self._ended = False
        self._gained = False  # whether data came since the last failure
        self._failures = 0  # in a row, without data between them
        published = {"sha256": expected.sha256, "md5": expected.md5}
        self._digests = {} if start else {kind: digest for kind, digest in published.items() if digest}
        self._hashes = {kind: hashlib.new(kind, usedforsecurity=False) for kind in self._digests}
        self._error: ArchiveError | None = None

    def readable(self) -> bool:
        return True

    def connect(self) -> None:
        """Open the first connection. Raises ArchiveError if that fails for good."""
        while self._connection is None:
            try:
                self._open()
            except Transient as error:
                self._wait_after(error)

    def readinto(self, buffer: WriteableBuffer) -> int:
        if self.closed:
            raise ValueError("read of a closed stream")
        if self._error is not None:  # whoever reads on does not get other bytes
            raise self._error
        if not self._waiting and not self._ended:
            try:
                self._waiting = memoryview(self._fetch())
            except ArchiveError as error:
                self._error = error
                raise
        target = memoryview(buffer).cast("B")
        count = min(len(target), len(self._waiting))
        target[:count] = self._waiting[:count]
        self._waiting = self._waiting[count:]
        self.position += count
        return count

    def close(self) -> None:
        if not self.closed:
            self._drop()
            if self._release is not None:
                self._release()
            super().close()

    def _require_running(self) -> None:
        if self._stop.is_set():
            raise ArchiveError("was interrupted", where=self._address)

    def _wait(self, seconds: float) -> None:
        self._stop.wait(seconds)
        self._require_running()

    def _wait_after(self, failure: Transient) -> None:
        self._failures = 0 if self._gained else self._failures + 1
        self._gained = False
        if self._failures >= self._policy.attempts:
            raise ArchiveError(
                f"could not be read in {self._policy.attempts} attempts",
                where=self._address,
                found=f"{failure}, at byte {self._fetched}",
                remedy="Run the same command again",
            ) from failure
        self._wait(self._policy.wait_s(max(self._failures - 1, 0), failure.after_s))

    def _open(self) -> Connection:
        self._require_running()
        connection = self._connect(self._fetched, self.identity)
        try:
            self._compare(connection)
            self._skip(connection)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return connection

    def _compare(self, connection: Connection) -> None:
        """Refuse a connection to another file than the one that is expected, or was begun."""
        if self.identity and connection.identity != self.identity:
            raise ArchiveError(
                "the file has changed since its beginning was read",
                where=self._address,
                expected=self.identity,
                found=connection.identity or "nothing that identifies the file",
                remedy=_FROM_THE_START,
            )
        if self._opened and not self.identity and not self._digests:
            raise ArchiveError(
                "cannot be continued after a cut: nothing shows that the file is still the same",
                where=self._address,
                found="neither an ETag nor a date from the server, and no published digest",
                remedy=f"{_FROM_THE_START}, or state its SHA-256 where its address stands",
            )
        if connection.size is not None and self.size not in (None, connection.size):
            raise ArchiveError(
                "has another size than expected",
                where=self._address,
                expected=f"{self.size} bytes",
                found=connection.size,
                remedy=_FROM_THE_START if self._opened else _CHANGED,
            )
        self.size = connection.size if self.size is None else self.size
        self.identity = connection.identity
        if connection.md5 is not None and not self._opened and self._fetched == 0:
            self._digests.setdefault("md5", connection.md5)
            self._hashes.setdefault("md5", hashlib.new("md5", usedforsecurity=False))
        if connection.md5 is not None and "md5" in self._digests:
            self._require("md5", connection.md5)
        self._opened = True

    def _skip(self, connection: Connection) -> None:
        """Read over what was fetched before, where the other side begins at the file's start."""
        ahead = self._fetched - connection.begin
        while ahead > 0:
            chunk = self._receive(connection)
            if not chunk:
                raise Transient(f"the connection ended before byte {self._fetched}")
            self._surplus = chunk[ahead:]
            ahead -= len(chunk)

    def _receive(self, connection: Connection) -> bytes:
        chunk = connection.chunk()
        self.received += len(chunk)
        self._require_running()
        if self._limiter is not None:
            self._wait(self._limiter.take(len(chunk)))
        return chunk

    def _fetch(self) -> bytes:
        """The next bytes, compared with what is known; none at the end."""
        while True:
            try:
                if self._connection is None:
                    self.reconnections += 1
                connection = self._connection or self._open()
                chunk, self._surplus = self._surplus or self._receive(connection), b""
                if not chunk and self.size is not None and self._fetched < self.size:
                    raise Transient(f"the connection ended after {self._fetched} of {self.size} bytes")
            except Transient as error:
                self._drop()
                if self._fetched != self.size:
                    self._wait_after(error)
                    continue
                chunk = b""  # the connection was lost behind the last byte
            if not chunk:
                self._finish()
                return chunk
            self._gained = True
            self._fetched += len(chunk)
            if self.size is not None and self._fetched > self.size:
                raise ArchiveError(
                    "has more bytes than expected", where=self._address, expected=self.size, remedy=_CHANGED
                )
            for computed in self._hashes.values():
                computed.update(chunk)
            return chunk

    def _finish(self) -> None:
        self._drop()
        for kind, computed in self._hashes.items():
            self._require(kind, computed.hexdigest())
        self.verified = (*(("size",) if self._expected.size is not None else ()), *self._hashes)
        self._ended = True

    def _require(self, kind: str, found: str) -> None:
        expected = self._digests[kind]
        if found != expected:
            raise ArchiveError(
                f"is not the published file: its {kind.upper()} differs",
                where=self._address,
                expected=expected,
                found=found,
                remedy=_CHANGED,
            )

    def _drop(self) -> None:
        self._surplus = b""
        if self._connection is not None:
            with suppress(Exception):  # it may be broken
                self._connection.close()
            self._connection = None

"""One archive of a split where it lies: its index, and passes over all of it or over some members."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path

from ....downloads.web import without_secrets
from ....errors import ArchiveError, DamagedArchive
from ..bandwidth import BandwidthLimit
from ..members import Member, Refused, members
from ..stream import ByteStream, Expected, open_stream
from .archive_set import Layout
from .index import Entry, PartIndex, index_file, load_index, save_index
from .layouts import MOST_LABEL_BYTES, holds_label

Visit = Callable[[Member], bool]
"""What is done with a member that passes; whether the rest of the archive is of any use."""

_CHUNK = 1 << 16

_MOST_LABELS_BYTES = 256 << 20
"""Of all labels of an archive, which are kept in its index."""

GAP_BYTES = 1 << 20
"""Most bytes between two members that are read by one request: to read over them takes less than another
request, which costs a connection and 35 ms of CPU time (measured)."""


class Reading:
    """How addresses are read; archives that are read at the same time share it.

    - `received`: bytes of archives that have come so far.
    """

    def __init__(self, bytes_per_s: int | None = None) -> None:
        """`bytes_per_s`: most bytes a second, all together; None for no limit."""
        self._limiter = None if bytes_per_s is None else BandwidthLimit(bytes_per_s)
        self._lock = threading.Lock()
        self._watch: Callable[[int, int | None], None] = lambda *_: None
        self._expected: int | None = None
        self._interrupted = threading.Event()
        self.received = 0

    def watch(self, told: Callable[[int, int | None], None]) -> None:
        """Call `told` with `received`, and what that will be in the end or None, whenever bytes have come.

        Calls do not overlap.
        """
        self._watch = told

    def expect(self, sizes: Iterable[int | None]) -> None:
        """Note the most bytes that come next, of each of several archives; None where that is unknown."""
        known = list(sizes)
        with self._lock:
            self._expected = None if None in known else self.received + sum(filter(None, known))

    def count(self, number: int) -> None:
        """Note that so many bytes have come."""
        with self._lock:
            self.received += number
            self._watch(self.received, self._expected)

    def open(
        self, address: str, start: int = 0, version: str = "", expected: Expected | None = None
    ) -> ByteStream:
        """The bytes at an address; see `open_stream`."""
        return open_stream(
            address,
            start=start,
            identity=version,
            expected=expected,
            limiter=self._limiter,
            ended=self._interrupted,
        )

    def interrupt(self) -> None:
        """End all reading for good: reads and waits of all threads, also later ones, raise ArchiveError."""
        self._interrupted.set()

    def bytes(self, address: str, most: int = 1 << 28) -> bytes:
        """All bytes of a small file. Raises ArchiveError if it has more than `most`."""
        with self.open(address) as stream:
            content = bytearray()
            while chunk := stream.read(_CHUNK):
                content += chunk
                if len(content) > most:
                    raise ArchiveError(
                        "is too large for a list",
                        where=without_secrets(address),
                        expected=f"at most {most} bytes",
                    )
        return bytes(content)

    def text(self, address: str) -> str:
        """The text of a small file. Raises ArchiveError if it is not UTF-8."""
        try:
            return self.bytes(address).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ArchiveError("is not text in UTF-8", where=without_secrets(address)) from error


def in_threads(tasks: Iterable[Callable[[], None]], at_once: int, end: Callable[[], None]) -> None:
    """Carry out tasks, so many at once, until all are done or one raises, which is raised here.

    - `end`: ends those that go on, such as `Reading.interrupt`; called where one has raised, and where this
      thread is interrupted, which else would wait for them.
    """
    with ThreadPoolExecutor(at_once, thread_name_prefix="archive") as pool:
        futures = [pool.submit(task) for task in tasks]
        try:
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
        finally:
            failed = [future for future in futures if future.done() and future.exception() is not None]
            if failed or not all(future.done() for future in futures):
                end()
                pool.shutdown(cancel_futures=True)
    for future in done:
        future.result()


def _stretches(entries: Sequence[Entry]) -> list[list[Entry]]:
    """The same entries in groups, each of which is read by one request."""
    stretches: list[list[Entry]] = []
    for entry in entries:
        behind = stretches and (entry.offset is None or entry.offset - _end(stretches[-1][-1]) <= GAP_BYTES)
        if behind:
            stretches[-1].append(entry)
        else:
            stretches.append([entry])
    return stretches


def _end(entry: Entry) -> int:
    """The byte of an archive that is not compressed where a member ends, if its header is not counted."""
    return (entry.offset or 0) + entry.size


class Archive:
    """An archive of videos at an address.

    - `address`: where it is. `public`: the same for records, with a digest in place of a query, which may be
      a signature.
    - `size`: in bytes, None until `survey`, and where the server does not say.
    - `version`: changes when the archive does; empty until `survey`.
    """

    def __init__(
        self, address: str, layout: Layout, size: int | None, sha256: str | None, reading: Reading
    ) -> None:
        """- `layout`: of its members' names.
        - `size`, `sha256`: that it must have; None where they are not published.
        - `reading`: reads it.
        """
        self.address, self.size, self.version = address, size, ""
        shown, digest = without_secrets(address), hashlib.sha256(address.encode()).hexdigest()
        self.public = shown if shown == address else f"{shown}#{digest[:8]}"
        self._layout, self._reading = layout, reading
        self._expected = Expected(size, sha256)
        self._index: PartIndex | None = None

    @property
    def name(self) -> str:
        """The last part of the address, for messages."""
        return self.public.rstrip("/").rpartition("/")[2]

    @property
    def index(self) -> PartIndex | None:
        """Its members; None before they are known."""
        return self._index

    def survey(self) -> None:
        """Ask the server for size and version, and find the index of an earlier reading."""
        with self._reading.open(self.address, expected=self._expected) as stream:
            self.size, self.version = stream.size, stream.identity
        self._index = load_index(self._index_file)

    @property
    def _index_file(self) -> Path:
        kind, label = self._layout.kind, self._layout.label
        return index_file(self.address, f"{self.version} {self.size}", f"{kind}:{label}")

    def read_all(self, visit: Visit) -> None:
        """Pass over the archive, and keep its index if `visit` lets it pass to the end.

        An archive that is damaged has an index all the same, of what came before the damage. Raises
        ArchiveError if it cannot be read, or is not the published one, and what `visit` raises.
        """
        entries: list[Entry] = []
        refused: list[str] = []
        damage = None
        labels_bytes = 0
        whole = True  # the last member was read to its end
        with self._open(expected=self._expected) as stream, self._told(stream) as tell:
            try:
                for member in members(stream, self.name):
                    tell()
                    if isinstance(member, Refused):
                        refused.append(f"{member.name} {member.reason}")
                        continue
                    text = None
                    if holds_label(self._layout, member.name) and member.size <= MOST_LABEL_BYTES:
                        text = member.content.read().decode("utf-8", "replace")
                        labels_bytes += member.size
                        if labels_bytes > _MOST_LABELS_BYTES:
                            raise DamagedArchive(
                                "has too many labels", where=self.name, expected=f"{_MOST_LABELS_BYTES} bytes"
                            )
                    entries.append(Entry(member.name, member.size, member.offset, text))
                    whole = False
                    useful = visit(member)
                    whole = not member.content.read(1)
                    if not useful:
                        return
            except DamagedArchive as error:
                damage = str(error).removeprefix(f"{self.name}: ")
                entries = entries if whole else entries[:-1]
        self._index = PartIndex(tuple(entries), tuple(refused), damage, stream.verified)
        save_index(self._index_file, self._index)

    def read_entries(self, entries: Sequence[Entry], visit: Visit) -> None:
        """Read some members: by range where the archive is not compressed, else on a pass up to the last one.

        - `entries`: of its index, in its order. `visit`: gets these members, and on a pass others too.

        Raises as `read_all` does.
        """
        for stretch in _stretches(entries):
            missing = {entry.name for entry in stretch}
            with self._open(start=stretch[0].offset or 0) as stream, self._told(stream) as tell:
                for member in members(stream, self.name):
                    tell()
                    asked = member.name in missing
                    missing.discard(member.name)
                    if isinstance(member, Member) and (asked or member.offset is None) and not visit(member):
                        return
                    if not missing:
                        break

    def most_bytes(self, entries: Sequence[Entry] | None) -> int | None:
        """The most bytes that `read_entries`, or for None `read_all`, will read; None if unknown.

        Headers of members are not counted.
        """
        if entries is None or any(entry.offset is None for entry in entries):
            return self.size
        return sum(_end(stretch[-1]) - (stretch[0].offset or 0) for stretch in _stretches(entries))

    def _open(self, start: int = 0, expected: Expected | None = None) -> ByteStream:
        return self._reading.open(self.address, start, version=self.version, expected=expected)

    @contextmanager
    def _told(self, stream: ByteStream) -> Iterator[Callable[[], None]]:
        """A function that counts the bytes that came since it was called last; so does the block's end."""
        told = 0

        def tell() -> None:
            nonlocal told
            self._reading.count(stream.received - told)
            told = stream.received

        try:
            yield tell
        finally:
            tell()

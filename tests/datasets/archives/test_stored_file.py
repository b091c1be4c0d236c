"""Paths and addresses that fsspec opens: on this machine, in memory, and in stores that fail."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, ClassVar

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from actionbench.datasets.archives.stream import Expected, open_stream
from actionbench.errors import ArchiveError

from .server import HASTE

DATA = bytes(range(256)) * 1000


class Breaks(io.BytesIO):
    """A file that breaks off behind its first 100,000 bytes."""

    def __init__(self, data: bytes, failure: Exception) -> None:
        super().__init__(data)
        self.failure = failure

    def read(self, size: int | None = -1) -> bytes:
        if self.tell() > 100_000:
            raise self.failure
        return super().read(size)


class FlakyFileSystem(MemoryFileSystem):  # type: ignore[misc]
    """A store whose next files break off with `failures`; with None, one does not."""

    protocol = "flaky"
    store: ClassVar[dict[str, Any]] = {}
    failures: ClassVar[list[Exception | None]] = []

    def _open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        failure = self.failures.pop(0) if self.failures and mode == "rb" else None
        return super()._open(path, mode, **options) if failure is None else Breaks(DATA, failure)


@pytest.fixture
def flaky() -> type[FlakyFileSystem]:
    fsspec.register_implementation("flaky", FlakyFileSystem, clobber=True)
    FlakyFileSystem.store.clear()
    FlakyFileSystem.failures.clear()
    with fsspec.open("flaky://part", "wb") as file:
        file.write(DATA)
    return FlakyFileSystem


def test_paths_and_addresses(tmp_path: Path) -> None:
    path = tmp_path / "part_0.tar"
    path.write_bytes(DATA)
    for address in (str(path), path.as_uri()):
        with open_stream(address, start=1000, expected=Expected(size=len(DATA))) as stream:
            assert stream.readall() == DATA[1000:]
            assert stream.verified == ("size",)


def test_a_file_that_was_replaced_is_not_continued(tmp_path: Path) -> None:
    path = tmp_path / "part"
    path.write_bytes(DATA)
    with open_stream(str(path)) as stream:
        identity = stream.identity
    path.unlink()
    path.write_bytes(DATA[::-1])
    with pytest.raises(ArchiveError, match="has changed since its beginning was read"):
        open_stream(str(path), start=10, identity=identity)


def test_a_file_that_is_cut_short_while_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "part"
    path.write_bytes(DATA)
    with open_stream(str(path), policy=HASTE) as stream:
        stream.read(10)
        path.write_bytes(DATA[:70_000])
        with pytest.raises(ArchiveError, match="has changed since its beginning was read"):
            stream.readall()


def test_a_store_that_breaks_off_is_read_on(flaky: type[FlakyFileSystem]) -> None:
    flaky.failures[:] = [OSError("reset"), None]
    with open_stream("flaky://part", policy=HASTE) as stream:
        assert stream.readall() == DATA
        assert stream.reconnections == 1


def test_what_no_further_attempt_changes_is_told_at_once(flaky: type[FlakyFileSystem]) -> None:
    flaky.failures[:] = [RuntimeError("no credentials"), None]
    with (
        open_stream("flaky://part", policy=HASTE) as stream,
        pytest.raises(ArchiveError, match="flaky://part: cannot be read; found no credentials"),
    ):
        stream.readall()
    assert flaky.failures == [None]


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ("memory://absent", "cannot be read"),
        ("/nowhere/part.tar", "cannot be read"),
        ("teleport://part", "is no address that can be read; found Protocol not known: teleport"),
        ("reference://part", "is no address that can be read"),
        ("dir:///etc", "is no address that can be read"),
        ("simplecache::memory://part", "is no address of one file; found '::'"),
    ],
)
def test_what_cannot_be_opened(address: str, text: str) -> None:
    with pytest.raises(ArchiveError, match=text) as caught:
        open_stream(address, policy=HASTE)
    assert caught.value.where == address


def test_a_start_behind_the_end_is_told(tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(DATA)
    with pytest.raises(ArchiveError, match="ends before the byte"):
        open_stream(str(tmp_path / "part"), start=len(DATA) + 1)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="is a folder"):
        open_stream(str(tmp_path))


@pytest.mark.parametrize(("scheme", "package"), [("s3", "s3fs"), ("gs", "gcsfs")])
def test_a_missing_package_is_named(scheme: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> None:
        raise ImportError(f"Please install {package} to access it")

    monkeypatch.setattr("actionbench.datasets.archives.stored_file.url_to_fs", missing)
    with pytest.raises(ArchiveError, match=rf"not installed.*Install it: pip install {package}$"):
        open_stream(f"{scheme}://bucket/part.tar")

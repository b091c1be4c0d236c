"""Members of a tar as they pass: what is sound is given out whole, what is not is refused or told."""

from __future__ import annotations

import bz2
import gzip
import io
import random
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actionbench.datasets.archives import members as reading
from actionbench.datasets.archives.members import Limits, Member, Refused, members
from actionbench.datasets.archives.stream import open_stream
from actionbench.errors import ArchiveError

from .server import HASTE, Fault, Server

FILES = {f"running/{i}.mp4": random.Random(i).randbytes(700 * i) for i in range(6)}


def entry(name: str, **fields: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(info, field, value)
    return info


def tar(
    files: dict[str, bytes], *entries: tarfile.TarInfo, format: int = tarfile.PAX_FORMAT, end: bool = True
) -> bytes:
    """A tar archive: `entries`, then `files`."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format) as archive:
        for info in entries:
            archive.addfile(info, io.BytesIO(bytes(info.size)) if info.isreg() else None)
        for name, data in files.items():
            archive.addfile(entry(name, size=len(data)), io.BytesIO(data))
        size = archive.offset
    return buffer.getvalue() if end else buffer.getvalue()[:size]


class Read:
    """What reading an archive gave: files, offsets, refusals, and how it ended."""

    def __init__(self, path: Path, data: bytes | None = None, limits: Limits | None = None, start: int = 0):
        if data is not None:
            path.write_bytes(data)
        self.files: dict[str, bytes] = {}
        self.offsets: dict[str, int | None] = {}
        self.refused: dict[str, str] = {}
        self.error: ArchiveError | None = None
        with open_stream(str(path), start=start) as stream:
            try:
                for found in members(stream, path.name, limits):
                    if isinstance(found, Refused):
                        self.refused[found.name] = found.reason
                    else:
                        content = found.content.read()
                        assert len(content) == found.size
                        self.files[found.name] = content
                        self.offsets[found.name] = found.offset
            except ArchiveError as error:
                self.error = error
            else:
                assert stream.position == stream.size


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "part_0.tar"


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("compress", [bytes, gzip.compress, bz2.compress])
def test_every_member_is_given_out(path: Path, format: int, compress: Callable[[bytes], bytes]) -> None:
    files = FILES | {f"{'long/' * 25}ü.mp4": b"1"} if format != tarfile.USTAR_FORMAT else FILES
    read = Read(path, compress(tar(files, entry("running", type=tarfile.DIRTYPE), format=format)))
    assert (read.error, read.refused) == (None, {})
    assert read.files == files
    assert (None in read.offsets.values()) == (compress is not bytes)


def test_gzip_in_several_parts_is_read_to_its_end(path: Path) -> None:
    data = tar(FILES)
    parts = [gzip.compress(data[begin : begin + 1000]) for begin in range(0, len(data), 1000)]
    assert Read(path, b"".join(parts)).files == FILES


def test_what_is_not_read_is_skipped(path: Path) -> None:
    path.write_bytes(tar(FILES))
    with open_stream(str(path)) as stream:
        seen = []
        for member in members(stream, "part"):
            assert isinstance(member, Member)
            seen.append(member)
            assert member.content.read(5) == FILES[member.name][:5]
    assert [member.name for member in seen] == list(FILES)
    with pytest.raises(ValueError, match="closed file"):
        seen[0].content.read()


@pytest.mark.parametrize("format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_a_plain_archive_can_be_read_from_any_member(path: Path, format: int) -> None:
    files = {f"{'long/' * 25}{i}.mp4": data for i, data in enumerate(FILES.values())}
    whole = Read(path, tar(files, format=format))
    for index, (name, offset) in enumerate(whole.offsets.items()):
        assert offset is not None
        read = Read(path, start=offset)
        assert list(read.files.items()) == list(files.items())[index:]
        assert read.offsets[name] == offset


def test_a_reading_starts_only_where_it_can(path: Path) -> None:
    error = Read(path, tar(FILES), start=700).error
    assert str(error).startswith("part_0.tar: no member begins at byte 700; expected a tar archive")
    error = Read(path, b"x" + gzip.compress(tar(FILES)), start=1).error
    assert "only be read from its start" in str(error)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("/etc/passwd", "absolute"),
        ("../x.mp4", "'..'"),
        ("a/../../x.mp4", "'..'"),
        ("C:/x.mp4", "absolute"),
        ("c:x.mp4", "absolute"),
        ("..\\x.mp4", "backslash"),
        ("a\n.mp4", "not text"),
        ("a\x1b[2J.mp4", "not text"),
        ("a\u202e4pm.mp4", "not text"),
        ("a\udcff.mp4", "not text"),
        (".", "no name"),
    ],
)
def test_names_that_are_not_trusted(path: Path, name: str, reason: str) -> None:
    read = Read(path, tar({name: b"1"} | FILES))
    assert read.files == FILES
    ((shown, said),) = read.refused.items()
    assert reason in said
    assert shown.isprintable()


def test_a_nul_in_a_pax_name(path: Path) -> None:
    read = Read(path, tar(FILES, entry("x", pax_headers={"path": "a\0b.mp4"})))
    assert read.files == FILES
    assert list(read.refused.values()) == ["has characters in its name that are not text"]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"type": tarfile.SYMTYPE, "linkname": "/etc"}, "is a link"),
        ({"type": tarfile.LNKTYPE, "linkname": "running/1.mp4"}, "is a link"),
        ({"type": tarfile.CHRTYPE}, "is neither a file nor a folder"),
        ({"type": tarfile.BLKTYPE}, "is neither a file nor a folder"),
        ({"type": tarfile.FIFOTYPE}, "is neither a file nor a folder"),
        ({"type": b"Z"}, "is neither a file nor a folder"),
        ({"pax_headers": {"GNU.sparse.map": "0,1", "GNU.sparse.size": "99999999"}}, "is a sparse file"),
    ],
)
def test_what_is_no_file_is_refused(path: Path, fields: dict[str, object], reason: str) -> None:
    read = Read(path, tar(FILES, entry("x.mp4", **fields)))
    assert read.refused == {"x.mp4": reason}
    assert read.files == FILES


def test_an_old_sparse_file_is_refused(path: Path) -> None:
    """GNU's own form, with a map in its header: a kilobyte that would be a terabyte of zeros."""
    header = bytearray(entry("x.mp4", size=512, type=tarfile.GNUTYPE_SPARSE).tobuf(tarfile.GNU_FORMAT))
    header[386:410] = b"00000000000\0" + b"00000001000\0"
    header[483:495] = tarfile.itn(1 << 40, 12, tarfile.GNU_FORMAT)  # type: ignore[attr-defined]
    read = Read(path, signed(header) + bytes(512) + tar(FILES))
    assert read.refused == {"x.mp4": "is a sparse file"}
    assert read.files == FILES


def signed(header: bytearray) -> bytes:
    """A header with the checksum of its contents."""
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


def test_a_name_twice_is_refused_the_second_time(path: Path) -> None:
    read = Read(path, tar({"a.mp4": b"1", "./a.mp4": b"2", "A.mp4": b"3", ".//a.mp4": b"4"}))
    assert read.files == {"a.mp4": b"1", "A.mp4": b"3"}
    assert set(read.refused.values()) == {"has a name that came before"}


def test_a_member_over_the_limit_is_refused_and_skipped(path: Path) -> None:
    read = Read(path, tar(FILES), Limits(member_bytes=2800))
    assert read.refused == {"running/5.mp4": "has 3500 bytes, more than 2800"}
    assert read.files == {name: data for name, data in FILES.items() if len(data) <= 2800}


def test_too_many_members(path: Path) -> None:
    read = Read(path, tar(FILES), Limits(members=3))
    assert "too many members; expected at most 3" in str(read.error)
    assert len(read.files) == 3


def test_names_do_not_fill_the_memory(path: Path) -> None:
    names = {f"{n}/{'x' * 90}.mp4": b"" for n in range(5)}
    read = Read(path, tar(names), Limits(names_bytes=300))
    assert "too many members" in str(read.error)
    assert len(read.files) == 3


def test_a_bomb_is_not_unpacked(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_RATIO_FROM_BYTES", 1 << 20)
    path.write_bytes(gzip.compress(tar({"bomb.mp4": bytes(8 << 20)})))
    blocks: list[bytes] = []
    with open_stream(str(path)) as stream:
        archive = members(stream, "part")
        bomb = next(archive)
        assert isinstance(bomb, Member)
        with pytest.raises(ArchiveError, match="suspiciously many bytes; expected at most 50 for each"):
            blocks.extend(iter(lambda: bomb.content.read(1 << 16), b""))
    assert 0 < len(blocks) < 32


def test_what_compresses_well_is_no_bomb(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_RATIO_FROM_BYTES", 1 << 10)
    text = b"".join(b"%d,running,train\n" % index for index in range(100_000))
    assert Read(path, gzip.compress(tar({"list.csv": text}))).files == {"list.csv": text}


@pytest.mark.parametrize("kind", ["chain", "long name", "sparse map"])
def test_headers_do_not_fill_the_memory(path: Path, kind: str) -> None:
    if kind == "chain":
        name = entry("x", size=512, type=tarfile.GNUTYPE_LONGNAME).tobuf(tarfile.GNU_FORMAT)
        data = (name + bytes(512)) * 3000
    elif kind == "long name":
        name = entry("x", size=1 << 33, type=tarfile.GNUTYPE_LONGNAME).tobuf(tarfile.GNU_FORMAT)
        data = name + b"a" * (1 << 20)
    else:
        sparse = entry("x", pax_headers={"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}, size=1 << 20)
        data = sparse.tobuf(tarfile.PAX_FORMAT) + b"999999\n" + b"1\n" * (1 << 19)
    error = Read(path, data).error
    assert "headers have more than 16384 bytes" in str(error)


@pytest.mark.parametrize("size", [-512, -1])
def test_negative_sizes(path: Path, size: int) -> None:
    header = bytearray(entry("x.mp4").tobuf(tarfile.GNU_FORMAT))
    header[124:136] = tarfile.itn(size, 12, tarfile.GNU_FORMAT)  # type: ignore[attr-defined]
    assert "is damaged" in str(Read(path, signed(header) + tar(FILES)).error)
    assert "is damaged" in str(Read(path, tar(FILES, entry("x", pax_headers={"size": str(size)}))).error)


@pytest.mark.parametrize("compress", [bytes, gzip.compress, bz2.compress])
def test_a_truncated_archive_is_told_with_what_came_before(
    path: Path, compress: Callable[[bytes], bytes]
) -> None:
    data = compress(tar(FILES))
    for end in (len(data) // 2, len(data) - 11_000 if compress is bytes else len(data) - 4):
        read = Read(path, data[:end])
        assert read.error is not None
        assert read.error.what == "the archive is damaged or incomplete"
        assert read.error.where == "part_0.tar"
        assert f"at byte {end}, after {len(read.files)} members" in str(read.error)
        assert read.files.items() <= FILES.items()


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_a_size_beyond_any_disk_ends_with_the_archive(path: Path, compress: Callable[[bytes], bytes]) -> None:
    header = entry("x.mp4", pax_headers={"size": str(10**21)}).tobuf(tarfile.PAX_FORMAT)
    read = Read(path, compress(header + tar(FILES)))
    assert list(read.refused) == ["x.mp4"]
    assert "unexpected end of data" in str(read.error)


def test_an_archive_without_its_end_is_told(path: Path) -> None:
    read = Read(path, tar(FILES, end=False))
    assert read.files == FILES
    assert "empty header" in str(read.error)


def test_a_damaged_header_is_not_the_end(path: Path) -> None:
    data = bytearray(tar(FILES))
    offset = Read(path, bytes(data)).offsets["running/3.mp4"]
    assert offset is not None
    data[offset + 5] ^= 1
    read = Read(path, bytes(data))
    assert list(read.files) == [f"running/{i}.mp4" for i in range(3)]
    assert "bad checksum" in str(read.error)


def test_what_follows_the_end_is_told(path: Path) -> None:
    data = tar(FILES)
    read = Read(path, data + tar({"hidden.mp4": b"1"}))
    assert read.files == FILES
    assert read.refused == {"(after the end of the archive)": "follows the end of the archive"}


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"PK\x03\x04" + bytes(600), "found a zip archive"),
        (b"Rar!\x1a\x07\x01\x00" + bytes(600), "found a rar archive"),
        (b"\x28\xb5\x2f\xfd" + bytes(600), "found data compressed with zstd"),
        (b"\xfd7zXZ\x00" + bytes(600), "found data compressed with xz"),
        (b"<!DOCTYPE html><p>Sign in" + b" " * 600, "found a web page"),
        (b"", "found empty header"),
        (b"x" * 600, "found"),
        (gzip.compress(b"x" * 6000, mtime=0), "found"),  # its time would be in the name of the test
    ],
)
def test_what_is_no_archive(path: Path, data: bytes, found: str) -> None:
    error = Read(path, data).error
    assert found in str(error)


@given(st.data())
def test_any_damage_gives_members_or_one_clear_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.tar"
    compressed = data.draw(st.booleans())
    archive = tar(dict(list(FILES.items())[:3]))[:4608]
    whole = bytearray(gzip.compress(archive) if compressed else archive)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(whole) - 1))
        whole[at : at + data.draw(st.integers(1, 3))] = data.draw(st.binary(max_size=12))
    read = Read(path, bytes(whole))
    if compressed and read.error is None:  # the checksum of gzip held
        assert read.files.items() <= FILES.items()


def test_an_archive_over_a_bad_line(server: Server) -> None:
    data = gzip.compress(tar(FILES))
    server.files["part"] = data
    server.faults = [Fault(cut=300), Fault(status=500), Fault(cut=300, ranges="ignored"), Fault(cut=5000)]
    with open_stream(server.url("part"), policy=HASTE) as stream:
        read = {m.name: m.content.read() for m in members(stream, "part") if isinstance(m, Member)}
    assert read == FILES


def test_a_file_that_changes_between_two_members_is_told(server: Server) -> None:
    server.files["part"] = tar({"1": bytes(100_000), "2": bytes(300_000)})
    server.faults = [Fault(cut=150_000), Fault(etag='"2"')]
    with open_stream(server.url("part"), policy=HASTE) as stream:
        archive = members(stream, "part")
        first = next(archive)
        assert isinstance(first, Member)
        assert first.content.read() == bytes(100_000)
        with pytest.raises(ArchiveError, match="has changed since its beginning was read"):
            list(archive)

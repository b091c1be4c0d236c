"""A member becomes a complete file inside its folder, or none."""

from __future__ import annotations

import errno
import io
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from actionbench.datasets.archives.members import Member
from actionbench.datasets.archives.writing import write_member
from actionbench.errors import ArchiveError


def member(data: bytes = b"video") -> Member:
    return Member("a.mp4", len(data), None, io.BytesIO(data))


def test_a_member_is_written(tmp_path: Path) -> None:
    path = write_member(member(), tmp_path / "videos", "running/a.mp4")
    assert path == tmp_path / "videos" / "running" / "a.mp4"
    assert path.read_bytes() == b"video"
    assert [file.name for file in path.parent.iterdir()] == ["a.mp4"]


@pytest.mark.parametrize("name", ["../a.mp4", "/a.mp4", "x/../../a.mp4", "C:a.mp4", "a\0.mp4", ""])
def test_a_name_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ArchiveError, match=r"cannot be written: (leads out|has)"):
        write_member(member(), tmp_path / "videos", name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("of", ["folder", "file"])
def test_a_link_that_leads_out_is_refused(tmp_path: Path, of: str) -> None:
    outside, videos = tmp_path / "outside", tmp_path / "videos"
    outside.mkdir()
    (videos / "running").mkdir(parents=True)
    if of == "folder":
        (videos / "linked").symlink_to(outside)
    else:
        (videos / "running" / "a.mp4").symlink_to(outside / "a.mp4")
    with pytest.raises(ArchiveError, match="leads out of its folder by a link"):
        write_member(member(), videos, "linked/a.mp4" if of == "folder" else "running/a.mp4")
    assert list(outside.iterdir()) == []


def test_what_cannot_be_read_to_its_end_leaves_no_file(tmp_path: Path) -> None:
    class Breaks(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:  # noqa: ARG002
            raise ArchiveError("the archive is damaged or incomplete")

    with pytest.raises(ArchiveError, match="damaged"):
        write_member(Member("a", 9, None, Breaks()), tmp_path, "a.mp4")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_before_and_during(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfileobj", full)
        with pytest.raises(ArchiveError, match="the disk is full"):
            write_member(member(), tmp_path, "a.mp4")
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9, 0))
    with pytest.raises(ArchiveError, match=r"the disk is full; expected 67108869 bytes; found 0 bytes free"):
        write_member(member(), tmp_path, "a.mp4")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "running").write_text("")
    with pytest.raises(ArchiveError, match="cannot be written"):
        write_member(member(), tmp_path, "running/a.mp4")

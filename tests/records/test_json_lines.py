"""What is added to a file of records is on the disk, or one error says why not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from actionbench.errors import MeasurementError, UsageError
from actionbench.records import json_lines
from actionbench.records.json_lines import AppendedFile
from actionbench.records.lock import FolderLock

FULL = Path("/dev/full")


def test_what_is_added_begins_where_the_file_ended(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    path.write_bytes(b"before\n")
    with FolderLock(tmp_path, "in use", remedy="Wait.") as lock:
        file = AppendedFile(path, lock, "bench go-on")
        assert [file.add(b"one\n"), file.add(b"two\n")] == [7, 11]
        assert path.read_bytes() == b"before\none\ntwo\n", "on the disk before the file is closed"
        file.close()


@pytest.mark.skipif(not FULL.exists(), reason="needs a device that is always full")
def test_what_a_full_disk_refused_is_no_second_error_when_the_file_is_closed(tmp_path: Path) -> None:
    with FolderLock(tmp_path, "in use", remedy="Wait.") as lock:
        file = AppendedFile(FULL, lock, "bench go-on")
        with pytest.raises(MeasurementError, match=r"/dev/full: cannot be written: No space.*`bench go-on`"):
            file.add(b"one\n")
        file.close()


def test_nothing_is_added_to_a_folder_that_was_moved(tmp_path: Path) -> None:
    folder = tmp_path / "here"
    with FolderLock(folder, "in use", remedy="Wait.") as lock:
        file = AppendedFile(folder / "records.jsonl", lock, "bench go-on")
        folder.rename(tmp_path / "elsewhere")
        with pytest.raises(MeasurementError, match="was moved or removed"):
            file.add(b"one\n")
        file.close()
    assert (tmp_path / "elsewhere" / "records.jsonl").read_bytes() == b""


@pytest.mark.parametrize("kind", ["device", "pipe"])
def test_what_never_ends_is_not_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "clips.jsonl"
    if kind == "device":
        path.symlink_to("/dev/zero")
    else:
        os.mkfifo(path)
    with pytest.raises(UsageError, match=r"clips\.jsonl: is no file"):
        list(json_lines.whole_lines(path))


def test_a_line_is_no_longer_than_a_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_lines, "_LONGEST_LINE", 10)
    path = tmp_path / "clips.jsonl"
    path.write_bytes(b"12345678\n\n" + bytes(100))
    with pytest.raises(UsageError, match="line 3 is damaged: it has 10 bytes or more"):
        list(json_lines.whole_lines(path))
    path.write_bytes(b"12345678\n12")
    assert list(json_lines.whole_lines(path)) == [(1, b"12345678\n")]

"""A file is the old one or the complete new one; what cannot be replaced is written to."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from actionbench.atomic import remove_abandoned, replacing, write_file


def test_a_text_and_bytes_are_written_into_a_new_folder(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    assert write_file(path, "ä\n") == path
    assert path.read_bytes() == "ä\n".encode()
    write_file(path, b"\xff", sync=False)
    assert path.read_bytes() == b"\xff"


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = write_file(tmp_path / "file", "old")

    def fails() -> None:
        with replacing(path) as file:
            file.write(b"half of it")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_and_its_target_is_replaced(tmp_path: Path) -> None:
    target, link = write_file(tmp_path / "there" / "file", "old"), tmp_path / "link"
    link.symlink_to(target)
    write_file(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.append(pipe.read_bytes()))
    reader.start()
    write_file(pipe, "through")
    reader.join(20)
    assert found == [b"through"]
    assert pipe.is_fifo()


def test_the_standard_output_is_written_to(capfd: pytest.CaptureFixture[str]) -> None:
    """Also where it goes to a file, as in the tests: that file must not be replaced."""
    write_file(Path("/dev/stdout"), "shown\n")
    assert capfd.readouterr().out == "shown\n"


def test_an_error_names_the_file_that_was_asked_for(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(IsADirectoryError) as raised:
        write_file(folder, "x")
    assert raised.value.filename == str(folder)
    with pytest.raises(OSError, match=r"Permission denied|No such file") as refused:
        write_file(Path("/sys/actionbench"), "x")
    assert refused.value.filename == "/sys/actionbench"


def test_what_a_killed_process_was_writing_is_removed_and_nothing_else(tmp_path: Path) -> None:
    def killed() -> None:
        with replacing(tmp_path / "below" / "file") as file:
            temporary = Path(file.name)
            file.write(b"half")
            file.flush()
            os.link(temporary, tmp_path / "below" / temporary.name.replace(".file", ".other"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        killed()
    kept = [write_file(tmp_path / name, "mine") for name in ("file", ".mine.tmp", "a.0123abcd.tmp")]
    (left,) = (tmp_path / "below").iterdir()
    remove_abandoned(tmp_path)
    assert not left.exists()
    assert all(path.exists() for path in kept)


def test_a_full_disk_names_the_file_and_what_was_not_written_by_it_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error of a write names no file. One of another cause, such as a connection, is left as it is."""

    def fails(number: int) -> object:
        try:
            with replacing(tmp_path / "file"):
                raise OSError(number, os.strerror(number))
        except OSError as error:
            return error.filename

    assert fails(errno.ENOSPC) == fails(errno.EFBIG) == str(tmp_path / "file")
    assert fails(errno.ECONNRESET) is None

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space") as refused:
        write_file(tmp_path / "file", "x")
    assert refused.value.filename == str(tmp_path / "file")
    assert not list(tmp_path.iterdir())

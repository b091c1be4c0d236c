"""A folder's lock: who has it is told, and whoever is killed has it no more."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from actionbench.errors import MeasurementError, UsageError
from actionbench.records.lock import FolderLock

HOLDER = """
import sys, time
from pathlib import Path
from actionbench.records.lock import FolderLock
lock = FolderLock(Path(sys.argv[1]), "in use", remedy="Wait.")
print("taken", flush=True)
time.sleep(60)
"""


def take(folder: Path) -> FolderLock:
    return FolderLock(folder, "in use", remedy="Wait.", where=Path("the/folder"))


def test_a_killed_process_leaves_no_lock(tmp_path: Path) -> None:
    folder = tmp_path / "made" / "now"
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(folder)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(
            UsageError, match=rf"^the/folder: in use; found process {holder.pid} on .+\. Wait"
        ):
            take(folder)
        holder.kill()
    with take(folder):
        pass


def test_a_lock_that_is_given_back_can_be_taken_again(tmp_path: Path) -> None:
    with take(tmp_path):
        with pytest.raises(UsageError, match="in use"):
            take(tmp_path)
        # Between taking and telling: the refusal does without the name.
        (tmp_path / "lock-holder").unlink()
        with pytest.raises(UsageError, match=r"in use\. Wait"):
            take(tmp_path)
    with take(tmp_path):
        pass
    assert [path.name for path in tmp_path.iterdir()] in ([], ["lock"])


def test_a_folder_that_was_moved_away_is_noticed_and_its_lock_can_be_released(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    with FolderLock(folder, "is used", remedy="Wait.") as lock:
        lock.require_in_place("go on")
        folder.rename(tmp_path / "elsewhere")
        with pytest.raises(MeasurementError, match=r"folder: was moved or removed.*`go on`"):
            lock.require_in_place("go on")
        (tmp_path / "elsewhere").rename(folder)
        lock.require_in_place("go on")
    assert not (folder / "lock-holder").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is full")
def test_a_full_disk_is_an_error_that_names_the_file_and_leaves_no_lock(tmp_path: Path) -> None:
    (tmp_path / "lock-holder").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left") as raised:
        take(tmp_path)
    assert raised.value.filename == str(tmp_path / "lock-holder")
    with take(tmp_path):
        pass

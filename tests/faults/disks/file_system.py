"""File systems of a test's own: small ones, and folders that nobody may write to."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOM = "64m"
"""Size of a file system with room enough."""

PAGE = 4096
"""Bytes that a file on it takes at least."""


@contextmanager
def mounted(folder: Path) -> Iterator[Path]:
    """A file system of its own in `folder`, in memory, with room enough, while the block runs."""
    folder.mkdir()
    mount("-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", folder)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def mount(*words: str | Path) -> None:
    """Call `mount`. The test is skipped where that is not possible, as for anyone but root."""
    ended = subprocess.run(["mount", *words], capture_output=True, text=True)
    if ended.returncode:
        pytest.skip(f"no file system can be mounted here: {ended.stderr.strip()}")


def resize(disk: Path, size: str) -> None:
    """Give a file system another size, such as "20k", which may be less than what is on it."""
    mount("-o", f"remount,size={size}", disk)


def used(disk: Path) -> int:
    """Bytes that are taken of a file system."""
    return shutil.disk_usage(disk).used


def leave_room(disk: Path, share: float, most: int) -> None:
    """Leave so much room on an empty file system: a share of the `most` bytes that all would take."""
    resize(disk, str(PAGE + int(share * most)))


def leave_none(disk: Path) -> Path:
    """Leave no room at all on an empty file system; the file that takes it."""
    resize(disk, str(PAGE))
    other = disk / "other"
    other.write_bytes(b"x" * PAGE)
    return other


Call = Callable[[list[str]], tuple[int, str]]
"""From the words of a command to its exit code and what it says on standard error."""


@contextmanager
def read_only(folder: Path, how: str, call: Call) -> Iterator[Call]:
    """A folder that nobody may write to; what calls commands for which that holds.

    - `how`: "mount", or by its "permissions".
    - `call`: calls a command in this process.
    """
    folder.mkdir(exist_ok=True)
    if how == "mount":
        mount("--bind", folder, folder)
        try:
            mount("-o", "remount,bind,ro", folder)
            yield call
        finally:
            subprocess.run(["umount", folder], check=True)
        return
    mode = folder.stat().st_mode
    folder.chmod(0o555)
    try:
        yield call if os.geteuid() else without_privileges
    finally:
        folder.chmod(mode)


def without_privileges(words: list[str]) -> tuple[int, str]:
    """Call a command for which permissions hold, which root's do not heed otherwise."""
    if (setpriv := shutil.which("setpriv")) is None:
        pytest.skip("root may write everywhere, and there is no setpriv, by which it may not")
    command = [setpriv, "--bounding-set=-dac_override,-dac_read_search", sys.executable, "-m", "actionbench"]
    ended = subprocess.run([*command, *words], capture_output=True, text=True, timeout=600)
    return ended.returncode, ended.stderr

"""What a command leaves behind: processes that it started, and temporary files."""

from __future__ import annotations

import os
import secrets
import signal
import time
from collections.abc import Mapping
from pathlib import Path

_MARK = "ACTIONBENCH_FAULTS"
"""Environment variable by which the processes that a command has started are found."""

_ENDING_S = 90.0
"""Seconds in which they have to end after the command has; a live session has 60 to close its files."""


class Left:
    """Finds what a command that was started with `environment` has left."""

    def __init__(self, folder: Path) -> None:
        """`folder`: in it, the command gets one of its own for temporary files."""
        assert Path("/proc/self/environ").exists(), "by /proc, of Linux, processes that are left are found"
        self._mark = secrets.token_hex(8)
        self.temporary = folder / f"temporary-{self._mark[:8]}"
        self.temporary.mkdir(parents=True)

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables that the command is to be started with."""
        return {_MARK: self._mark, "TMPDIR": str(self.temporary)}

    def processes(self) -> dict[int, str]:
        """Those that run: process → its command.

        Of a command that is a fork of another program only those that it started with `exec`.
        """
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if f"{_MARK}={self._mark}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                    words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                    found[int(folder.name)] = words
            except OSError:  # it has ended meanwhile, or is another user's
                continue
        return found

    def assert_nothing(self, status: int) -> None:
        """Assert that every process has ended, or ends by itself, and that no temporary file is left.

        - `status`: exit status of the command. Nobody removes the files of one that was killed.
        """
        end = time.monotonic() + _ENDING_S
        while (found := self.processes()) and time.monotonic() < end:
            time.sleep(0.02)
        for pid in found:
            os.kill(pid, signal.SIGKILL)
        assert not found, f"left running: {list(found.values())}"
        if status != -signal.SIGKILL:
            files = [str(path.relative_to(self.temporary)) for path in self.temporary.rglob("*")]
            assert not files, f"left for temporary files: {files}"

"""A line about what goes on, which changes all the time, between messages that stay."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable

from ...plain_text import plain_line
from .output import unfiltered
from .progress import Console

LOG_S = 30.0
"""Seconds between two lines in a log."""


class StatusLine(Console):
    """Standard error with a last line that is replaced, on a terminal; in a log, a line every LOG_S seconds.

    - `clock`: seconds, as `time.monotonic`.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._terminal = sys.stderr.isatty()
        self._clock, self._logged_s = clock, clock()

    def show(self, text: str) -> None:
        """Replace the line."""
        if self._terminal:
            width = shutil.get_terminal_size().columns - 1
            self._control(f"\r\x1b[K{plain_line(text)[:width]}")
        elif self._clock() - self._logged_s >= LOG_S:
            self._logged_s = self._clock()
            super().say(plain_line(text))

    def say(self, text: str) -> None:
        """Print a message above the line."""
        self.clear()
        super().say(text)

    def clear(self) -> None:
        """Take the line away."""
        if self._terminal:
            self._control("\r\x1b[K")

    @staticmethod
    def _control(text: str) -> None:
        print(text, end="", file=unfiltered(sys.stderr), flush=True)

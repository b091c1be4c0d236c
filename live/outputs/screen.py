"""The session in a window on the screen."""

from __future__ import annotations

import sys
from collections.abc import Callable

import cv2

from ...child_process import run_captured
from ...errors import UsageError
from ..events import ActionEvent
from ..frame import Frame
from .output import Shown
from .overlay import drawn

TITLE = "ActionBench"

ENDING_KEYS = (ord("q"), 27)
"""q and Escape."""

CHECK_S = 20.0
"""Seconds after which a screen that has not answered counts as none."""


def check_screen() -> None:
    """Raise UsageError where no window can be opened.

    That is tried in a process of its own, because OpenCV ends the process in which it finds no screen.
    """
    code = f"import cv2; cv2.namedWindow({TITLE!r}); cv2.waitKey(1)"
    try:
        # -P: the working folder may hold a `cv2` of its own.
        ended = run_captured([sys.executable, "-P", "-c", code], timeout_s=CHECK_S)
        found = None if ended.status == 0 else ended.stderr.decode(errors="replace").strip()
    except TimeoutError:
        found = f"no answer within {CHECK_S:g} s"
    if found is not None:
        raise UsageError(
            "no window can be opened",
            where="--show",
            found=found.splitlines()[0] if found else "no reason given",
            remedy="Use --video or --web where there is no screen.",
        )


class Screen:
    """Shows each frame with its overlay. The window belongs to the thread that calls `frame`.

    - `on_close`: is called when the user closes the window or presses q or Escape.

    Raises UsageError where no window can be opened.
    """

    def __init__(self, on_close: Callable[[], None]) -> None:
        check_screen()
        self._on_close, self._closed, self._open = on_close, False, False

    def frame(self, frame: Frame, shown: Shown) -> None:
        """Show the frame."""
        if self._closed:
            return
        if not self._open:
            cv2.namedWindow(TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
            cv2.resizeWindow(TITLE, frame.pixels.shape[1], frame.pixels.shape[0])
            self._open = True
        cv2.imshow(TITLE, cv2.cvtColor(drawn(frame.pixels, shown), cv2.COLOR_RGB2BGR))
        key = cv2.waitKey(1)
        if key in ENDING_KEYS or cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) < 1:
            self._closed = True
            self._on_close()

    def event(self, event: ActionEvent) -> None:
        """The overlay shows the action."""

    def close(self) -> None:
        """Close the window."""
        if self._open:
            cv2.destroyWindow(TITLE)
            self._open = False

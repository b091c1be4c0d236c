"""The command `bench`, also `python -m actionbench`."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType


def main() -> None:
    """Run the command line and exit: 0 done, 2 a user's error, 3 and 4 verdicts, 130 interrupted, 1 a bug."""
    # Nothing can be lost yet, and an exception inside an import may be swallowed.
    _on_interrupt(lambda *_: os._exit(130))
    from .bench.cli.app import run_app  # takes a third of a second

    _on_interrupt(_interrupt)
    codes: list[int] = []

    def last() -> None:
        # All is done; a signal that comes while the interpreter is taken down would change the exit code.
        _on_interrupt(signal.SIG_IGN)
        # `python -m` ends by SIGINT where an interrupt met an `exec`, by which data classes are made,
        # although it was handled.
        if codes == [130]:
            os._exit(130)

    atexit.register(last)  # what is registered first is called last
    codes.append(run_app(sys.argv[1:]))
    sys.exit(codes[0])


def _on_interrupt(handle: Callable[..., object] | signal.Handlers) -> None:
    """Handle Ctrl-C, the end of the terminal and `kill` alike; signals that the caller ignores stay ignored.

    `nohup` ignores the end of the terminal, and shells ignore Ctrl-C for background processes.
    """
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handle)


def _interrupt(number: int, frame: FrameType | None) -> None:
    # What is raised inside a destructor is dropped: the signal comes again when that has ended.
    while frame is not None:
        if frame.f_code.co_name == "__del__":
            threading.Timer(0.05, signal.raise_signal, (number,)).start()
            return
        frame = frame.f_back
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()

"""The command `bench`, also `python -m actionbench`."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from collections.abc import Callable


def main() -> None:
    """Run the command line and exit: 0 done, 2 a user's error, 3 and 4 verdicts, 130 interrupted, 1 a bug."""
    # Nothing can be lost yet, and an exception inside an import may be swallowed.
    _on_interrupt(lambda *_: os._exit(130))
    from .bench.cli.app import run_app  # takes a third of a second

    _on_interrupt(_interrupt)
    sys.unraisablehook = _not_dropped
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


_interrupted = threading.Event()


def _interrupt(*_: object) -> None:
    _interrupted.set()
    raise KeyboardInterrupt


def _not_dropped(dropped: sys.UnraisableHookArgs) -> None:
    """Have an interrupt come again that Python drops, as all that is raised in a destructor or a callback.

    Later, and from another thread: in here it would be dropped as well. Once one has come, other errors there
    are of what it has left half done, such as a file that cannot be closed, and are not shown.
    """
    if issubclass(dropped.exc_type, KeyboardInterrupt):
        again = threading.Timer(0.05, _interrupt_main_thread)
        again.daemon = True  # where the command is done, nothing waits for it
        again.start()
    elif not _interrupted.is_set():
        sys.__unraisablehook__(dropped)


def _interrupt_main_thread() -> None:
    # `raise_signal` does not wake a main thread that waits; of Windows, Ctrl-C alone does. SIGTERM is the one
    # that no caller ignores (see `_on_interrupt`).
    if sys.platform == "win32":
        signal.raise_signal(signal.SIGINT)
    else:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)


if __name__ == "__main__":
    main()

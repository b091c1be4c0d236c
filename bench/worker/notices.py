"""What our own code warns of in a worker is for the user, not for the log of the process."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

_OURS = Path(__file__).parents[2]


@contextmanager
def notices_to(say: Callable[[str], None]) -> Iterator[None]:
    """While the block runs, `say` is given the text of each warning of our own code, from any thread.

    These are warnings of the class RuntimeWarning that our files raise, and what is logged as a warning.
    Those of libraries are shown as before. A block inside takes them over.
    """

    class Notices(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            say(record.getMessage())

    logger, show = logging.getLogger("actionbench"), warnings.showwarning
    handlers = logger.handlers

    def pass_on(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if category is RuntimeWarning and Path(filename).is_relative_to(_OURS):
            say(str(message))
        else:
            show(message, category, filename, lineno, file, line)

    warnings.showwarning, logger.handlers = pass_on, [Notices(logging.WARNING)]
    try:
        yield
    finally:
        warnings.showwarning, logger.handlers = show, handlers

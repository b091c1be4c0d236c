"""Timing of stages that add up."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager


class Stopwatch:
    """Adds up host-clock seconds by stage. One stage at a time: nested stages would count twice."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._running: str | None = None

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        if self._running is not None:
            raise RuntimeError(f"stage {name!r} begun inside {self._running!r}")
        self._running = name
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] += time.perf_counter() - begin
            self._running = None

"""Timing of stages that add up, and of what surrounds them."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from .cpu_contention import waited_s


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


class Meter:
    """Adds up what the blocks under it took: wall time, the process's CPU time, and waiting for a core.

    `waited_s` is None where the system does not tell.
    """

    def __init__(self) -> None:
        self.wall_s = 0.0
        self.cpu_s = 0.0
        self.waited_s: float | None = 0.0

    def __enter__(self) -> Self:
        self._waited = waited_s()
        self._cpu, self._wall = time.process_time(), time.perf_counter()
        return self

    @property
    def elapsed_s(self) -> float:
        """Wall time since the block that is running began."""
        return time.perf_counter() - self._wall

    def __exit__(self, *_: object) -> None:
        self.wall_s += time.perf_counter() - self._wall
        self.cpu_s += time.process_time() - self._cpu
        waited = waited_s()
        if waited is None or self._waited is None or self.waited_s is None:
            self.waited_s = None
        else:
            # A thread that ended took its record with it.
            self.waited_s += max(0.0, waited - self._waited)

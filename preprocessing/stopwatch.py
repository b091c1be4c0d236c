"""Timing of stages, which add up, and of whole blocks."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from .cpu_contention import waited_s


class Stopwatch:
    """Adds up wall-clock seconds by stage, in `seconds`. Stages cannot be nested: they would count twice."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._running: str | None = None

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the duration of the block to the stage `name`. Raises RuntimeError inside another stage."""
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
    """Adds up over the blocks that it is the context manager of:

    - `wall_s`: wall time, seconds.
    - `cpu_s`: CPU time of the process.
    - `waited_s`: time that its threads waited for a core (`cpu_contention`); None if the system has no such
      figure.
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
        """Wall time since the current block began, seconds."""
        return time.perf_counter() - self._wall

    def __exit__(self, *_: object) -> None:
        self.wall_s += time.perf_counter() - self._wall
        self.cpu_s += time.process_time() - self._cpu
        waited = waited_s()
        if waited is None or self._waited is None or self.waited_s is None:
            self.waited_s = None
        else:
            # The record of a thread that has ended is gone, which may make the difference negative.
            self.waited_s += max(0.0, waited - self._waited)

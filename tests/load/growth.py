"""What processes hold while they work: memory, open files, threads, temporary files; and what it grows by."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import psutil
from scipy.stats import theilslopes

BOUNDS = {"memory, MB": 20.0, "open files": 2.0, "threads": 2.0, "temporary files": 2.0}
"""Quantity → what it may grow by over the last three quarters of the time of a process.

Over 18 hours of the camera (`camera.py`) 20 MB are 31 bytes a frame, 250 bytes a label and 9 kB an action:
the smallest object of Python, a number, takes 28 bytes and 8 where it is kept. Over 15,000 clips they are
1.3 kB a clip, less than the probabilities of its 400 classes. A file that is left open at each reconnect,
action or clip is far above 2: some are open at one time and not at another.
"""

SETTLING = 0.25
"""Share of its time in which a process loads, and fills its caches and queues: it is not judged."""

LEAST_SAMPLES = 20
"""Of a process that is judged."""

MOST_SAMPLES = 1000
"""Samples that a slope is computed from at most: their pairs are counted."""

WORKER = "actionbench.bench.worker.process"


@dataclass(frozen=True, slots=True)
class Trend:
    """A quantity of one process: its level, the medians of a tenth of the time, and what it grew by.

    - `begin`, `end`: the level when the process had settled, and at the end.
    - `growth`: from then to the end: the difference of these levels, which finds a step; or, if that is more,
      what the median slope of all pairs of samples amounts to (Theil and Sen). Peaks change neither.
    """

    begin: float
    end: float
    growth: float


def trend(times_s: npt.ArrayLike, values: npt.ArrayLike) -> Trend:
    """How a quantity grew after the process had settled; at least LEAST_SAMPLES samples."""
    times, levels = np.asarray(times_s, float), np.asarray(values, float)
    first = int(SETTLING * len(times))
    times, levels = times[first:], levels[first:]
    tenth = max(1, len(times) // 10)
    begin, end = float(np.median(levels[:tenth])), float(np.median(levels[-tenth:]))
    step = -(-len(times) // MOST_SAMPLES)
    slope = theilslopes(levels[::step], times[::step])[0]
    return Trend(begin, end, max(end - begin, float(slope * (times[-1] - times[0]))))


@dataclass(slots=True)
class Watched:
    """The samples of one process. `name`: "command", or "worker" and its number."""

    name: str
    times_s: list[float] = field(default_factory=list)
    values: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in BOUNDS})

    def trends(self) -> dict[str, Trend]:
        """Quantity → how it grew."""
        return {name: trend(self.times_s, values) for name, values in self.values.items()}


class Watch:
    """Samples a process and its workers until the block ends; a context manager.

    - `process`: id of the command.
    - `temporary`: folder that the environment variable TMPDIR names in them.
    - `period_s`: seconds between two samples.
    """

    def __init__(self, process: int, temporary: Path, period_s: float) -> None:
        self._command, self._temporary = psutil.Process(process), temporary
        self._period_s = period_s
        self._watched: dict[int, Watched] = {process: Watched("command")}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(self._period_s):
            try:
                processes = [self._command, *self._command.children(recursive=True)]
            except psutil.NoSuchProcess:
                return
            for process in processes:
                try:
                    self._sample(process)
                except (psutil.NoSuchProcess, psutil.AccessDenied, FileNotFoundError):
                    continue  # it, or a temporary folder, has just gone

    def _sample(self, process: psutil.Process) -> None:
        watched = self._watched.get(process.pid)
        if watched is None:
            if WORKER not in process.cmdline():
                return
            watched = Watched(f"worker {len(self._watched)}")
        values = (
            process.memory_info().rss / 1e6,
            process.num_fds(),
            process.num_threads(),
            sum(1 for _ in self._temporary.rglob("*")),
        )
        self._watched[process.pid] = watched
        watched.times_s.append(time.monotonic())
        for kept, value in zip(watched.values.values(), values, strict=True):
            kept.append(value)

    def processes(self) -> list[Watched]:
        """The command and the workers that were there for long enough, in the order of their starts."""
        return [each for each in self._watched.values() if len(each.times_s) >= LEAST_SAMPLES]

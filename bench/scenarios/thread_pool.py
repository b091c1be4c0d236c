"""Threads that share work out among themselves by its urgency, so that none is idle while there is any."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

Urgency = tuple[int, int]
"""The smaller comes first: (number of the clip, rank of the step within it)."""

Task = Callable[[], None]


@dataclass(slots=True)
class _Gathering:
    """Items that wait to be computed together: a heap, the most urgent first."""

    compute: Callable[[list[Any]], None]
    size: int
    alone: Hashable | None
    items: list[tuple[Urgency, int, Any]] = field(default_factory=list)


class ThreadPool:
    """`count` threads and the tasks that wait for them. Tasks may add tasks.

    An exception of a task ends everything: what waits is dropped, and `wait` raises it. Leaving the block
    ends the threads as soon as each has finished what it is doing.
    """

    def __init__(self, count: int) -> None:
        self._tasks: list[tuple[Urgency, int, Task]] = []
        self._gatherings: dict[Hashable, _Gathering] = {}
        self._busy: set[Hashable] = set()
        self._order = itertools.count()  # of equally urgent tasks the first comes first
        self._condition = threading.Condition()
        self._ended = threading.Event()
        self._closed = False
        self._failure: BaseException | None = None
        self._threads = [
            threading.Thread(target=self._work, name=f"pool-{i}", daemon=True) for i in range(count)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()
        for thread in self._threads:
            thread.join()

    def submit(self, urgency: Urgency, task: Task) -> None:
        """Have a thread do `task`; nothing happens once the pool has ended."""
        with self._condition:
            if self._closed:
                return
            heapq.heappush(self._tasks, (urgency, next(self._order), task))
            self._condition.notify()

    def gather(
        self,
        key: Hashable,
        urgency: Urgency,
        item: Any,
        compute: Callable[[list[Any]], None],
        size: int = 1,
        alone: Hashable | None = None,
    ) -> None:
        """Have a thread call `compute` with `size` items of the same `key`; with fewer when all else is done.

        `alone`: of the gatherings that name the same thing here, one is computed at a time. Nothing happens
        once the pool has ended.
        """
        with self._condition:
            if self._closed:
                return
            gathering = self._gatherings.setdefault(key, _Gathering(compute, size, alone))
            heapq.heappush(gathering.items, (urgency, next(self._order), item))
            self._condition.notify()

    def end(self) -> None:
        """Begin nothing more."""
        with self._condition:
            self._closed = True
            self._tasks.clear()
            self._gatherings.clear()
            self._condition.notify_all()
        self._ended.set()

    def wait(self) -> None:
        """Return when `end` has been called. Raises what a task raised."""
        # In slices: an interrupt is not noticed inside an endless wait on every platform.
        while not self._ended.wait(timeout=1):
            pass
        if self._failure is not None:
            raise self._failure

    def _work(self) -> None:
        while True:
            with self._condition:
                while (work := self._next()) is None:
                    if self._closed:
                        return
                    self._condition.wait()
            task, alone = work
            try:
                task()
            except BaseException as error:
                self._failure = self._failure or error
                self.end()
            finally:
                if alone is not None:
                    with self._condition:
                        self._busy.discard(alone)
                        self._condition.notify()

    def _next(self) -> tuple[Task, Hashable | None] | None:
        """The most urgent task or full gathering; where there is neither, a gathering as it is."""
        free = {k: g for k, g in self._gatherings.items() if g.alone is None or g.alone not in self._busy}
        full = {key: g for key, g in free.items() if len(g.items) >= g.size}
        chosen = self._most_urgent(full)
        if self._tasks and (chosen is None or self._tasks[0][0] <= full[chosen].items[0][0]):
            return heapq.heappop(self._tasks)[2], None
        if chosen is None:
            chosen = self._most_urgent(free)
        return None if chosen is None else self._taken(chosen)

    @staticmethod
    def _most_urgent(gatherings: dict[Hashable, _Gathering]) -> Hashable | None:
        return min(gatherings, key=lambda key: gatherings[key].items[0][0], default=None)

    def _taken(self, key: Hashable) -> tuple[Task, Hashable | None]:
        gathering = self._gatherings[key]
        count = min(gathering.size, len(gathering.items))
        items = [heapq.heappop(gathering.items)[2] for _ in range(count)]
        if not gathering.items:
            del self._gatherings[key]
        if gathering.alone is not None:
            self._busy.add(gathering.alone)
        return (lambda: gathering.compute(items)), gathering.alone

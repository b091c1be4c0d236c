"""Hands items from one thread to another, at most so many at a time."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection, Hashable
from typing import Generic, TypeVar

MOST_KEPT = 1000
"""Items that always have room, at most: somebody who never takes any must not fill the memory."""

Item = TypeVar("Item")
Key = TypeVar("Key", bound=Hashable)


class Newest(Generic[Item]):
    """The newest items that nobody took yet, in their order.

    - `room`: items at most: a further one replaces the oldest.
    - `lossless`: a further one waits until there is room, and none is replaced.
    - `always`: items that always have room: they neither wait nor are replaced, and further ones are refused
      only where MOST_KEPT of them wait.
    """

    def __init__(
        self, room: int = 1, *, lossless: bool = False, always: Callable[[Item], bool] = lambda _: False
    ) -> None:
        self._room, self._lossless, self._always = room, lossless, always
        self._changed = threading.Condition()
        self._items: deque[Item] = deque()
        self._closed = False

    def put(self, item: Item) -> Item | None:
        """Add an item; the one that it replaces, or None. `item` itself if refused, or after `close`."""
        with self._changed:
            always = self._always(item)
            while self._lossless and not always and len(self._items) >= self._room and not self._closed:
                self._changed.wait()
            if self._closed or (always and len(self._items) >= self._room + MOST_KEPT):
                return item
            full = not self._lossless and len(self._items) >= self._room
            replaced = self._oldest() if full else None
            self._items.append(item)
            self._changed.notify_all()
            return replaced

    def _oldest(self) -> Item | None:
        """The oldest item that may be replaced, taken out; None where there is none."""
        for index, item in enumerate(self._items):
            if not self._always(item):
                del self._items[index]
                return item
        return None

    def take(self) -> Item | None:
        """The oldest item that is left; waits for one. None when closed and empty."""
        with self._changed:
            while not self._items and not self._closed:
                self._changed.wait()
            if not self._items:
                return None
            item = self._items.popleft()
            self._changed.notify_all()
            return item

    @property
    def closed(self) -> bool:
        """Whether nothing more will come."""
        return self._closed

    def close(self) -> None:
        """Nothing more will come; what is there can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def __len__(self) -> int:
        return len(self._items)


class Turns(Generic[Key, Item]):
    """The newest item of each of several, who take turns: whoever was served longest ago is next.

    - `lossless`: a further item, of whomever, waits until there is none, and none is replaced.
    """

    def __init__(self, *, lossless: bool = False) -> None:
        self._lossless = lossless
        self._changed = threading.Condition()
        self._items: dict[Key, Item] = {}
        self._served: dict[Key, int] = {}
        self._turn = 0
        self._closed = False

    def put(self, key: Key, item: Item) -> Item | None:
        """Add an item; the one of the same `key` that it replaces, or None. Once it is closed, `item`."""
        with self._changed:
            while self._lossless and self._items and not self._closed:
                self._changed.wait()
            if self._closed:
                return item
            replaced = self._items.get(key)
            self._items[key] = item
            self._changed.notify_all()
            return replaced

    def take(self) -> Item | None:
        """The item whose turn it is; waits for one. None when closed and empty."""
        with self._changed:
            while not self._items and not self._closed:
                self._changed.wait()
            if not self._items:
                return None
            key = min(self._items, key=lambda each: self._served.get(each, -1))
            self._served[key] = self._turn
            self._turn += 1
            self._changed.notify_all()
            return self._items.pop(key)

    def keep(self, keys: Collection[Key]) -> None:
        """Forget all others, with their items."""
        with self._changed:
            self._items = {key: item for key, item in self._items.items() if key in keys}
            self._served = {key: turn for key, turn in self._served.items() if key in keys}

    def close(self) -> None:
        """Nothing more will come; what is there can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def __len__(self) -> int:
        return len(self._items)

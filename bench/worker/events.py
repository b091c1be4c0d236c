"""What a worker tells its parent."""

from __future__ import annotations

import json
import threading
import time
from typing import Any, BinaryIO

from ...preprocessing.preparer import StageProgress


class Events:
    """Writes events to the parent, one JSON object a line; from any thread."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def __call__(self, event: str, **values: Any) -> None:
        line = json.dumps({"event": event, **values}, allow_nan=False).encode() + b"\n"
        with self._lock:
            self._stream.write(line)
            self._stream.flush()


def signs_of_life(events: Events) -> StageProgress:
    """Told the parent: signs of life for the parent's watchdog and progress bar, a few a second at most."""
    last = 0.0

    def progress(stage: str, done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last > 0.3:
            last = now
            events("progress", stage=stage, done=done, total=total)

    return progress

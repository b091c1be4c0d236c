"""A limit on bytes per second that several transfers share."""

from __future__ import annotations

import threading
import time


class BandwidthLimit:
    """At most so many bytes per second, over all streams that are given the same limit.

    - `bytes_per_s`: the limit, positive. A second's bytes may come at once (a token bucket of that size).
    """

    def __init__(self, bytes_per_s: float) -> None:
        if not bytes_per_s > 0:
            raise ValueError(f"a limit of {bytes_per_s} bytes per second")
        self.bytes_per_s = bytes_per_s
        self._lock = threading.Lock()
        self._paid_until_s = -1e9  # the time at which all that was received is within the limit

    def take(self, count: int, now_s: float | None = None) -> float:
        """Account for bytes that were received; returns the seconds to wait before more are read.

        - `count`: number of bytes.
        - `now_s`: the time, seconds on a clock that never goes back; None for `time.monotonic`.
        """
        now_s = time.monotonic() if now_s is None else now_s
        with self._lock:
            # An idle line saves up one second at most.
            self._paid_until_s = max(self._paid_until_s, now_s - 1.0) + count / self.bytes_per_s
            return max(self._paid_until_s - now_s, 0.0)

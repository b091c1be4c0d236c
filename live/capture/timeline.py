"""The session's timeline: presentation times that start at 0, never go back, and go on after a reconnect."""

from __future__ import annotations

import math

MAX_JUMP_S = 10.0
"""A longer step from one stamp to the next is a clock that was set, not a pause."""

MAX_BACK_S = 1.0
"""Stamps that go back by less are disorder; by more, a clock that was set."""


class Timeline:
    """Gives each picture its time, from the stamps of its source."""

    def __init__(self) -> None:
        self._time_s = 0.0
        self._stamp_s: float | None = None
        self._arrived_s: float | None = None
        self._interrupted = True

    def interrupt(self) -> None:
        """The source was lost: what comes next has another clock, and pictures are missing before it."""
        self._interrupted = True

    def place(self, stamp_s: float | None, step_s: float, arrived_s: float) -> tuple[float, bool]:
        """The time of the next picture, seconds, and whether it continues the ones before it.

        - `stamp_s`: by the source's clock; None where it gives none.
        - `step_s`: time between pictures, as the source states it: for pictures without a stamp.
        - `arrived_s`: when it was there, by a clock that is never set.
        """
        if stamp_s is not None and not math.isfinite(stamp_s):
            stamp_s = None
        if self._arrived_s is None:
            time_s, continues = 0.0, False
        elif self._interrupted:
            time_s, continues = self._time_s + max(step_s, arrived_s - self._arrived_s), False
        elif stamp_s is None or self._stamp_s is None:
            time_s, continues = self._time_s + step_s, True
        else:
            passed = stamp_s - self._stamp_s
            continues = -MAX_BACK_S <= passed <= MAX_JUMP_S
            if not continues:
                passed = max(step_s, arrived_s - self._arrived_s)
            time_s = self._time_s + max(0.0, passed)
        if stamp_s is not None and self._stamp_s is not None and continues:
            # After disorder the latest stamp stays the one that is compared with.
            self._stamp_s = max(self._stamp_s, stamp_s)
        elif stamp_s is None and self._stamp_s is not None and continues:
            self._stamp_s += step_s
        else:
            self._stamp_s = stamp_s
        self._time_s, self._arrived_s, self._interrupted = time_s, arrived_s, False
        return time_s, continues

"""A camera that does not wait: when its frames are there, which are lost, and what labels are due."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Arrival:
    """Frame `number` (0, 1, …) was there at `time_s` of the camera's clock.

    `waiting`: later frames that were in the buffer when this one was taken.
    """

    number: int
    time_s: float
    waiting: int


class Camera:
    """`frames` frames at `fps`, kept in a buffer of `room`: where that is full, the oldest one is lost.

    Frame n is there n / fps seconds after the first `take`. Nothing is filmed: what has arrived follows from
    the clock alone, so that the camera costs no thread and no time.
    """

    def __init__(
        self,
        fps: Fraction,
        frames: int,
        room: int,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self._fps, self._frames, self._room = fps, frames, room
        self._clock, self._sleep = clock, sleep
        self._begin: float | None = None
        self._next = 0
        self.dropped = 0

    def take(self) -> Arrival | None:
        """The oldest frame that is not lost; waits for the next one. None after the last."""
        if self._begin is None:
            self._begin = self._clock()
        passed = Fraction(self._clock() - self._begin)
        arrived = min(int(passed * self._fps) + 1, self._frames)
        lost = max(0, arrived - self._room - self._next)
        self.dropped += lost
        self._next += lost
        if self._next == self._frames:
            return None
        waiting = max(0, arrived - self._next - 1)
        arrival = Arrival(self._next, self._begin + float(self._next / self._fps), waiting)
        while (wait := arrival.time_s - self._clock()) > 0:
            self._sleep(wait)
        self._next += 1
        return arrival


def is_due(number: int, window: int, stride: int) -> bool:
    """Whether a label is due at frame `number`: at the first whole window, then every `stride` frames."""
    return number + 1 >= window and (number + 1 - window) % stride == 0


def due_windows(frames: int, window: int, stride: int) -> int:
    """Labels due in `frames` frames."""
    return 0 if frames < window else (frames - window) // stride + 1

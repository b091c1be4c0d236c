"""When a time counts as disturbed: something else was computing, and the measured process waited for a core.

The one definition, for the worker that times a clip again, for the reports and for the gate.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

T = TypeVar("T")

UNDISTURBED = 0.2
"""Largest waiting ratio (see `waiting_ratio`) of a time that counts as undisturbed. A process alone on two
cores was seen at 0.00 to 0.12 (its threads wait for each other), one that shared them at 0.5 to 1.0."""


def waiting_ratio(waited_s: float | None, wall_s: float, workers: int = 1) -> float | None:
    """Seconds that threads waited for a core, per second of wall time and worker; None if unknown.

    - `waited_s`: seconds in which a thread was ready to run and did not, the sum over all threads of the
      process; None where the system does not tell.
    - `wall_s`: seconds of wall time, > 0.
    - `workers`: threads of ActionBench that the clips' work is shared out over: 1 where one stage follows the
      other. Threads that a library starts for one of them count with it, because that one waits for the
      slowest of them.
    """
    return None if waited_s is None or wall_s <= 0 else waited_s / wall_s / workers


def is_disturbed(waiting: float | None) -> bool:
    """Whether a time with this waiting ratio is disturbed; False where the ratio is unknown."""
    return waiting is not None and waiting > UNDISTURBED


def drop_disturbed(
    samples: Iterable[T], clip: Callable[[T], Hashable], disturbed: Callable[[T], bool]
) -> list[T]:
    """The samples without the disturbed ones of each clip that has an undisturbed one, in the same order.

    A clip that has none keeps its disturbed samples, so that all processes are judged on the same clips.

    - `clip`: what a sample is a repetition of: its process and clip.
    - `disturbed`: whether a sample is.
    """
    samples = list(samples)
    calm = {clip(s) for s in samples if not disturbed(s)}
    return [s for s in samples if not disturbed(s) or clip(s) not in calm]

"""When a measured time counts as disturbed: other programs ran, and the measured process waited for a core.

The worker that repeats a disturbed sample, the reports and the gate all use this definition.
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
      process; None where the system does not report it.
    - `wall_s`: seconds of wall time, > 0.
    - `workers`: ActionBench's own threads that process clips, ≥ 1; 1 where the stages run one after another.
      Threads that a library starts inside one of them are not counted: the worker thread waits for the
      slowest of them.
    """
    return None if waited_s is None or wall_s <= 0 else waited_s / wall_s / workers


def is_disturbed(waiting: float | None) -> bool:
    """Whether a time with this waiting ratio is disturbed; False where the ratio is unknown (None)."""
    return waiting is not None and waiting > UNDISTURBED


def drop_disturbed(
    samples: Iterable[T], clip: Callable[[T], Hashable], disturbed: Callable[[T], bool]
) -> list[T]:
    """Drop the disturbed samples of every clip that also has an undisturbed one; the order is kept.

    A clip whose samples are all disturbed keeps them, so that all processes are compared on the same clips.

    - `clip`: from a sample to what it is a repetition of, such as its process and clip.
    - `disturbed`: from a sample to whether it is disturbed.
    """
    samples = list(samples)
    undisturbed = {clip(s) for s in samples if not disturbed(s)}
    return [s for s in samples if not disturbed(s) or clip(s) not in undisturbed]

"""How long this process's threads were ready but had no core: a sign that other processes use the machine."""

from __future__ import annotations

from pathlib import Path


def waited_s() -> float | None:
    """Seconds that the current threads of this process have waited for a core since they began, in total.

    The second number of Linux's schedstat (kernel documentation, scheduler/sched-stats). None elsewhere.
    """
    total = 0
    tasks = list(Path("/proc/self/task").glob("*/schedstat"))
    for task in tasks:
        try:
            total += int(task.read_text(encoding="ascii").split()[1])
        except FileNotFoundError:
            continue  # the thread has ended
        except (OSError, ValueError, IndexError):
            return None
    return total / 1e9 if tasks else None

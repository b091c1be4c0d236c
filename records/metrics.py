"""Names of what a process gives beside the times of its stages: the same in runs, gates and histories."""

from __future__ import annotations

TOTAL = "total"
"""Seconds a video, everything in."""

LOAD, FIRST = "load", "first"
"""Seconds until the network is loaded, and of the first forward pass after that."""

PEAK_MEMORY, PEAK_DEVICE_MEMORY = "peak_memory", "peak_device_memory"
"""Of the host and of the device: the metrics in bytes; all others are seconds."""

NO_STAGES = (TOTAL, LOAD, FIRST, PEAK_MEMORY, PEAK_DEVICE_MEMORY)
"""Metrics that are not a part of the total."""


def unit(metric: str) -> str:
    return "bytes" if metric in (PEAK_MEMORY, PEAK_DEVICE_MEMORY) else "s"

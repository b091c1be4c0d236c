"""The metrics of gates and histories: the stages of a clip, and metrics of the scenario "latency"."""

from __future__ import annotations

TOTAL = "total"
"""Seconds per video, all stages and what lies between them."""

LOAD, FIRST = "load", "first"
"""Seconds until the network is loaded, and seconds of its first forward pass."""

CPU = "cpu"
"""CPU seconds per video, of all threads; in gates only."""

PEAK_MEMORY, PEAK_DEVICE_MEMORY = "peak_memory", "peak_device_memory"
"""Bytes of the host and of the device."""

DECLARED = {
    TOTAL: "total_s_per_video",
    LOAD: "load_s",
    FIRST: "first_inference_s",
    PEAK_MEMORY: "peak_host_bytes",
    PEAK_DEVICE_MEMORY: "peak_device_bytes",
}
"""Metric of gates and histories → the metric of `scenarios/latency.py` that computes its values. The short
names are those of `--primary`, stored gates and histories. Every other metric but `CPU` is a stage
(`run.STAGES`)."""


def unit(metric: str) -> str:
    """The unit of a metric's values: "bytes" or "s"."""
    return "bytes" if metric in (PEAK_MEMORY, PEAK_DEVICE_MEMORY) else "s"

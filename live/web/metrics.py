"""A session's counters and times in Prometheus' text format: /metrics.

Names: https://prometheus.io/docs/practices/naming/
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from typing import Any

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

from ..measurements import Measurements

PREFIX = "actionbench_live_"

COUNTERS = {
    "captured_frames": ("captured", "Frames that were decoded"),
    "processed_frames": ("processed", "Frames that were prepared for the network"),
    "dropped_frames": ("dropped", "Frames that were left out because the machine could not keep up"),
    "unshown_frames": ("unshown", "Frames that an output was too slow to show, for each such output"),
    "damaged_packets": ("damaged", "Packets that were incomplete, or did not decode without errors"),
    "reconnects": ("reconnects", "Times that a source that was lost came back"),
    "labels": ("labels", "Windows that the network answered"),
    "late_labels": ("late", "Labels that were due by the stride and not given"),
    "lost_events": ("lost_events", "Events that an output was too slow for, for each such output"),
}
"""Name of a counter (without `_total`) → field of `SessionStatus`, help."""

GAUGES = {
    "connected": ("connected", "1 if the source gives frames"),
    "keeps_up": ("keeps_up", "1 if no frame was dropped lately and the stride is as asked for"),
    "stride_frames": ("stride", "Frames from one label to the next, as in effect"),
    "uptime_seconds": ("uptime_s", "Seconds since the session began"),
}
"""Name of a gauge → field of `SessionStatus`, help. Rates are left to `rate()` of the counters."""

HISTOGRAMS = {
    "decode_seconds": ("decode", "Decoding of a frame"),
    "people_seconds": ("people", "Finding and following persons in a frame"),
    "prepare_seconds": ("prepare", "Resizing of a frame"),
    "flow_seconds": ("flow", "Optical flow of a pair of frames"),
    "forward_seconds": ("forward", "The network on a window"),
    "label_age_seconds": ("age", "From the capture of a window's last frame to its label"),
}
"""Name of a histogram → stage of `Measurements`, help."""


class SessionCollector(Collector):
    """Reads the measurements whenever it is asked: nothing is counted twice.

    - `measurements`: of the session.
    - `info`: name → value of what does not change, e.g. the network's name.
    """

    def __init__(self, measurements: Measurements, info: dict[str, str]) -> None:
        self._measurements = measurements
        self._info = info

    def collect(self) -> Iterator[Metric]:
        """All metrics as they are now."""
        status: Any = self._measurements.status()
        yield InfoMetricFamily(f"{PREFIX}session", "What is recognised by what", value=self._info)
        for name, (field, words) in COUNTERS.items():
            yield CounterMetricFamily(PREFIX + name, words, value=getattr(status, field))
        for name, (field, words) in GAUGES.items():
            yield GaugeMetricFamily(PREFIX + name, words, value=float(getattr(status, field)))
        waiting = GaugeMetricFamily(f"{PREFIX}queue_length", "Items that wait in a queue", labels=["queue"])
        for queue, length in status.queues.items():
            waiting.add_metric([queue], length)
        yield waiting
        histograms = self._measurements.histograms()
        for name, (stage, words) in HISTOGRAMS.items():
            histogram = histograms[stage]
            bounds = [*(str(bound) for bound in histogram.bounds_s), "+Inf"]
            buckets = list(zip(bounds, accumulate(histogram.counts), strict=True))
            yield HistogramMetricFamily(PREFIX + name, words, buckets=buckets, sum_value=histogram.sum_s)


def registry_of(measurements: Measurements, info: dict[str, str]) -> CollectorRegistry:
    """A registry of one session, without the process' own metrics; parameters as of `SessionCollector`."""
    registry = CollectorRegistry()
    registry.register(SessionCollector(measurements, info))
    return registry

"""What a process is told by the gate that started it, and how it reports its times."""

from __future__ import annotations

import math
from typing import Any

from ...errors import MeasurementError
from ...records.metrics import CPU, PEAK_DEVICE_MEMORY, PEAK_MEMORY, TOTAL

VARIABLE = "ACTIONBENCH_TURNS"
"""Environment variable, set to `VERSION`, that tells a command that it may take turns."""

VERSION = "1"
"""Of the turns; networks of an arm with another one are measured slot after slot."""

COMMAND = "command"
"""Name of the model that stands for a command."""

_MORE = {"cpu_s": CPU, "peak_rss_bytes": PEAK_MEMORY, "peak_device_bytes": PEAK_DEVICE_MEMORY}
"""Optional key of a report → its metric."""


def reported(facts: Any) -> dict[str, float] | None:
    """Metric → value; None if `facts` are no report: no object with "total_s" or "stages_s".

    Raises MeasurementError if what stands there is no time, or all of it is 0 s.
    """
    if not isinstance(facts, dict) or not facts.keys() & {"total_s", "stages_s"}:
        return None
    stages = facts.get("stages_s", {})
    if not isinstance(stages, dict):
        raise MeasurementError("`stages_s` is no object of stage and seconds", found=str(facts)[:200])
    values = {str(name): number(value) for name, value in stages.items()}
    values[TOTAL] = number(facts["total_s"]) if "total_s" in facts else sum(values.values())
    values |= {metric: number(facts[key]) for key, metric in _MORE.items() if key in facts}
    if values[TOTAL] == 0:
        raise MeasurementError("the command measured nothing: its total is 0 s", found=str(facts)[:200])
    return values


def number(value: Any) -> float:
    """A value of a report. Raises MeasurementError if it is no finite number ≥ 0."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise MeasurementError(
            "the command reported a value that is not a number", expected="a number ≥ 0", found=repr(value)
        )
    return float(value)

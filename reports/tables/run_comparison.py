"""The comparison of two runs as a table and as JSON."""

from __future__ import annotations

from typing import Any

from ..analysis.accuracy import Paired
from ..analysis.run_comparison import MetricChange, RunComparison
from ..numbers import bare_p_value, counted, number, one_line, spread
from .accuracy import paired_counts
from .table import Column, Line, Table, table, values

SCHEMA = 1
"""Version of the JSON; increased when a key changes its name or meaning."""


def changes_table(comparison: RunComparison) -> Table:
    """A row for each metric of each model: both medians, and the ratio with its interval."""
    columns = (
        Column("Model", "left"),
        Column("Metric", "left"),
        Column("Unit", "left"),
        Column("First"),
        Column("Second"),
        Column("Second / first"),
        Column("Processes"),
    )
    methods = sorted({c.ratio.interval.method for c in comparison.changes if c.ratio.interval is not None})
    notes = [f"Medians over processes; second / first [{'; '.join(methods)}]."] if methods else []
    notes += [_accuracy(model, pair) for model, pair in comparison.accuracy.items()]
    notes += [f"Differs: {one_line(difference)}" for difference in comparison.settings]
    notes += comparison.notes
    return table("run_comparison", "Two runs", columns, map(_line, comparison.changes), notes)


def _accuracy(model: str, pair: Paired) -> str:
    first, second = pair.both + pair.only_first, pair.both + pair.only_second
    return (
        f"{one_line(model)}: of {counted(pair.n, 'video')} {first} are right in the first run, "
        f"{second} in the second, "
        f"{pair.only_first} only in the first, {pair.only_second} only in the second: "
        f"p = {bare_p_value(pair.adjusted_p)} (exact McNemar, Holm over models)."
    )


def _line(change: MetricChange) -> Line:
    scale, unit = (2**-20, "MiB") if change.unit == "bytes" else (1.0, change.unit)
    texts = (
        one_line(change.model),
        change.metric,
        unit,
        number(change.first * scale),
        number(change.second * scale),
        spread(change.ratio),
        f"{change.processes[0]} and {change.processes[1]}",
    )
    return texts, {
        "model": change.model,
        "metric": change.metric,
        "unit": change.unit,
        "first": change.first,
        "second": change.second,
        **values("ratio", change.ratio),
        "first_processes": change.processes[0],
        "second_processes": change.processes[1],
    }


def document(comparison: RunComparison) -> dict[str, Any]:
    """The comparison as the JSON object that docs/gate-statistics.md describes; unknown is None."""
    return {
        "schema": SCHEMA,
        "first": comparison.first,
        "second": comparison.second,
        "verdict": comparison.verdict,
        "reason": comparison.reason,
        "threshold": comparison.threshold,
        "machine_differences": list(comparison.machine),
        "differences": list(comparison.settings),
        "changes": list(changes_table(comparison).records),
        "accuracy": [{"model": model, **paired_counts(pair)} for model, pair in comparison.accuracy.items()],
        "notes": list(comparison.notes),
    }

"""How a scenario declares its record and the metrics that are computed from it.

Tables, CSV files, results.json and DataFrames are generated from these declarations alone, so one declaration
adds a metric everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

MetricValue = float | Sequence[float] | None

Over = Literal["median", "bare median", "first", "sum", "min", "max", "95 %"]
"""How the values of all processes are reduced to one figure.

- "median": the median over processes of each process's median, with its interval. "bare median": of all
  values, without an interval.
- "first": the first value, for a setting that is the same in all processes.
- "sum", "min", "max": of all values. "min" of booleans: whether all are true.
- "95 %": that percentile of all values; unknown where fewer than ten values lie beyond it.
"""

Shown = Literal["spread", "number", "two digits", "whole", "percent", "change", "ms", "ms spread", "MiB"]
"""How a figure is formatted in tables; files hold the raw value.

- "spread": three significant digits with the interval; "number", "two digits": without it; "whole": an
  integer, or "yes" or "no".
- "percent": a fraction in percent; "change": in percent with its sign and one decimal.
- "ms", "ms spread": seconds in milliseconds; "MiB": bytes in MiB.
"""

WAITING = "waiting"
"""Name of the metric that shows whether a model's figures are disturbed (`records/disturbance.py`)."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure of a scenario.

    - `name`: its key in results.json and its column in tables/*.csv.
    - `value`: from one record to its value, to several values (one for each answer, for example), or to None
      where it is unknown.
    - `over`: how the values of all processes are reduced to one figure.
    - `per`: from one record to the denominator of a rate. A process's figure is then the sum of the values
      divided by the sum of these, so that slow records count with their full time; unknown where a sum is 0
      or a value is unknown. Only with `over` "median".
    - `unit`: as in a heading, for example "s / video"; empty for counts and fractions.
    - `better`: whether "more" or "less" of it is better; None for a setting.
    - `per_process`: `value` and `per` get the `ProcessRecord`s, also those of processes that failed.
    - `title`: heading of a column of its own, after those of the scenario; None if one of those shows it, or
      if it is in the files only.
    - `shown`: how it is formatted in tables.
    - `column`: its column in tables/*.csv, where that differs from `name`.
    """

    name: str
    value: Callable[[Any], MetricValue]
    over: Over = "median"
    per: Callable[[Any], float | None] | None = None
    unit: str = ""
    better: Literal["less", "more"] | None = None
    per_process: bool = False
    title: str | None = None
    shown: Shown = "spread"
    column: str | None = None


@dataclass(frozen=True, slots=True)
class ShownColumn:
    """A column of a scenario's table.

    - `title`: its heading, with the unit.
    - `cell`: template of its text, with metrics by name in braces; `{name:number}` overrides the format
      that the metric declares (`Shown`).
    """

    title: str
    cell: str


def nothing_skipped(_: object) -> Mapping[str, str]:
    """Default of `ScenarioType.skipped`: the record lists no skipped clips."""
    return {}


def no_remarks(_: object) -> Iterable[str]:
    """Default of `ScenarioType.remarks`: the record needs no remark."""
    return ()


@dataclass(frozen=True, slots=True)
class ScenarioType:
    """A scenario's record and figures; how it is measured is in `bench/scenarios/`.

    - `name`: as in `--scenarios`, and of its file `<name>.jsonl`.
    - `title`: heading of its section in reports.
    - `record`: the dataclass of what a process measures. It has the fields `model` (its key), `process` (its
      number), `notes` (texts) and `kind` (any text but "process").
    - `metrics`: its figures, in the order of the files.
    - `columns`: of its table, after the model's name.
    - `notes`: texts below the table.
    - `asks`: what remains unknown if it was not measured, for the caveats; None if that needs no mention.
    - `beside`: names of metrics of the scenario "latency" that its table shows too, for comparison.
    - `skipped`: from a record to the clips that could not be used, id → reason.
    - `remarks`: from a record to sentences below the table that are not among its notes.
    """

    name: str
    title: str
    record: type
    metrics: tuple[Metric, ...]
    columns: tuple[ShownColumn, ...] = ()
    notes: tuple[str, ...] = ()
    asks: str | None = None
    beside: tuple[str, ...] = ()
    skipped: Callable[[Any], Mapping[str, str]] = nothing_skipped
    remarks: Callable[[Any], Iterable[str]] = no_remarks

    def metric(self, name: str) -> Metric:
        """The metric of this name. Raises StopIteration if there is none."""
        return next(metric for metric in self.metrics if metric.name == name)

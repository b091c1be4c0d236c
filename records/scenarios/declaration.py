"""How a scenario declares what it records and which figures are made of it.

Tables, CSV files, results.json and data frames are made from these declarations alone, so that a figure is
added by one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

MetricValue = float | Sequence[float] | None

Over = Literal["median", "bare median", "first", "sum", "min", "max", "95 %"]
"""How the values of all processes become one figure.

- "median": the median over processes of each process's median, with its interval. "bare median": of all
  values, without an interval.
- "first": a setting, the same in all of them.
- "sum", "min", "max": of all values. Of yes and no, "min" is whether all are.
- "95 %": that percentile of all values, unknown where fewer than ten lie beyond it.
"""

Shown = Literal["spread", "number", "two digits", "whole", "percent", "change", "ms", "ms spread", "MiB"]
"""How a figure is written for reading; its raw value is in the files.

- "spread": three digits and the interval; "number", "two digits": without it; "whole": a whole number, or
  yes and no.
- "percent": a share of 1; "change": a share with its sign and one decimal.
- "ms", "ms spread": seconds as milliseconds; "MiB": bytes.
"""

WAITING = "waiting"
"""Name of the metric that tells whether a model's figures are disturbed (`records/disturbance.py`)."""


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure of a scenario.

    - `name`: its key in results.json and its column in tables/*.csv.
    - `value`: from one record to its value, to several (of its answers, for one), or to None where unknown.
    - `per`: what a process's values are divided by, sum by sum: a rate that is kept up includes the slow
      records. Unknown where a sum is 0 or a record's value is unknown. Only of medians over processes.
    - `over`: how the values of all processes become one figure.
    - `unit`: in words, as in a heading; empty for what is counted or a share.
    - `better`: whether "more" or "less" of it is better; None for a setting.
    - `per_process`: `value` and `per` are given the `ProcessRecord`s, also of processes that failed.
    - `title`: heading of a column of its own, behind those of the scenario; None where one of those shows it,
      or where it is in the files only.
    - `shown`: how it is written for reading.
    - `column`: its column in tables/*.csv where that has another name.
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
    - `cell`: its text, with metrics by name in braces; `{name:number}` shows one otherwise than it declares.
    """

    title: str
    cell: str


def nothing_skipped(_: object) -> Mapping[str, str]:
    """Of a record that tells of no clip that was left out."""
    return {}


def no_remarks(_: object) -> Iterable[str]:
    """Of a record that needs none."""
    return ()


@dataclass(frozen=True, slots=True)
class ScenarioType:
    """A scenario, as far as its records tell.

    - `name`: as in `--scenarios`, and of its file `<name>.jsonl`. `title`: of its section in reports.
    - `asks`: what stays unknown where it was not measured, for the caveats; None where that needs no mention.
    - `record`: the dataclass of what a process measures. It has the fields `model` (its key), `process` (its
      number), `notes` (texts) and `kind`, anything but "process".
    - `metrics`: its figures, in the order of the files. `columns`: of its table, behind the model's name.
    - `notes`: below the table.
    - `beside`: figures of the scenario "latency" that stand in its table too, for comparison.
    - `skipped`: from a record to the clips that could not be used, id → reason.
    - `remarks`: from a record to what belongs beside its figures and is in no note.
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

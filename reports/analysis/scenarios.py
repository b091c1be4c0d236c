"""The figures of one model in a scenario, computed as its metrics are declared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from ...records.disturbance import is_disturbed
from ...records.scenarios.declaration import WAITING, Metric, Over, ScenarioType
from ..statistics.intervals import Estimate, percentile, process_median
from .load_runs import Timings

Figure = Estimate | float | None
"""An `Estimate` if the metric is a median over processes, else a number or a bool; None if unknown."""


@dataclass(frozen=True, slots=True)
class ScenarioSummary:
    """One model in one scenario.

    - `kind`: the scenario's declaration.
    - `processes`: number of processes that measured something.
    - `figures`: metric → figure; None if unknown.
    - `skipped`: (clip id, reason) of the clips that could not be used.
    - `notes`: remarks that belong beside the figures.
    - `errors`: (process, why it measured nothing).
    """

    kind: ScenarioType
    processes: int
    figures: Mapping[str, Figure]
    skipped: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    errors: tuple[tuple[int, str], ...]

    def estimate(self, metric: str) -> Estimate | None:
        """A metric that is a median over processes; None if unknown."""
        figure = self.figures[metric]
        assert figure is None or isinstance(figure, Estimate), f"{metric} is no median over processes"
        return figure

    def value(self, metric: str) -> float | None:
        """The value of any metric, without its interval; None if unknown."""
        return value_of(self.figures[metric])

    @property
    def waiting(self) -> float | None:
        """See `records.disturbance.waiting_ratio`; None if unknown, or if the scenario has no such metric."""
        return value_of(self.figures.get(WAITING))

    @property
    def disturbed(self) -> bool:
        """Whether other programs used the cores."""
        return is_disturbed(self.waiting)


def value_of(figure: Figure) -> float | None:
    """The value of a figure, without its interval; None if unknown."""
    return figure.value if isinstance(figure, Estimate) else figure


def summarise_scenario(kind: ScenarioType, timings: Timings) -> ScenarioSummary:
    """The figures of one model.

    - `kind`: the scenario's declaration.
    - `timings`: the model's records, those of failed processes included.
    """
    records, processes = timings.samples, timings.processes
    return ScenarioSummary(
        kind,
        len({r.process for r in records}),
        {
            metric.name: _figure(metric, processes if metric.per_process else records)
            for metric in kind.metrics
        },
        tuple(sorted({item for r in records for item in kind.skipped(r).items()})),
        tuple(sorted({note for r in records for note in (*r.notes, *kind.remarks(r))})),
        tuple((p.process, p.error) for p in processes if p.error is not None),
    )


def _figure(metric: Metric, records: Iterable[Any]) -> Figure:
    of_process: dict[int, list[Any]] = {}
    for record in records:
        of_process.setdefault(record.process, []).append(record)
    if metric.per is not None:
        rates = [_rate(metric, metric.per, group) for group in of_process.values()]
        return process_median([[rate] for rate in rates if rate is not None])
    by_process = [[v for r in group for v in _values(metric, r)] for group in of_process.values()]
    if metric.over == "median":
        return process_median(by_process)
    values = [value for group in by_process for value in group]
    return _REDUCED[metric.over](values) if values else None


def _values(metric: Metric, record: Any) -> Sequence[float]:
    value = metric.value(record)
    if value is None:
        return ()
    return value if isinstance(value, Sequence) else (value,)


def _rate(metric: Metric, per: Callable[[Any], float | None], records: Sequence[Any]) -> float | None:
    """The sum of the values divided by the sum of `per`."""
    amounts, works = [metric.value(r) for r in records], [per(r) for r in records]
    if None in amounts or None in works:
        return None
    amount, work = sum(cast(list[float], amounts)), sum(cast(list[float], works))
    return amount / work if amount > 0 and work > 0 else None


_REDUCED: Mapping[Over, Callable[[Sequence[float]], float | None]] = {
    "bare median": lambda values: float(np.median(values)),
    "first": lambda values: values[0],
    "sum": sum,
    "min": min,
    "max": max,
    "95 %": lambda values: percentile(values, 0.95),
}

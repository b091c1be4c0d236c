"""All derived figures of a report, computed once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...records.scenarios.registry import SCENARIOS, scenario_type
from ..statistics.intervals import Estimate
from .accuracy import Accuracy, Paired, accuracy, pairs
from .agreement import Agreement, agreement
from .load_runs import MergedRuns, ModelData
from .scenarios import ScenarioSummary, summarise_scenario
from .timing import Timing, timing


@dataclass(frozen=True, slots=True)
class GemmPeak:
    """Measured speed of a matrix product; `by`: the library that was fastest."""

    gflop_per_s: float
    by: str


@dataclass(frozen=True, slots=True)
class ModelSummary:
    """One row of the report: a model of a run, its accuracy and its times.

    - `scenarios`: by name, those that were measured, in the order of their sections.
    - `agreement`: with its float32 reference, None where there was none.
    """

    measured: ModelData
    accuracy: Accuracy
    timing: Timing
    scenarios: Mapping[str, ScenarioSummary] = field(default_factory=dict)
    agreement: Agreement | None = None

    def estimate(self, scenario: str, metric: str) -> Estimate | None:
        """A figure of a scenario; None where it was not measured."""
        found = self.scenarios.get(scenario)
        return None if found is None else found.estimate(metric)

    @property
    def name(self) -> str:
        return self.measured.name

    @property
    def details(self) -> dict[str, Any]:
        """What the network said about itself in the last process that could."""
        others = (p for timings in self.measured.scenarios.values() for p in timings.processes)
        told = [p.details for p in (*others, *self.measured.processes) if p.details]
        return told[-1] if told else {}

    @property
    def precision(self) -> str:
        """What was computed in, as the network told; else what was asked for."""
        return str(self.details.get("precision") or self.measured.model.precision)

    @property
    def gemm_peak(self) -> GemmPeak | None:
        """The machine's own matrix product with the model's device, threads and precision."""
        threads = self.details.get("threads")
        on_cpu = self.on_cpu
        for peak in self.measured.environment.get("gemm_peaks", ()):
            same = peak["precision"] == self.precision and peak["device"] == self.measured.model.device
            if same and (not on_cpu or peak["threads"] == threads):
                return GemmPeak(peak["gflop_per_s"], peak["by"])
        return None

    @property
    def parameters(self) -> int | None:
        recorded = self.measured.model.parameters
        return self.details.get("parameters") if recorded is None else recorded

    @property
    def device(self) -> str:
        """The device in words: as the network named it, else as it was asked for."""
        return str(self.details.get("device") or self.measured.model.device)

    @property
    def on_cpu(self) -> bool:
        return self.measured.model.device.lower() == "cpu"

    @property
    def setting(self) -> str:
        """What qualifies the figures, in a few words: weights, flow, device."""
        model = self.measured.model
        flow = "RGB only" if model.flow is None else f"flow {model.flow}"
        return f"{self.measured.weights_kind} weights, {flow}, {'CPU' if self.on_cpu else self.device}"


@dataclass(frozen=True, slots=True)
class Summary:
    """What tables, sentences and files are made from."""

    merged: MergedRuns
    models: tuple[ModelSummary, ...]
    pairs: tuple[Paired, ...]

    @property
    def target(self) -> str:
        return self.merged.target


def summarise(merged: MergedRuns) -> Summary:
    models = tuple(_summary(m, merged) for m in merged.models)
    return Summary(merged, models, pairs(merged))


def _summary(m: ModelData, merged: MergedRuns) -> ModelSummary:
    times = timing(m)
    scenarios = {
        name: times.latency
        if name == "latency"
        else summarise_scenario(scenario_type(name), m.scenarios[name])
        for name in SCENARIOS
        if (times.samples if name == "latency" else name in m.scenarios and m.scenarios[name].samples)
    }
    return ModelSummary(
        m,
        accuracy(m, merged.target),
        times,
        scenarios,
        agreement(m, merged.models, merged.target),
    )

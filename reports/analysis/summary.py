"""All figures of a report, computed once for every format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...licences import is_non_commercial
from ...records.scenarios.registry import SCENARIOS, scenario_type
from ...records.scenarios.stream_trials import StreamPeak, stream_peaks_of
from ..statistics.intervals import Estimate
from .accuracy import Accuracy, Paired, accuracy, pairs
from .agreement import Agreement, agreement
from .load_runs import MergedRuns, ModelData
from .scenarios import ScenarioSummary, summarise_scenario
from .timing import Timing, timing


@dataclass(frozen=True, slots=True)
class GemmPeak:
    """Measured speed of a matrix product (GEMM), and the fastest library."""

    gflop_per_s: float
    by: str


@dataclass(frozen=True, slots=True)
class ModelSummary:
    """One model of one run: a row of the report.

    - `measured`: the records. `accuracy`, `timing`: figures from them.
    - `scenarios`: name → figures, of the scenarios that were measured, in the order of their sections.
    - `agreement`: with its float32 reference; None if it was not compared.
    - `stream_peaks`: what the searches of `--find-peak` and `--streams` found.
    """

    measured: ModelData
    accuracy: Accuracy
    timing: Timing
    scenarios: Mapping[str, ScenarioSummary] = field(default_factory=dict)
    agreement: Agreement | None = None
    stream_peaks: tuple[StreamPeak, ...] = ()

    def estimate(self, scenario: str, metric: str) -> Estimate | None:
        """A metric of a scenario that is a median over processes; None if it was not measured."""
        found = self.scenarios.get(scenario)
        return None if found is None else found.estimate(metric)

    @property
    def name(self) -> str:
        """The model's name, unique in the report."""
        return self.measured.name

    @property
    def details(self) -> dict[str, Any]:
        """The network's description of itself (`Network.describe`) in the last process that reported one."""
        others = (p for timings in self.measured.scenarios.values() for p in timings.processes)
        reported = [p.details for p in (*others, *self.measured.processes) if p.details]
        return reported[-1] if reported else {}

    @property
    def precision(self) -> str:
        """The precision that was computed in, as the network reported it; else the requested one."""
        return str(self.details.get("precision") or self.measured.model.precision)

    @property
    def gemm_peak(self) -> GemmPeak | None:
        """Matrix product on the model's device, with its threads and precision; None if unknown."""
        threads = self.details.get("threads")
        on_cpu = self.on_cpu
        for peak in self.measured.environment.get("gemm_peaks", ()):
            same = peak["precision"] == self.precision and peak["device"] == self.measured.model.device
            if same and (not on_cpu or peak["threads"] == threads):
                return GemmPeak(peak["gflop_per_s"], peak["by"])
        return None

    @property
    def parameters(self) -> int | None:
        """Number of trainable parameters; None if unknown."""
        recorded = self.measured.model.parameters
        reported = self.details.get("parameters")
        return reported if recorded is None and type(reported) is int else recorded

    @property
    def device(self) -> str:
        """The device as the network reported it; else the requested one."""
        return str(self.details.get("device") or self.measured.model.device)

    @property
    def on_cpu(self) -> bool:
        """Whether the model was computed on the CPU."""
        return self.measured.model.device.lower() == "cpu"

    @property
    def setting(self) -> str:
        """The settings that qualify the figures: weights, flow, device."""
        model = self.measured.model
        weights = f"{self.measured.weights_kind} weights{' (non-commercial)' if self.non_commercial else ''}"
        return f"{weights}, {model.input}, {'CPU' if self.on_cpu else self.device}"

    @property
    def trained(self) -> bool:
        """Whether its weights were trained on real video: the accuracy of others says nothing about it."""
        return self.measured.weights_kind in ("user", "published")

    @property
    def non_commercial(self) -> tuple[str, ...]:
        """The licences of its weights that exclude commercial use, each once."""
        licences = (str(weights.get("licence") or "") for weights in self.measured.model.weights.values())
        return tuple(dict.fromkeys(licence for licence in licences if is_non_commercial(licence)))

    @property
    def mismatched(self) -> bool:
        """Whether its results do not match those of its reference, so that its times do not count."""
        return self.agreement is not None and self.agreement.verdict == "other"


@dataclass(frozen=True, slots=True)
class Summary:
    """All figures of a report: what tables, charts, sentences and files are made from.

    - `merged`: the runs, with the raw records.
    - `models`: the rows of the report, in the order of the runs.
    - `pairs`: pairwise comparisons of accuracy.
    """

    merged: MergedRuns
    models: tuple[ModelSummary, ...]
    pairs: tuple[Paired, ...]

    @property
    def target(self) -> str:
        """The target class."""
        return self.merged.target


def summarise(merged: MergedRuns) -> Summary:
    """Compute all figures of the runs."""
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
        stream_peaks_of(m.stream_trials),
    )

"""The result of a gate from its slots: the verdict, and the changes that explain it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...errors import MeasurementError, UsageError
from ...records.gate import ArmAccuracy, Gate, Slot
from ...records.gate_directory import GateDirectory
from ...records.metrics import DECLARED, TOTAL, unit
from ..statistics.intervals import Estimate, Interval, mcnemar_exact, median_interval
from ..statistics.sequential import Decision, Look, Rule, Verdict, decide, log_ratios


@dataclass(frozen=True, slots=True)
class Change:
    """One metric in both arms: medians over processes, and the median ratio over pairs.

    - `unit`: "s" or "bytes", of `base`, `candidate` and `difference`.
    - `base`, `candidate`: medians over the arm's processes.
    - `difference`: median over pairs of candidate − base.
    - `ratio`: median over pairs of candidate / base. For a primary metric with the interval of the verdict,
      else with a 95 % interval of its own; without an interval below 6 pairs.
    - `verdict`: of a primary metric; None for one that only explains.
    """

    model: str
    metric: str
    unit: str
    base: float
    candidate: float
    difference: float
    ratio: Estimate
    verdict: Verdict | None = None

    @property
    def name(self) -> str:
        """Model and metric, unique in a result."""
        return _name(self.model, self.metric)


@dataclass(frozen=True, slots=True)
class AccuracyChange:
    """Predictions of both arms on the same labelled clips.

    - `clips`: number of clips that both arms predicted.
    - `base_right`, `candidate_right`: numbers of correct predictions.
    - `only_base`, `only_candidate`: numbers of clips that only this arm predicted correctly.
    - `p`: p-value of the exact McNemar test, two-sided.
    """

    model: str
    clips: int
    base_right: int
    candidate_right: int
    only_base: int
    only_candidate: int
    p: float


@dataclass(frozen=True, slots=True)
class GateResult:
    """The result of a gate.

    - `pairs`: number of complete pairs.
    - `reason`: why the verdict was reached, as a sentence.
    - `next_pairs`: number of pairs at which the next verdict may be given; None at the end.
    - `changes`: all metrics of all models, primary ones first.
    - `control`: the control workload, which is the same in both arms.
    - `moved`: model → the stage with the largest share in the change of the total; absent if no stage was
      measured.
    - `accuracy`: one entry for each model; empty without `--accuracy`.
    """

    gate: Gate
    pairs: int
    verdict: Verdict
    reason: str
    next_pairs: int | None
    changes: tuple[Change, ...]
    control: Change
    moved: dict[str, Change]
    accuracy: tuple[AccuracyChange, ...]

    @property
    def primaries(self) -> tuple[Change, ...]:
        """The metrics that decide."""
        return tuple(change for change in self.changes if change.verdict is not None)

    def explanation(self, model: str) -> str | None:
        """A sentence on which stage of `model` changed most; None if no stage was measured."""
        stage = self.moved.get(model)
        if stage is None:
            return None
        total = next(c for c in self.changes if c.model == model and c.metric == TOTAL)
        return (
            f"{model}: {stage.metric} changed most, by {stage.difference:+.3g} s per video "
            f"(total: {total.difference:+.3g} s)"
        )


def load_gate(directory: GateDirectory) -> GateResult:
    """The result of a gate as recorded so far. Raises MeasurementError if no pair is complete."""
    gate = directory.gate
    config = gate.config
    rule = Rule(config["threshold"], config["pairs"], config["max_pairs"])
    return judge(gate, directory.slots(), directory.accuracies(), config["primary"], rule)


def judge(
    gate: Gate, slots: Sequence[Slot], accuracies: Sequence[ArmAccuracy], primary: Sequence[str], rule: Rule
) -> GateResult:
    """Decide on the complete pairs of a gate.

    - `slots`: all recorded slots; those without their partner are ignored.
    - `accuracies`: of both arms, or empty.
    - `primary`: names of the metrics that decide, each for every model that has it.
    - `rule`: when a verdict is given.

    Raises MeasurementError if no pair is complete, or if a slot has no value of a primary metric;
    UsageError if a primary metric was measured in no slot.
    """
    base = {slot.pair: slot for slot in slots if slot.arm == "base"}
    candidate = {slot.pair: slot for slot in slots if slot.arm == "candidate"}
    pairs = [(base[number], candidate[number]) for number in sorted(base.keys() & candidate.keys())]
    if not pairs:
        raise MeasurementError("the gate has measured nothing: no pair is complete")
    measured = {key: series for key, series in _series(pairs).items() if _positive(series)}
    deciding = _deciding(pairs, primary)
    for key in deciding:
        if key not in measured:
            raise MeasurementError(
                f"'{key[1]}' of {key[0]} does not have a positive, finite value in every slot of both arms",
                remedy="Choose a --primary metric that every slot measures.",
            )
    ratios = {key: log_ratios(*series) for key, series in measured.items()}
    control = [s.control_s for s, _ in pairs], [s.control_s for _, s in pairs]
    decision = decide({_name(*key): ratios[key] for key in deciding}, rule, log_ratios(*control))
    changes = [_primary(key, measured[key], decision) for key in deciding]
    changes += [_explaining(key, series) for key, series in measured.items() if key not in deciding]
    return GateResult(
        gate,
        len(pairs),
        decision.verdict,
        decision.reason,
        decision.next_pairs,
        tuple(changes),
        _explaining(("control", TOTAL), control),
        _moved(changes),
        tuple(_accuracy_changes(accuracies)),
    )


Key = tuple[str, str]
Series = tuple[list[float], list[float]]


def _series(pairs: Sequence[tuple[Slot, Slot]]) -> dict[Key, Series]:
    """(model, metric) → values of base and candidate, one for each pair; only metrics that every slot has."""
    first = pairs[0][0].values
    keys = [(model, metric) for model, metrics in first.items() for metric in metrics]
    return {
        (model, metric): (
            [a.values[model][metric] for a, _ in pairs],
            [b.values[model][metric] for _, b in pairs],
        )
        for model, metric in keys
        if all(metric in slot.values.get(model, {}) for pair in pairs for slot in pair)
    }


def _positive(series: Series) -> bool:
    return all(0 < value < math.inf for arm in series for value in arm)


def _deciding(pairs: Sequence[tuple[Slot, Slot]], primary: Sequence[str]) -> list[Key]:
    """The primary metrics of every model that has them. Raises UsageError for one that no model has."""
    found = dict.fromkeys(
        (model, metric)
        for pair in pairs
        for slot in pair
        for model, values in slot.values.items()
        for metric in values
    )
    for metric in primary:
        if not any(metric == name for _, name in found):
            known = sorted({name for _, name in found})
            raise UsageError(
                f"'{metric}' was measured in no slot", where="--primary", expected=", ".join(known)
            )
    return [(model, metric) for wanted in primary for model, metric in found if metric == wanted]


def _name(model: str, metric: str) -> str:
    return f"{model}: {metric}"


def _primary(key: Key, series: Series, decision: Decision) -> Change:
    look = decision.looks[_name(*key)]
    return _change(key, series, _estimate(look), look.verdict)


def _estimate(look: Look) -> Estimate:
    if look.low is None or look.high is None:
        return Estimate(look.ratio, None, look.pairs)
    return Estimate(
        look.ratio, Interval(look.low, look.high, "interval of the verdict, over all looks"), look.pairs
    )


def _explaining(key: Key, series: Series) -> Change:
    ratios = log_ratios(*series)
    interval = median_interval(ratios)
    if interval is not None:
        interval = Interval(math.exp(interval.low), math.exp(interval.high), interval.method)
    return _change(key, series, Estimate(math.exp(float(np.median(ratios))), interval, len(ratios)), None)


def _change(key: Key, series: Series, ratio: Estimate, verdict: Verdict | None) -> Change:
    base, candidate = map(np.asarray, series)
    model, metric = key
    return Change(
        model,
        metric,
        unit(metric),
        float(np.median(base)),
        float(np.median(candidate)),
        float(np.median(candidate - base)),
        ratio,
        verdict,
    )


def _moved(changes: Sequence[Change]) -> dict[str, Change]:
    """Model → the stage with the largest difference in the direction that the total went."""
    moved = {}
    for total in changes:
        if total.metric != TOTAL:
            continue
        direction = math.copysign(1, total.difference)
        stages = [c for c in changes if c.model == total.model and c.metric not in DECLARED]
        if stages:
            moved[total.model] = max(stages, key=lambda stage: direction * stage.difference)
    return moved


def _accuracy_changes(accuracies: Sequence[ArmAccuracy]) -> list[AccuracyChange]:
    by_arm = {accuracy.arm: accuracy.right for accuracy in accuracies}
    if by_arm.keys() != {"base", "candidate"}:
        return []
    changes = []
    for model in by_arm["base"].keys() & by_arm["candidate"].keys():
        base, candidate = by_arm["base"][model], by_arm["candidate"][model]
        clips = sorted(base.keys() & candidate.keys())
        only_base = sum(base[clip] and not candidate[clip] for clip in clips)
        only_candidate = sum(candidate[clip] and not base[clip] for clip in clips)
        changes.append(
            AccuracyChange(
                model,
                len(clips),
                sum(base[clip] for clip in clips),
                sum(candidate[clip] for clip in clips),
                only_base,
                only_candidate,
                mcnemar_exact(only_base, only_candidate),
            )
        )
    return sorted(changes, key=lambda change: change.model)

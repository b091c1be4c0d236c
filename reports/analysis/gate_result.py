"""From a gate's slots to its verdict, and to what explains it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...errors import MeasurementError, UsageError
from ...records.gate import ArmAccuracy, Gate, Slot
from ...records.gate_directory import GateDirectory
from ...records.metrics import NO_STAGES, TOTAL, unit
from ..statistics.intervals import Estimate, Interval, mcnemar_exact, median_interval
from ..statistics.sequential import Decision, Look, Rule, Verdict, decide, log_ratios


@dataclass(frozen=True, slots=True)
class Change:
    """One metric in both arms: medians over processes, and the median ratio over pairs.

    - `unit`: "s" or "bytes". `ratio`: candidate / base with its interval, None below 6 pairs; for a primary
      metric that of the verdict, else 95 % on its own.
    - `verdict`: of a primary metric; None for one that only explains.
    - `difference`: median over pairs of candidate − base, in `unit`.
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
        return f"{self.model}: {self.metric}"


@dataclass(frozen=True, slots=True)
class AccuracyChange:
    """Predictions of both arms on the same labelled clips. `p`: exact McNemar."""

    model: str
    clips: int
    base_right: int
    candidate_right: int
    only_base: int
    only_candidate: int
    p: float


@dataclass(frozen=True, slots=True)
class GateResult:
    """What a gate found.

    - `reason`: the verdict in a sentence. `next_pairs`: measure until there are so many; None at the end.
    - `changes`: primaries first. `control`: the unchanged workload, in seconds.
    - `moved`: model → the stage that the total's change came from most; absent where no stage was told.
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
        return tuple(change for change in self.changes if change.verdict is not None)

    def explanation(self, model: str) -> str | None:
        """Which stage of `model` moved most, in words; None where no stage was told."""
        stage = self.moved.get(model)
        if stage is None:
            return None
        total = next(c for c in self.changes if c.model == model and c.metric == TOTAL)
        return (
            f"{model}: {stage.metric} moved most, by {stage.difference:+.3g} s a video, "
            f"of {total.difference:+.3g} s in all"
        )


def load_gate(path: GateDirectory) -> GateResult:
    """The result of a gate's directory, as far as it has come. Raises MeasurementError if it has no pair."""
    gate = path.gate
    config = gate.config
    rule = Rule(config["threshold"], config["pairs"], config["max_pairs"])
    return judge(gate, path.slots(), path.accuracies(), config["primary"], rule)


def judge(
    gate: Gate, slots: Sequence[Slot], accuracies: Sequence[ArmAccuracy], primary: Sequence[str], rule: Rule
) -> GateResult:
    """The verdict on the complete pairs of `slots`, each of the `primary` metrics of each model deciding.

    Raises MeasurementError if there is no pair, or an arm gave no value of a primary metric; UsageError if a
    primary metric is none that was measured.
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
                f"'{key[1]}' of {key[0]} has no positive, finite figure in every slot of both arms",
                remedy="Only what every slot measures can decide.",
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
    """(model, metric) → values of base and candidate, one a pair; of those that every slot has."""
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
        look.ratio, Interval(look.low, look.high, "that of the verdict, over all looks"), look.pairs
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
        stages = [c for c in changes if c.model == total.model and c.metric not in NO_STAGES]
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

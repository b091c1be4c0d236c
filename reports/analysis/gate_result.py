"""The result of a gate from its slots: the verdict, and the changes that explain it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import MeasurementError, UsageError
from ...records.gate import ArmAccuracy, Gate, PairInTurns, Slot
from ...records.gate_directory import GATE, GateDirectory
from ...records.metrics import CPU, DECLARED, TOTAL, unit
from ...typed_values import typed_fields
from ..statistics.gate_pairs import Key, Pair, Values, pairs_of
from ..statistics.intervals import Estimate, Interval, mcnemar_exact, median_interval
from ..statistics.sequential import Decision, Look, Rule, Verdict, decide, look


@dataclass(frozen=True, slots=True)
class Change:
    """One metric in both arms: medians over processes, and the median ratio over pairs.

    - `unit`: "s" or "bytes", of `base`, `candidate` and `difference`.
    - `base`, `candidate`: medians over the arm's processes.
    - `difference`: median over pairs of candidate − base.
    - `ratio`: median over pairs of the pair's ratio (`gate_pairs.Values`). For a primary metric with the
      interval of the verdict, else with a 95 % interval of its own; without an interval below 6 pairs.
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
class CpuTime:
    """A second look at one model: its CPU time, judged by the rule of the gate. It decides nothing.

    - `cpu`: the change of its CPU time, with the verdict that this would give.
    - `wall`: the change of its total wall time, with its verdict.
    """

    cpu: Change
    wall: Change

    @property
    def disagrees(self) -> bool:
        """Whether one of the two is a regression and the other is not slower."""
        verdicts = {self.cpu.verdict, self.wall.verdict}
        return "regression" in verdicts and bool(verdicts & {"fine", "improvement"})

    @property
    def decides_alone(self) -> bool:
        """Whether it would give a verdict where wall time gives none."""
        return self.wall.verdict == "inconclusive" != self.cpu.verdict


@dataclass(frozen=True, slots=True)
class GateResult:
    """The result of a gate.

    - `pairs`: number of complete pairs. `in_turns`: of them, those whose processes took turns.
    - `turns`: median over these of the number of turns of each process; None without one.
    - `reason`: why the verdict was reached, as a sentence.
    - `next_pairs`: number of pairs at which the next verdict may be given; None at the end.
    - `changes`: all metrics of all models, primary ones first.
    - `control`: the control workload, which is the same in both arms.
    - `moved`: model → the stage with the largest share in the change of the total; absent if no stage was
      measured.
    - `accuracy`: one entry for each model; empty without `--accuracy`.
    - `cpu`: one entry for each model whose CPU time was measured.
    """

    gate: Gate
    pairs: int
    in_turns: int
    turns: float | None
    verdict: Verdict
    reason: str
    next_pairs: int | None
    changes: tuple[Change, ...]
    control: Change
    moved: dict[str, Change]
    accuracy: tuple[AccuracyChange, ...]
    cpu: tuple[CpuTime, ...] = ()

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
    """The result of a gate as recorded so far.

    Raises MeasurementError if no pair is complete, UsageError if a record is damaged.
    """
    gate = directory.gate
    how = _deciding_settings(gate.config, directory.path / GATE)
    in_turns = directory.pairs_in_turns()
    if not directory.complete_pairs:
        raise MeasurementError("has measured nothing: no pair is complete", where=directory.path)
    try:
        return judge(gate, directory.slots(), directory.accuracies(), how.primary, how.rule, in_turns)
    except (MeasurementError, UsageError) as error:
        if error.where is None:  # which only the directory says
            raise type(error)(
                error.what,
                where=directory.path,
                expected=error.expected,
                found=error.found,
                remedy=error.remedy,
            ) from error
        raise


@dataclass(frozen=True, slots=True)
class _Deciding:
    """What decides of the settings of a gate. Raises UsageError for numbers that make no sense."""

    primary: tuple[str, ...]
    threshold: float
    pairs: int
    max_pairs: int

    @property
    def rule(self) -> Rule:
        return Rule(self.threshold, self.pairs, self.max_pairs)


def _deciding_settings(config: Mapping[str, Any], path: Path) -> _Deciding:
    try:
        how = typed_fields(_Deciding, config)
        _ = how.rule
    except (ValueError, UsageError) as error:
        raise UsageError(f"damaged: config: {error}", where=path) from error
    return how


def judge(
    gate: Gate,
    slots: Sequence[Slot],
    accuracies: Sequence[ArmAccuracy],
    primary: Sequence[str],
    rule: Rule,
    in_turns: Sequence[PairInTurns] = (),
) -> GateResult:
    """Decide on the complete pairs of a gate.

    - `slots`: all recorded slots; those without their partner are ignored.
    - `accuracies`: of both arms, or empty.
    - `primary`: names of the metrics that decide, each for every model that has it.
    - `rule`: when a verdict is given.
    - `in_turns`: the pairs whose processes took turns.

    Raises MeasurementError if no pair is complete, or if a slot has no value of a primary metric;
    UsageError if a primary metric was measured in no slot.
    """
    pairs = pairs_of(slots, in_turns)
    if not pairs:
        raise MeasurementError("the gate has measured nothing: no pair is complete")
    measured = _measured(pairs)
    deciding = _deciding(pairs, primary)
    for key in deciding:
        if key not in measured:
            raise MeasurementError(
                "does not have a positive, finite value in every slot of both arms",
                where=f"'{key[1]}' of {key[0]}",
                remedy="Choose a --primary metric that every slot measures.",
            )
    control = [pair.control for pair in pairs]
    ratios = {key: _log_ratios(values) for key, values in measured.items()}
    decision = decide({_name(*key): ratios[key] for key in deciding}, rule, _log_ratios(control))
    changes = [_primary(key, measured[key], decision) for key in deciding]
    changes += [_explaining(key, values) for key, values in measured.items() if key not in deciding]
    turns = [pair.turns for pair in pairs if pair.turns is not None]
    return GateResult(
        gate,
        len(pairs),
        len(turns),
        float(np.median(turns)) if turns else None,
        decision.verdict,
        decision.reason + _out_of_time(gate, len(pairs), rule),
        decision.next_pairs,
        tuple(changes),
        _explaining(("control", TOTAL), control),
        _moved(changes),
        tuple(_accuracy_changes(accuracies)),
        tuple(_cpu_times(changes, measured, rule)),
    )


def _out_of_time(gate: Gate, pairs: int, rule: Rule) -> str:
    """What is to be added to the reason of a gate whose time was over; else empty."""
    if gate.state != "out of time":
        return ""
    return f"; its time was over (--max-minutes) after {pairs} pairs, of {rule.max_pairs} at most"


def _measured(pairs: Sequence[Pair]) -> dict[Key, list[Values]]:
    """(model, metric) → its values, one for each pair; only metrics that have a ratio in every pair."""
    return {
        key: [pair.metrics[key] for pair in pairs]
        for key in pairs[0].metrics
        if all(key in pair.metrics and pair.metrics[key].log_ratio is not None for pair in pairs)
    }


def _log_ratios(values: Sequence[Values]) -> list[float]:
    """The log ratio of each pair. Raises MeasurementError if one has none: the control took no time."""
    ratios = [value.log_ratio for value in values]
    if any(ratio is None for ratio in ratios):
        raise MeasurementError(
            "no ratio can be formed", where="the control workload", expected="positive, finite values"
        )
    return [ratio for ratio in ratios if ratio is not None]


def _deciding(pairs: Sequence[Pair], primary: Sequence[str]) -> list[Key]:
    """The primary metrics of every model that has them. Raises UsageError for one that no model has."""
    found = dict.fromkeys(key for pair in pairs for key in pair.named)
    for metric in primary:
        if not any(metric == name for _, name in found):
            known = sorted({name for _, name in found})
            raise UsageError(
                f"'{metric}' was measured in no slot", where="--primary", expected=", ".join(known)
            )
    return [(model, metric) for wanted in primary for model, metric in found if metric == wanted]


def _name(model: str, metric: str) -> str:
    return f"{model}: {metric}"


def _primary(key: Key, values: Sequence[Values], decision: Decision) -> Change:
    return _judged(key, values, decision.looks[_name(*key)])


def _judged(key: Key, values: Sequence[Values], found: Look) -> Change:
    interval = None
    if found.low is not None and found.high is not None:
        interval = Interval(found.low, found.high, "interval of the verdict, over all looks")
    return _change(key, values, Estimate(found.ratio, interval, found.pairs), found.verdict)


def _explaining(key: Key, values: Sequence[Values]) -> Change:
    ratios = _log_ratios(values)
    interval = median_interval(ratios)
    if interval is not None:
        interval = Interval(math.exp(interval.low), math.exp(interval.high), interval.method)
    return _change(key, values, Estimate(math.exp(float(np.median(ratios))), interval, len(ratios)), None)


def _change(key: Key, values: Sequence[Values], ratio: Estimate, verdict: Verdict | None) -> Change:
    base, candidate = (np.asarray([getattr(value, arm) for value in values]) for arm in ("base", "candidate"))
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


def _cpu_times(changes: Sequence[Change], measured: dict[Key, list[Values]], rule: Rule) -> Iterator[CpuTime]:
    """The second look at every model that has a CPU time, and no primary metric that is it."""
    for cpu in changes:
        if cpu.metric != CPU or cpu.verdict is not None:
            continue
        keys = (cpu.model, CPU), (cpu.model, TOTAL)
        seen, wall = (_judged(key, measured[key], look(_log_ratios(measured[key]), rule)) for key in keys)
        decided = (c for c in changes if (c.model, c.metric) == keys[1] and c.verdict is not None)
        yield CpuTime(seen, next(decided, wall))


def _moved(changes: Sequence[Change]) -> dict[str, Change]:
    """Model → the stage with the largest difference in the direction that the total went."""
    moved = {}
    for total in changes:
        if total.metric != TOTAL:
            continue
        direction = math.copysign(1, total.difference)
        stages = [c for c in changes if c.model == total.model and c.metric not in {CPU, *DECLARED}]
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

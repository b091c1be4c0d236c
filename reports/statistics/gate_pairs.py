"""From the records of a gate's pairs to one value of each arm and one log ratio a pair, of every metric."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...records.gate import InTurns, PairInTurns, Slot, Turn
from .sequential import log_ratios

Key = tuple[str, str]
"""Model and metric."""

PRECISION = 1 / 3
"""A pair ends when the standard error of its figure is below this part of the threshold. That depends on how
far apart its turns are, not on which arm is faster, so it favours no verdict."""

FEWEST_ROUNDS = 4
"""Of turns in a pair; a round is a turn of each arm. Even, so that each arm is as often first."""


@dataclass(frozen=True, slots=True)
class Values:
    """One metric in one pair.

    - `base`, `candidate`: the value of each process; of turns, their median.
    - `log_ratio`: log(candidate / base); of turns, the median over those next to each other in time. None
      where a value is not above 0 or not finite.
    """

    base: float
    candidate: float
    log_ratio: float | None


@dataclass(frozen=True, slots=True)
class Pair:
    """A pair that both arms were measured in.

    - `metrics`: those that were measured in both arms, and in every turn.
    - `named`: those that were measured in any.
    - `control`: the control workload in both arms' time.
    - `turns`: number of turns of each arm; None if each arm had one slot.
    """

    metrics: Mapping[Key, Values]
    named: tuple[Key, ...]
    control: Values
    turns: int | None = None


def pairs_of(slots: Sequence[Slot], in_turns: Sequence[PairInTurns]) -> list[Pair]:
    """All complete pairs; slots without their partner are left out."""
    base = {slot.pair: slot for slot in slots if slot.arm == "base"}
    candidate = {slot.pair: slot for slot in slots if slot.arm == "candidate"}
    complete = sorted(base.keys() & candidate.keys())
    return [
        *(_of_slots(base[number], candidate[number]) for number in complete),
        *map(_of_turns, in_turns),
    ]


def _of_slots(base: Slot, candidate: Slot) -> Pair:
    metrics = {
        (model, metric): _values([value], [candidate.values[model][metric]])
        for model, values in base.values.items()
        for metric, value in values.items()
        if metric in candidate.values.get(model, {})
    }
    named = (
        (model, metric)
        for slot in (base, candidate)
        for model in slot.values
        for metric in slot.values[model]
    )
    return Pair(metrics, tuple(named), _values([base.control_s], [candidate.control_s]))


def log_ratios_of_turns(turns: Sequence[Turn], metric: str) -> list[float]:
    """log(candidate / base) of every two adjacent turns; empty if a turn has no value above 0."""
    base, candidate = (
        [turn.values.get(metric, 0.0) for turn in turns if turn.arm == arm] for arm in ("base", "candidate")
    )
    return log_ratios(base, candidate) if all(value > 0 for value in (*base, *candidate)) else []


def standard_error(ratios: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Standard error of the median along the last axis, by the median absolute deviation.

    That is the formula for a normal distribution, σ √(π / 2n), with σ ≈ 1.4826 MAD, which outliers do not
    move. It does not depend on where the ratios lie, only on how far apart.
    """
    values = np.asarray(ratios, dtype=np.float64)
    deviations = np.abs(values - np.median(values, axis=-1, keepdims=True))
    sigma = 1.4826 * np.median(deviations, axis=-1)
    return np.asarray(sigma * math.sqrt(math.pi / 2 / values.shape[-1]))


def _of_turns(pair: PairInTurns) -> Pair:
    metrics: dict[Key, Values] = {}
    named: list[Key] = []
    control: tuple[list[float], list[float]] = [], []
    turns = []
    for model, measured in pair.models.items():
        base, candidate = _arms(measured)
        turns.append(len(base))
        every = (*(turn.values for turn in measured.turns), *measured.once.values())
        named += [(model, metric) for values in every for metric in values]
        for metric in base[0].values:
            if all(metric in turn.values for turn in measured.turns):
                series = [[turn.values[metric] for turn in arm] for arm in (base, candidate)]
                metrics[model, metric] = _values(*series)
        for metric in measured.once["base"].keys() & measured.once["candidate"].keys():
            metrics[model, metric] = _values(*([measured.once[arm][metric]] for arm in ("base", "candidate")))
        control[0].extend(turn.control_s for turn in base)
        control[1].extend(turn.control_s for turn in candidate)
    return Pair(metrics, tuple(dict.fromkeys(named)), _values(*control), min(turns))


def _arms(measured: InTurns) -> tuple[list[Turn], list[Turn]]:
    """The turns of the base and of the candidate; those at the same place were next to each other in time."""
    base, candidate = ([turn for turn in measured.turns if turn.arm == arm] for arm in ("base", "candidate"))
    return base, candidate


def _values(base: Sequence[float], candidate: Sequence[float]) -> Values:
    usable = all(0 < value < math.inf for value in (*base, *candidate))
    ratio = float(np.median(log_ratios(base, candidate))) if usable else None
    return Values(float(np.median(base)), float(np.median(candidate)), ratio)

"""The verdict on paired times: a group-sequential test that assumes no distribution.

A *pair* is a base process and a candidate process run one after the other; its value is the logarithm of
candidate / base. The interval of the median of these log ratios goes from the r-th smallest to the r-th
largest. It inverts a sign test: it lies wholly above a boundary if and only if at most r − 1 values do not.
If the true median is the boundary, the number of values above it is a random walk with steps of 0 and 1, each
of probability ½, whatever the distribution of times. So the probability that *any* of several looks gives a
wrong verdict is computed exactly, and r is chosen at every look to keep it within the error that may be spent
so far.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from typing import Literal

import numpy as np
import numpy.typing as npt

from ...errors import MeasurementError, UsageError
from .intervals import ALPHA, median_interval

Verdict = Literal["regression", "improvement", "fine", "inconclusive"]

FEWEST_PAIRS = 6
"""Below it no distribution-free 95 % interval of a median exists: 2 · ½⁶ = 3.1 %, 2 · ½⁵ = 6.3 %."""

MOST_PAIRS = 1000
"""More would take days to measure; the numbers of a look are computed from those of all before it."""

STEP = 2
"""Pairs between looks: base–candidate and candidate–base, so that both orders are equally frequent at a look,
and a slot that is always faster favours neither arm."""


@dataclass(frozen=True, slots=True)
class Rule:
    """The parameters of the test, fixed before anything is measured.

    - `threshold`: the change that matters, as a fraction > 0: 0.05 is a ratio of 1.05, or of 1 / 1.05.
    - `pairs`, `max_pairs`: numbers of pairs at the first look and at the last.
    - `level`: the probability, over all looks together, that an interval does not contain the true median,
      half of it on each side. So a change of exactly the threshold is called a regression with a probability
      of at most `level` / 2.

    Raises UsageError if a value is out of range, or if no look could give a verdict.
    """

    threshold: float = 0.05
    pairs: int = 10
    max_pairs: int = 30
    level: float = ALPHA

    def __post_init__(self) -> None:
        if not 0 < self.threshold < math.inf:
            raise UsageError("must be above 0", where="--threshold", found=self.threshold)
        if self.pairs < FEWEST_PAIRS:
            raise UsageError(
                "too few pairs for any verdict",
                where="--pairs",
                expected=f"at least {FEWEST_PAIRS}",
                found=self.pairs,
            )
        if self.max_pairs < self.pairs:
            raise UsageError(
                "is below the number of pairs at the first verdict",
                where="--max-pairs",
                expected=f"at least {self.pairs}, the value of --pairs",
                found=self.max_pairs,
            )
        if self.max_pairs > MOST_PAIRS:
            raise UsageError(
                "is more than a gate can be meant to measure",
                where="--max-pairs",
                expected=f"at most {MOST_PAIRS}",
                found=self.max_pairs,
            )
        if not 0 < self.level < 1:
            raise UsageError("the level must lie between 0 and 1", found=self.level)
        if not self.looks():
            raise UsageError(
                f"{self.max_pairs} pairs allow no verdict at a level of {self.level:.3g}, even if all agree",
                remedy="Allow more pairs, or test fewer metrics.",
            )

    @property
    def margin(self) -> float:
        """The threshold as a log ratio."""
        return math.log1p(self.threshold)

    def looks(self) -> tuple[int, ...]:
        """Numbers of pairs at which a verdict may be given; the last is `max_pairs`."""
        return tuple(pairs for pairs, depth in _depths(self).items() if depth)

    def depth(self, pairs: int) -> int:
        """r at this look: the interval goes from the r-th smallest to the r-th largest; 0 between looks."""
        return _depths(self).get(pairs, 0)

    def next_look(self, pairs: int) -> int | None:
        """The first look with more than `pairs` pairs; None after the last."""
        return next((look for look in self.looks() if look > pairs), None)

    def shared_by(self, metrics: int) -> Rule:
        """The rule for each of several metrics that share this rule's level (Bonferroni)."""
        return replace(self, level=self.level / metrics)


@lru_cache(maxsize=256)
def _depths(rule: Rule) -> dict[int, int]:
    """Look → r of the narrowest interval whose error probability so far is within what may be spent.

    Spending: Lan and DeMets, Biometrika 70 (1983) 659–663, doi:10.1093/biomet/70.3.659, in the form that
    resembles Pocock's boundaries, a(t) = α · ln(1 + (e − 1) t): 45 % of α after a third of the pairs, because
    most slowdowns that matter show in the first pairs. What one look does not use, later looks may.
    """
    looks = sorted({*range(rule.pairs, rule.max_pairs, STEP), rule.max_pairs})
    # walk[k]: probability of k values above the boundary with no crossing so far; exact up to 52 pairs.
    walk: npt.NDArray[np.float64] = np.ones(1)
    spent, seen = 0.0, 0
    depths = {}
    for pairs in looks:
        for _ in range(pairs - seen):
            walk = (np.append(walk, 0.0) + np.append(0.0, walk)) / 2
        seen = pairs
        share = 1.0 if pairs == rule.max_pairs else math.log1p((math.e - 1) * pairs / rule.max_pairs)
        depth = 0
        # One deeper would be crossed by pairs − depth values above the boundary, or more.
        while spent + walk[pairs - depth :].sum() <= rule.level / 2 * share:
            depth += 1
        spent += walk[pairs - depth + 1 :].sum()
        walk[pairs - depth + 1 :] = 0.0
        depths[pairs] = depth
    return depths


@dataclass(frozen=True, slots=True)
class Look:
    """The state of one metric after a number of pairs.

    - `pairs`: this number.
    - `ratio`: exp of the median log ratio: 1.08 is 8 % slower.
    - `low`, `high`: interval of that ratio. At a look it has the rule's level over all looks; between looks
      it has that level for this number of pairs alone and decides nothing. None with too few pairs.
    - `verdict`: "regression" if the whole interval is above 1 + threshold, "improvement" if it is below
      1 / (1 + threshold), "fine" if it is below 1 + threshold: no slowdown that matters. Else "inconclusive".
    - `next_pairs`: number of pairs of the next look; None if this look gave a verdict or was the last.
    """

    pairs: int
    ratio: float
    low: float | None
    high: float | None
    verdict: Verdict
    next_pairs: int | None


def look(log_ratios: Sequence[float], rule: Rule) -> Look:
    """Judge the pairs of one metric; between looks the verdict is "inconclusive".

    - `log_ratios`: log(candidate / base) of each pair, in any order.
    - `rule`: the rule fixed beforehand; with more pairs than its `max_pairs` there is no look.

    Raises MeasurementError if there is no pair, or a ratio is not finite.
    """
    ordered = np.sort(np.asarray(log_ratios, dtype=np.float64))
    if not len(ordered):
        raise MeasurementError("no pair was measured")
    if not np.isfinite(ordered).all():
        raise MeasurementError(
            "a log ratio is not finite", found=[x for x in log_ratios if not math.isfinite(x)]
        )
    pairs = len(ordered)
    ratio = math.exp(float(np.median(ordered)))
    depth = rule.depth(pairs)
    if not depth:
        alone = median_interval(ordered.tolist(), 1 - rule.level)
        low, high = (None, None) if alone is None else (math.exp(alone.low), math.exp(alone.high))
        return Look(pairs, ratio, low, high, "inconclusive", rule.next_look(pairs))
    bottom, top = float(ordered[depth - 1]), float(ordered[-depth])
    verdict = verdict_of(bottom, top, rule)
    following = rule.next_look(pairs) if verdict == "inconclusive" else None
    return Look(pairs, ratio, math.exp(bottom), math.exp(top), verdict, following)


def verdict_of(bottom: float, top: float, rule: Rule) -> Verdict:
    """The verdict from an interval of the log ratio. An end on a boundary is not beyond it."""
    if bottom > rule.margin:
        return "regression"
    if top < -rule.margin:
        return "improvement"
    if top < rule.margin:
        return "fine"
    return "inconclusive"


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict over all primary metrics.

    - `reason`: a sentence on why.
    - `looks`: metric → its state at the level at which its verdict was given.
    - `control`: the state of the control workload; None without one.
    - `next_pairs`: number of pairs at which to decide again; None at the end.
    """

    verdict: Verdict
    reason: str
    looks: dict[str, Look] = field(default_factory=dict)
    control: Look | None = None
    next_pairs: int | None = None


def decide(
    primaries: Mapping[str, Sequence[float]], rule: Rule, control: Sequence[float] | None = None
) -> Decision:
    """The verdict from the log ratios of the primary metrics.

    - `primaries`: metric → log ratios, equally many for each.
    - `rule`: fixed beforehand.
    - `control`: log ratios of the control workload; None without one.

    How the metrics are combined:

    - "regression" if any primary regressed, "fine" only if every one is, "improvement" if every one is fine
      and any of them improved.
    - Several: regressions and improvements are claims about *some* metric, so they go through Holm's
      procedure (Scand. J. Statist. 6 (1979) 65–70): the first of m is tested at level / m, the next at
      level / (m − 1), each with the looks of its own level (Maurer and Bretz, Stat. Biopharm. Res. 5 (2013)
      311–320). That *every* one is fine needs no correction: it is wrong only if a single one of them is.
    - No verdict if the control workload, which is the same in both arms, changed: its interval does not
      contain 1 and reaches beyond the threshold. Then the machine treated the arms differently by a relevant
      amount.

    Raises UsageError without a primary metric, or if there are too many for this rule; MeasurementError as
    `look` does.
    """
    pairs = {name: len(values) for name, values in primaries.items()}
    if len(set(pairs.values())) > 1:
        raise MeasurementError(
            "the primary metrics have different numbers of pairs",
            found=", ".join(f"{name}: {count}" for name, count in pairs.items()),
        )
    steady = None if control is None else look(control, rule)
    decision = decide_by({name: partial(look, values) for name, values in primaries.items()}, rule)
    if steady is not None and _moved(steady, rule):
        reason = (
            f"the control workload, the same in both arms, took {_factor(steady)} times as long with the "
            "candidate: other programs disturbed the machine"
        )
        open_looks = {
            name: replace(found, verdict="inconclusive", next_pairs=rule.next_look(found.pairs))
            for name, found in decision.looks.items()
        }
        decision = Decision("inconclusive", reason, open_looks)
    following = rule.next_look(next(iter(pairs.values()))) if decision.verdict == "inconclusive" else None
    return replace(decision, control=steady, next_pairs=following)


def decide_by(primaries: Mapping[str, Callable[[Rule], Look]], rule: Rule) -> Decision:
    """The verdict from functions that judge each primary metric by a given rule; see `decide`.

    - `primaries`: metric → from a rule to its `Look`.
    - `rule`: fixed beforehand.

    Raises UsageError without a primary metric, or if there are too many for this rule.
    """
    if not primaries:
        raise UsageError("no primary metric to decide on")
    claimed = _holm(primaries, rule)
    # A change that holds at the shared level is claimed; one that holds only at the full level is not.
    looks = {
        name: claimed[name] if name in claimed else _not_claimed(look_at(rule), rule)
        for name, look_at in primaries.items()
    }
    verdict, reason = _verdict(looks, rule)
    return Decision(verdict, reason, looks)


def _holm(primaries: Mapping[str, Callable[[Rule], Look]], rule: Rule) -> dict[str, Look]:
    """The metrics whose change is significant by Holm's procedure → their looks at that level."""
    claimed: dict[str, Look] = {}
    while len(claimed) < len(primaries):
        shared = rule.shared_by(len(primaries) - len(claimed))
        found = {name: look_at(shared) for name, look_at in primaries.items() if name not in claimed}
        changed = {name: it for name, it in found.items() if it.verdict in ("regression", "improvement")}
        if not changed:
            break
        claimed |= changed
    return claimed


def _not_claimed(found: Look, rule: Rule) -> Look:
    """A look whose change is not significant among several: faster becomes fine, slower inconclusive."""
    if found.verdict == "improvement":
        return replace(found, verdict="fine")
    if found.verdict == "regression":
        return replace(found, verdict="inconclusive", next_pairs=rule.next_look(found.pairs))
    return found


def _verdict(looks: Mapping[str, Look], rule: Rule) -> tuple[Verdict, str]:
    named: dict[Verdict, list[str]] = {}
    for name, found in looks.items():
        named.setdefault(found.verdict, []).append(f"{name} {_factor(found)}")
    limit = f"{100 * rule.threshold:g} %"
    if "regression" in named:
        return "regression", f"slower by more than {limit}: {', '.join(named['regression'])}"
    if "inconclusive" in named:
        return "inconclusive", f"not decided: {', '.join(named['inconclusive'])}"
    if "improvement" in named:
        return "improvement", f"faster by more than {limit}: {', '.join(named['improvement'])}"
    return "fine", f"not slower by more than {limit}: {', '.join(named['fine'])}"


def _moved(control: Look, rule: Rule) -> bool:
    if control.low is None or control.high is None:
        return False
    slower = control.low > 1 and control.high > 1 + rule.threshold
    faster = control.high < 1 and control.low < 1 / (1 + rule.threshold)
    return slower or faster


def _factor(found: Look) -> str:
    interval = "" if found.low is None else f" [{found.low:.3f}–{found.high:.3f}]"
    return f"{found.ratio:.3f}{interval}"


def log_ratios(base: Sequence[float], candidate: Sequence[float]) -> list[float]:
    """log(candidate / base) of each pair.

    `base`, `candidate`: positive, finite values (seconds or bytes), equally many.

    Raises MeasurementError for other values: a time of 0 was not measured.
    """
    if len(base) != len(candidate):
        raise MeasurementError(
            "the arms have different numbers of values", expected=len(base), found=len(candidate)
        )
    for value in (*base, *candidate):
        if not 0 < value < math.inf:
            raise MeasurementError("no ratio can be formed", expected="positive, finite values", found=value)
    return [math.log(c / b) for b, c in zip(base, candidate, strict=True)]

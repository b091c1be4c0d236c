"""When paired times allow a verdict: a group-sequential test that assumes no distribution.

A *pair* is a base process and a candidate process run one after the other; what counts is the logarithm of
candidate / base. The median of these log ratios gets the interval from the r-th smallest to the r-th largest.
That interval inverts a sign test: it lies wholly above a boundary exactly if at most r − 1 values do not. If
the true median is the boundary, the number of values above it is a random walk with steps of 0 and 1, each of
probability ½, whatever the distribution of times. So the chance that *any* of several looks misleads is
computed exactly, and r is chosen at every look to keep it within what may be spent until then.
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

STEP = 2
"""Pairs between looks: base–candidate and candidate–base, so that either order has come equally often at a
look, and a slot that is always faster favours nobody."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What is decided before anything is measured.

    - `threshold`: the change that matters, as a share: 0.05 is a ratio of 1.05, or of 1 / 1.05 downwards.
    - `pairs`, `max_pairs`: pairs at the first look and at the last.
    - `level`: the chance, over all looks together, that an interval does not hold the true median: half of it
      on each side. So a change of exactly the threshold is called a regression with at most `level` / 2.

    Raises UsageError if the numbers make no sense, or if no look could give a verdict.
    """

    threshold: float = 0.05
    pairs: int = 10
    max_pairs: int = 30
    level: float = ALPHA

    def __post_init__(self) -> None:
        if not 0 < self.threshold < math.inf:
            raise UsageError("must be a share above 0", where="--threshold", found=self.threshold)
        if self.pairs < FEWEST_PAIRS:
            raise UsageError(
                "too few pairs for any verdict",
                where="--pairs",
                expected=f"{FEWEST_PAIRS} at least",
                found=self.pairs,
            )
        if self.max_pairs < self.pairs:
            raise UsageError(
                "is fewer than the pairs before the first verdict",
                where="--max-pairs",
                expected=f"{self.pairs} at least, as --pairs says",
                found=self.max_pairs,
            )
        if not 0 < self.level < 1:
            raise UsageError("the level must lie between 0 and 1", found=self.level)
        if not self.looks():
            raise UsageError(
                f"{self.max_pairs} pairs that all agree are no verdict at a level of {self.level:.3g}",
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
        """The rule for each of several metrics that share this one's level (Bonferroni)."""
        return replace(self, level=self.level / metrics)


@lru_cache(maxsize=256)
def _depths(rule: Rule) -> dict[int, int]:
    """Look → r, the deepest interval whose chance of having lain above the median so far may be spent.

    Spending: Lan and DeMets, Biometrika 70 (1983) 659–663, doi:10.1093/biomet/70.3.659, in the form that
    resembles Pocock's boundaries, a(t) = α · ln(1 + (e − 1) t): 45 % of what there is by a third of the way,
    because most slowdowns that matter show in the first pairs. What a look leaves, the next ones may spend.
    """
    looks = sorted({*range(rule.pairs, rule.max_pairs, STEP), rule.max_pairs})
    # walk[k]: chance of k values above the boundary, no look having crossed it; exact to 52 pairs.
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
    """What is known about one metric after so many pairs.

    - `ratio`: exp of the median log ratio: 1.08 is 8 % slower.
    - `low`, `high`: interval of that ratio: at a look at the rule's level over all looks; between looks at
      that level for this number of pairs alone, which decides nothing; None with fewer pairs than it needs.
    - `verdict`: "regression" if the whole interval is above 1 + threshold, "improvement" if it is below
      1 / (1 + threshold), "fine" if it is below 1 + threshold: no slowdown that matters. Else "inconclusive".
    - `next_pairs`: where the next verdict may be given; None if this one is one, or if there is no more look.
    """

    pairs: int
    ratio: float
    low: float | None
    high: float | None
    verdict: Verdict
    next_pairs: int | None


def look(log_ratios: Sequence[float], rule: Rule) -> Look:
    """What these pairs say, in whichever order they were run. Between looks it is "inconclusive".

    With more pairs than the rule's most there is no look either: which rule to use is decided beforehand.

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
    """What an interval of the log ratio says. An end on the boundary is not beyond it."""
    if bottom > rule.margin:
        return "regression"
    if top < -rule.margin:
        return "improvement"
    if top < rule.margin:
        return "fine"
    return "inconclusive"


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict over all primary metrics, and why in a sentence.

    - `looks`: metric → what is known of it at the level that its verdict was given at.
    - `control`: the same of the unchanged control workload; None without one.
    - `next_pairs`: measure until there are so many pairs, then decide again; None if this is the end.
    """

    verdict: Verdict
    reason: str
    looks: dict[str, Look] = field(default_factory=dict)
    control: Look | None = None
    next_pairs: int | None = None


def decide(
    primaries: Mapping[str, Sequence[float]], rule: Rule, control: Sequence[float] | None = None
) -> Decision:
    """The verdict from the log ratios of the metrics that were declared primary, equally many of each.

    - "regression" if any primary regressed, "fine" only if every one is, "improvement" if every one is fine
      and any of them improved.
    - Several: regressions and improvements are claims about *some* metric, so they go through Holm's
      procedure (Scand. J. Statist. 6 (1979) 65–70): the first of m is tested at level / m, the next at
      level / (m − 1), each with the looks of its own level (Maurer and Bretz, Stat. Biopharm. Res. 5 (2013)
      311–320). That *every* one is fine needs no correction: it is wrong only if a single one of them is.
    - No verdict if the control workload, the same in both arms, was not: its interval does not hold 1 and
      reaches beyond the threshold. Then the machine treated the arms differently, by what would matter.

    Raises UsageError without a primary or if so many cannot be decided by this rule, MeasurementError as
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
            "candidate: something else disturbed the machine"
        )
        open_looks = {
            name: replace(found, verdict="inconclusive", next_pairs=rule.next_look(found.pairs))
            for name, found in decision.looks.items()
        }
        decision = Decision("inconclusive", reason, open_looks)
    following = rule.next_look(next(iter(pairs.values()))) if decision.verdict == "inconclusive" else None
    return replace(decision, control=steady, next_pairs=following)


def decide_by(primaries: Mapping[str, Callable[[Rule], Look]], rule: Rule) -> Decision:
    """The verdict from what is known of each primary metric at any rule's level; see `decide`.

    Raises UsageError without a primary, or if so many cannot be decided by this rule.
    """
    if not primaries:
        raise UsageError("no primary metric to decide on")
    claimed = _holm(primaries, rule)
    # A change that holds at the shared level is claimed; one that holds only at its own is not yet.
    looks = {
        name: claimed[name] if name in claimed else _not_claimed(look_at(rule), rule)
        for name, look_at in primaries.items()
    }
    verdict, reason = _verdict(looks, rule)
    return Decision(verdict, reason, looks)


def _holm(primaries: Mapping[str, Callable[[Rule], Look]], rule: Rule) -> dict[str, Look]:
    """The metrics whose change holds for all of them together → their looks at the level it holds at."""
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
    """A metric's look where its change does not hold among several: faster is still fine, slower is open."""
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
    """log(candidate / base) of each pair: positive, finite figures (seconds, bytes), equally many of each.

    Raises MeasurementError otherwise: a time of 0 is one that was not measured.
    """
    if len(base) != len(candidate):
        raise MeasurementError("arms of different length", expected=len(base), found=len(candidate))
    for value in (*base, *candidate):
        if not 0 < value < math.inf:
            raise MeasurementError("no ratio can be formed", expected="positive, finite figures", found=value)
    return [math.log(c / b) for b, c in zip(base, candidate, strict=True)]

"""The report's verdict in at most four sentences: plain text for the report and the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..records.scenarios.latency import PREPROCESSING
from ..records.scenarios.registry import scenario_type
from ..records.scenarios.stream import RATES
from .analysis.accuracy import Paired, same_answers
from .analysis.deployment import Answer, Pace, pace
from .analysis.scenarios import value_of
from .analysis.summary import ModelSummary, Summary
from .numbers import counted, few, number, one_line, p_value, percent, share
from .statistics.intervals import ALPHA, Estimate

MOST_RESERVATIONS = 3
"""Number of reservations in the verdict, the most serious first; the others are among the caveats."""

_STAGES = {
    "decode": "decoding",
    "people": "finding the main person",
    "resize": "resizing",
    "flow": "optical flow",
}

_UNTRAINED = {"demo", "random"}


def verdict(summary: Summary) -> list[str]:
    """Which models keep up with a camera, which is fastest, whether accuracy differs, and the reservations.

    At most one sentence each, however many models there are; the tables show every model, pair and point of a
    sweep. The times of a model that does not match its float32 reference are left out.
    """
    disagreeing = _disagreements(summary.models)
    counted = [m for m in summary.models if m.name not in disagreeing]
    found = [_deployable(counted), _fastest(counted), _accuracy(summary)]
    if gravest := reservations(summary)[:MOST_RESERVATIONS]:
        found.append(f"But {'; '.join(gravest)}.")
    return [sentence for sentence in found if sentence is not None]


def _disagreements(models: Sequence[ModelSummary]) -> dict[str, str]:
    """The models whose results do not match their reference: name → the reference's key."""
    return {m.name: found.reference for m in models if m.mismatched and (found := m.agreement) is not None}


def _deployable(models: Sequence[ModelSummary]) -> str | None:
    """Which models keep up with a camera at which rate; None if nothing was timed."""
    answers = {m.name: _camera(m) for m in models}
    known = [m for m in models if answers[m.name]]
    if not known:
        timed = any(m.scenarios for m in models)
        return "Whether a model keeps up with a camera was not measured." if timed else None
    kept: dict[float, list[str]] = {}
    in_median, unable = [], []
    for m in known:
        rates = {answer: rate for rate, answer in answers[m.name]}  # answer → its highest rate
        if "yes" in rates:
            kept.setdefault(rates["yes"], []).append(m.name)
        elif "not always" in rates:
            in_median.append(m.name)
        else:
            unable.append(m.name)
    if not kept and not in_median:
        return _none_keeps_up(known, {answers[m.name][0][0] for m in known})
    groups = [(names, rate, "") for rate, names in sorted(kept.items(), reverse=True)]
    if in_median:
        groups.append((in_median, RATES[0], " in the median, though not in all processes"))
    (names, rate, how), *others = groups
    verb = "keeps" if len(names) == 1 else "keep"
    clauses = [f"{few(names)} {verb} up with a camera at {rate:g} frames per second{how}"]
    clauses += [f"{few(names)} at {rate:g}{how}" for names, rate, how in others]
    if unable:
        clauses.append(f"{few(unable)} {'does' if len(unable) == 1 else 'do'} not")
    if unknown := [m.name for m in models if not answers[m.name] and m.measured.model.state != "failed"]:
        clauses.append(f"for {few(unknown)} this is unknown")
    return f"With preprocessing counted, {'; '.join(clauses)}."


def _camera(m: ModelSummary) -> Sequence[tuple[float, Answer]]:
    """(Camera's frames per second, whether the model keeps up), lowest rate first; empty if unknown.

    From the latency scenario; where that was not measured, from the scenario "stream", else "pipelined".
    """
    stream = m.scenarios.get("stream")
    if not pace(m).known and stream is not None:
        fps = value_of(stream.figures["fps"])
        assert fps is not None, "each of its records has one"
        keeps = stream.figures["keeps_up"]  # None: no label was due
        return () if keeps is None else [(fps, "yes" if keeps else "no")]
    sustained = _sustained(m)
    return sustained.answers() if sustained.known else ()


def _sustained(m: ModelSummary) -> Pace:
    """The pace of preprocessing and network together, one video at a time."""
    alone = pace(m)
    if alone.known:
        return alone
    return Pace(m.estimate("pipelined", "video_s_per_s"), m.estimate("pipelined", "frames_per_s"))


def _none_keeps_up(models: Sequence[ModelSummary], rates: set[float]) -> str:
    """`rates`: for each model the lowest rate that it was judged at."""
    subject = "no model keeps" if len(models) > 1 else f"{one_line(models[0].name)} does not keep"
    at = f"{min(rates):g} frames per second" if len(rates) == 1 else "any rate that was tried"
    sentence = f"With preprocessing counted, {subject} up with a camera at {at}"
    sustained = [(m, found) for m in models if (found := _sustained(m)).known]
    if not sustained:
        return sentence + "."
    nearest, found = max(sustained, key=lambda item: item[1].share_of(RATES[0]))
    subject = one_line(nearest.name) if len(models) > 1 else "it"
    if found.frames_per_s is not None:
        sentence += f": {subject} sustains {number(found.frames_per_s.value)}"
    else:
        sentence += f": {subject} has a real-time factor of {number(found.share_of(RATES[0]))}"
    shares = {name: stage.share for name, stage in nearest.timing.stages if name in PREPROCESSING}
    slowest = max(shares, key=shares.__getitem__, default=None)
    if slowest is not None and shares[slowest] >= 0.5:
        sentence += f", with {percent(shares[slowest])} of the time spent on {_STAGES[slowest]}"
    return sentence + "."


_SPEEDS = (
    ("latency", "prediction_s_per_video", "predicts a video in {} s"),
    ("pipelined", "answer_s_per_video", "predicts a video in {} s with overlapping stages"),
    ("throughput", "videos_per_s", "predicts {} videos per second, several at once"),
    ("stream", "age_s", "labels a camera's frames {} s after their arrival"),
)
"""What models are ranked by, the first that was measured: scenario, metric, wording."""


def _fastest(models: Sequence[ModelSummary]) -> str:
    for scenario, metric, wording in _SPEEDS:
        known = [(m, found) for m in models if (found := m.estimate(scenario, metric)) is not None]
        if known:
            more = scenario_type(scenario).metric(metric).better == "more"
            known.sort(key=lambda item: item[1].value, reverse=more)
            return _ranking(known, wording) + _with_preprocessing([m for m, _ in known]) + "."
    return "No time was measured."


def _ranking(ranked: Sequence[tuple[ModelSummary, Estimate]], wording: str) -> str:
    """The first model compared with the others."""
    (best, value), *others = ranked
    sentence = f"{one_line(best.name)} {wording.format(number(value.value))}"
    if not others:
        return sentence
    if tied := [m.name for m, other in others if not _apart(value, other)]:
        return f"{sentence}, not clearly faster than {few(tied)}"
    second, other = others[0]
    ratio = number(max(value.value, other.value) / min(value.value, other.value))
    next_best = "" if len(others) == 1 else "the next, "
    alone = " (one process each, so no range)" if None in (value.interval, other.interval) else ""
    return f"{sentence}, {ratio} times as fast as {next_best}{one_line(second.name)}{alone}"


def _apart(a: Estimate, b: Estimate) -> bool:
    """Whether the two intervals do not overlap; true if one estimate has no interval."""
    if a.interval is None or b.interval is None:
        return True
    return a.interval.high < b.interval.low or b.interval.high < a.interval.low


def _with_preprocessing(ranked: Sequence[ModelSummary]) -> str:
    """Which model takes the least time with preprocessing included."""
    totals = {
        m.name: total.value
        for m in ranked
        if (total := m.timing.estimate("total_s_per_video")) is not None and not m.timing.preprocessed
    }
    if not totals:
        return ""
    first = min(totals, key=totals.__getitem__)
    seconds = f"{number(totals[first])} s"
    if len(ranked) == 1:
        return f", and in {seconds} with preprocessing"
    if first == ranked[0].name:
        return f"; with preprocessing it also takes the least time, {seconds}"
    return f"; with preprocessing {one_line(first)} takes the least time, {seconds}"


def _accuracy(summary: Summary) -> str:
    """Whether accuracy differs significantly between models whose weights were trained on real video."""
    kinds = {m.measured.weights_kind for m in summary.models}
    scored = [m for m in summary.models if m.accuracy.top1 and m.measured.weights_kind not in _UNTRAINED]
    if not scored:
        if "demo" in kinds:
            return "Accuracy has no meaning for real video: demo weights were used."
        return "Accuracy was not measured" + (": the weights are random." if kinds == {"random"} else ".")
    top1 = {m.name: m.accuracy.top1 for m in scored if m.accuracy.top1}
    # Backends of one network with identical predictions count once.
    groups = same_answers([m.measured for m in scored])
    names = {group[0].name: _alike([m.name for m in group]) for group in groups}
    if len(names) == 1:
        ((first, name),) = names.items()
        return f"Top-1 accuracy of {name}: {share(top1[first])} of {counted(top1[first].n, 'video')}."
    tests = [p for p in summary.pairs if p.label is None and p.first in names and p.second in names]
    best = max(names, key=lambda name: top1[name].value)
    if not tests:
        figure = f"{share(top1[best])}, of {names[best]}"
        return f"The highest top-1 accuracy is {figure}; no two models predicted the same videos."
    return _tested(tests, names, best, {name: share(top1[name]) for name in names})


def _alike(names: Sequence[str]) -> str:
    """Backends of one network with identical predictions, named together."""
    first, *others = map(one_line, names)
    if not others:
        return first
    backends = "backend" if len(others) == 1 else "backends"
    return f"{first} (and {len(others)} more {backends} with the same predictions)"


def _tested(tests: Sequence[Paired], names: Mapping[str, str], best: str, top1: Mapping[str, str]) -> str:
    """What the paired tests show.

    - `names`: model → how it is named. `best`: the model with the highest accuracy.
    - `top1`: model → its accuracy as text.
    """
    fewest, most = min(p.n for p in tests), max(p.n for p in tests)
    on = f"on {counted(fewest, 'video')}" if fewest == most else f"on {fewest} to {most} videos"
    shown = [p for p in tests if p.adjusted_p <= ALPHA]
    if not shown:
        least = p_value(min(p.adjusted_p for p in tests))
        if len(names) == 2:
            both = " and ".join(f"{name} ({top1[key]})" for key, name in names.items())
            return f"No significant difference in top-1 accuracy between {both}: {least} {on}."
        return (
            f"No significant difference in top-1 accuracy between any two of {len(names)} networks (smallest "
            f"{least} {on}); the highest is {top1[best]}, of {names[best]}."
        )
    beaten = {p.second if p.first == best else p.first: p for p in shown if best in (p.first, p.second)}
    if not beaten:
        pair = min(shown, key=lambda p: p.adjusted_p)
        others = len(shown) - 1
        more = f", and that of {others} other pair{'' if others == 1 else 's'}" if others else ""
        return (
            f"The highest top-1 accuracy is {top1[best]}, of {names[best]}, not significantly different from "
            f"any other; the difference between {names[pair.first]} and {names[pair.second]} is significant "
            f"({p_value(pair.adjusted_p)} {on}){more}."
        )
    largest_p = p_value(max(p.adjusted_p for p in beaten.values()))
    against = f" against {top1[next(iter(beaten))]}" if len(beaten) == 1 else ""
    sentence = f"{names[best]} is more accurate than {few([names[name] for name in beaten])}"
    sentence += f" (top-1 {top1[best]}{against}; {'' if len(beaten) == 1 else 'largest '}{largest_p} {on})"
    if rest := [names[name] for name in names if name != best and name not in beaten]:
        sentence += f"; no significant difference from {few(rest)}"
    return sentence + "."


def reservations(summary: Summary) -> list[str]:
    """Reasons to doubt the figures, the most serious first; each is part of a sentence."""
    found = []
    if failed := [m.name for m in summary.models if m.measured.model.state == "failed"]:
        found.append(f"{few(failed)} failed and {_has(failed)} no complete result")
    references_of = _disagreements(summary.models)
    if names := list(references_of):
        verb, whose = ("DOES NOT MATCH", "its") if len(names) == 1 else ("DO NOT MATCH", "their")
        references = few(list(dict.fromkeys(references_of.values())))
        found.append(f"{few(names)} {verb} {references}, so {whose} times do not count")
    states = {d.name: d.run.state for d in summary.merged.runs}
    # A run in which a model failed is "incomplete"; that is reported above.
    if unfinished := [
        n for n, state in states.items() if state not in ("done", "incomplete" if failed else "")
    ]:
        found.append(f"not all that was planned has been measured ({few(unfinished)})")
    if disturbed := [m.name for m in summary.models if _disturbed(m)]:
        found.append(
            f"other programs used the cores while {few(disturbed)} ran, so those times are not comparable"
        )
    untrained = [m.name for m in summary.models if m.measured.weights_kind in _UNTRAINED]
    if untrained and len(untrained) < len(summary.models):
        found.append(f"{few(untrained)} {_has(untrained)} demo or random weights, so no known accuracy")
    timed = [m.measured.latencies for m in summary.models if m.measured.latencies]
    if len({frozenset(sample.clip for sample in samples) for samples in timed}) > 1:
        found.append("not all models were timed on the same videos")
    return found


def _has(names: Sequence[str]) -> str:
    return "has" if len(names) == 1 else "have"


def _disturbed(m: ModelSummary) -> bool:
    return any(scenario.disturbed for scenario in m.scenarios.values())

"""What the figures say, in sentences: plain text, for the report and the terminal alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .formats import number, one_line, p_value, percent, share
from .scores import DEMO_WEIGHTS, RANDOM_WEIGHTS
from .statistics import ALPHA, LEVEL, Estimate
from .summary import ModelSummary, Summary
from .timing import PREPROCESSING

FEW_VIDEOS = 30
"""Below this many videos of the target a 95 % interval of 70 % is wider than 30 points."""


def verdict(summary: Summary) -> list[str]:
    """Which is faster and by how much, at which accuracy, and whether anything keeps up with the video."""
    return [
        *_failures(summary),
        *_disagreements(summary.models),
        *_speed(summary.models),
        *_disturbed(summary.models),
        *_real_time(summary.models),
        *_scenarios(summary.models),
        *_accuracy(summary),
    ]


def _failures(summary: Summary) -> list[str]:
    sentences = [
        f"{one_line(m.name)} failed and has no complete result."
        for m in summary.models
        if m.measured.model.state == "failed"
    ]
    unfinished = [d.name for d in summary.comparison.runs if d.run.state != "done"]
    if unfinished:
        sentences.append(f"Not all that was planned has been measured ({_listed(unfinished)}).")
    return sentences


def _disagreements(models: Sequence[ModelSummary]) -> list[str]:
    return [
        f"{one_line(m.name)} IS ANOTHER NETWORK than {one_line(found.reference)}: it differs by more than "
        "rounding explains, and its times do not count."
        for m in models
        if (found := m.agreement) is not None and found.verdict == "other"
    ]


def _speed(models: Sequence[ModelSummary]) -> list[str]:
    timed = [(m, t) for m in models if (t := m.timing.prediction_per_video) is not None]
    if not timed:
        scenarios = any(m.pipelined or m.throughput or m.stream for m in models)
        return [] if scenarios else ["No time was measured."]
    timed.sort(key=lambda item: item[1].value)
    (fastest, best), *others = timed
    if not others:
        return [f"{one_line(fastest.name)} takes {number(best.value)} s to predict a video."]
    if any(m.measured.model.sweep for m, _ in timed):  # a pair a sentence would be a table
        return [
            f"Of the points of the sweep {one_line(fastest.name)} predicts a video in the least time, "
            f"{number(best.value)} s."
        ]
    sentences = []
    for other, time in others:
        faster = f"{one_line(fastest.name)} predicts a video {_times(best, time)}{one_line(other.name)}"
        single = "; one process each, so without a range" if None in (best.interval, time.interval) else ""
        times = f"{number(best.value)} against {number(time.value)} s{_whole(fastest, other)}{single}"
        sentences.append(f"{faster} ({times}).")
    if len({frozenset(r.clip for r in m.measured.latencies) for m, _ in timed}) > 1:
        sentences.append("They were not all timed on the same videos.")
    return sentences


def _disturbed(models: Sequence[ModelSummary]) -> list[str]:
    named = [
        one_line(m.name)
        for m in models
        if any(t is not None and t.disturbed for t in (m.timing, m.pipelined, m.throughput, m.stream))
    ]
    if not named:
        return []
    return [f"Something else was computing while {_listed(named)} ran: these times are too long to compare."]


def _times(best: Estimate, other: Estimate) -> str:
    ratio = number(other.value / best.value)
    if best.interval is None or other.interval is None or best.interval.high < other.interval.low:
        return f"{ratio} times as fast as "
    return "no clearly faster than "


def _whole(fastest: ModelSummary, other: ModelSummary) -> str:
    mine, theirs = fastest.timing.total_per_video, other.timing.total_per_video
    if mine is None or theirs is None:
        return ""
    return f"; with preprocessing {number(mine.value)} against {number(theirs.value)} s"


def _real_time(models: Sequence[ModelSummary]) -> list[str]:
    """A model keeps up if its slowest process (or the lower end of the interval) does."""
    known = [(m, f) for m in models if (f := m.timing.factor) is not None]
    if not known:
        return []
    able = [(m, f) for m, f in known if (f.interval.low if f.interval else f.value) >= 1]
    if able:
        named = _listed(f"{one_line(m.name)} ({number(f.value)} s of video per second)" for m, f in able)
        keep = "keep" if len(able) > 1 else "keeps"
        unable = [one_line(m.name) for m, f in known if (m, f) not in able]
        others = f"; {_listed(unable)} {'do' if len(unable) > 1 else 'does'} not" if unable else ""
        return [f"With preprocessing counted, {named} {keep} up with the video{others}."]
    nearest, factor = max(known, key=lambda item: item[1].value)
    if factor.value >= 1:
        return [
            f"With preprocessing counted, {one_line(nearest.name)} keeps up with the video in the median "
            f"({number(factor.value)} s of video per second), but not in all of its processes."
        ]
    subject = "No model keeps" if len(known) > 1 else f"{one_line(nearest.name)} does not keep"
    sentence = f"{subject} up with the video once preprocessing is counted"
    sentence += f": {one_line(nearest.name)} works through {number(factor.value)} s of video per second"
    shares = dict(nearest.timing.stages)
    slowest = max((s for s in PREPROCESSING if s in shares), key=lambda s: shares[s].share, default=None)
    if slowest is not None and shares[slowest].share >= 0.5:
        sentence += f", {percent(shares[slowest].share)} of the time going into {_work(slowest)}"
    return [sentence + "."]


def _scenarios(models: Sequence[ModelSummary]) -> Iterable[str]:
    models = [m for m in models if not m.measured.model.sweep]  # a point a sentence would be a table
    for m in models:
        if (t := m.pipelined) is not None and t.answer is not None:
            seconds = number(t.answer.value)
            yield f"With its stages overlapping, {one_line(m.name)} answers one video in {seconds} s."
    for m in models:
        if (t := m.throughput) is not None and t.videos_per_s is not None:
            busy = "" if t.busy is None else f" ({percent(t.busy.value)} of the cores busy)"
            yield (
                f"With {t.in_flight} videos at once on {t.lanes} thread{'' if t.lanes == 1 else 's'}, "
                f"{one_line(m.name)} does "
                f"{number(t.videos_per_s.value)} videos a second{busy}."
            )
    for m in models:
        if (s := m.stream) is not None:
            camera = f"a camera at {number(s.fps)} frames a second, with a label every {s.stride} frames"
            if s.keeps_up:
                age = "" if s.age is None else f"; a label is {number(s.age.value)} s old when it comes"
                yield f"{one_line(m.name)} keeps up with {camera}{age}."
            else:
                answered = f"{percent(s.answered)} of the labels due"
                yield f"{one_line(m.name)} does not keep up with {camera}: it answers {answered}."


def _work(stage: str) -> str:
    return {"decode": "decoding", "resize": "resizing", "flow": "optical flow"}[stage]


def _accuracy(summary: Summary) -> list[str]:
    measured = [(m, top1) for m in summary.models if (top1 := m.accuracy.top1) is not None]
    if not measured:
        random = all(m.measured.weights_kind == "random" for m in summary.models)
        return ["Accuracy was not measured" + (": the weights are random." if random else ".")]
    figures = _listed(f"{one_line(m.name)} {share(top1)}" for m, top1 in measured)
    n = _listed(str(n) for n in sorted({top1.n for _, top1 in measured}))
    sentences = [f"Top-1 accuracy with its {percent(LEVEL)} interval: {figures}, of {n} videos."]
    if any(m.measured.weights_kind == "demo" for m, _ in measured):
        return [*sentences, "Demo weights were in use, so that accuracy means nothing beyond this test."]
    for pair in summary.pairs:
        if pair.label is None:
            names = f"{one_line(pair.first)} and {one_line(pair.second)}"
            test = f"({p_value(pair.adjusted_p)} on {pair.n} videos)"
            if pair.adjusted_p > ALPHA:
                sentences.append(f"A difference in accuracy between {names} is not shown {test}.")
            else:
                sentences.append(f"{names} differ in accuracy {test}.")
    return sentences


def caveats(summary: Summary) -> list[str]:
    """What the figures do not say."""
    kinds = {m.measured.weights_kind for m in summary.models}
    notes = weights_notes(summary)
    target = one_line(summary.target)
    videos = [m.accuracy.target.videos for m in summary.models if m.accuracy.target.recall is not None]
    if videos and min(videos) < FEW_VIDEOS:
        n = min(videos)
        notes.append(
            f"{n} video{'' if n == 1 else 's'} of {target} say little: the intervals are wide. Read them "
            "beside the accuracy over all videos, and compare models by the paired test."
        )
    elif not videos and kinds != {"random"}:
        notes.append(f"No video of {target} was answered: nothing is known about that class.")
    counts = {m.accuracy.top1.n for m in summary.models if m.accuracy.top1 is not None}
    if len(counts) > 1:
        notes.append(
            "The models answered different numbers of videos; only the paired test compares them on the "
            "same ones."
        )
    if any(m.on_cpu and m.timing.samples for m in summary.models):
        notes.append(
            "Timed on a CPU. The thesis that this comparison repeats used a GPU, where the ratios between "
            "networks and the weight of the preprocessing differ."
        )
    if preprocessed := [one_line(m.name) for m in summary.models if m.timing.preprocessed]:
        notes.append(
            f"The videos came as network input ({_listed(preprocessed)}): no preprocessing was measured, so "
            "nothing is known about real time."
        )
    notes += summary.comparison.notes
    unmeasured = ["energy", "other programs running", "the delay of a camera's own electronics"]
    if not any(m.throughput for m in summary.models):
        unmeasured.append("several videos at a time (--scenarios throughput)")
    if not any(m.stream for m in summary.models):
        unmeasured.append("whether a camera is kept up with (--scenarios stream)")
    notes.append(f"Not measured: {_listed(unmeasured)}.")
    return notes


def weights_notes(summary: Summary) -> list[str]:
    """What must stand beside every accuracy of weights that were not trained on real video."""
    notes = []
    for kind, sentence in (("demo", DEMO_WEIGHTS), ("random", RANDOM_WEIGHTS)):
        named = [m.name for m in summary.models if m.measured.weights_kind == kind]
        if named:
            notes.append(f"{sentence[0].upper()}{sentence[1:]} ({_listed(map(one_line, named))}).")
    return notes


def _listed(names: Iterable[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    *most, last = names
    return f"{', '.join(most)} and {last}" if most else last

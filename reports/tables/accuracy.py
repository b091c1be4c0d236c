"""Tables of accuracy: the target class, its confusions, and models against each other."""

from __future__ import annotations

from ..analysis.accuracy import Paired, TargetAccuracy, same_answers
from ..analysis.summary import ModelSummary, Summary
from ..numbers import bare_p_value, counted, few, one_line, p_value, percent, share
from ..statistics.intervals import ALPHA, LEVEL, Estimate, fewest_discordant, mcnemar_exact
from .table import Column, Line, Record, Table, table, values


def share_text(m: ModelSummary, estimate: Estimate | None, counts: str = "") -> str:
    """A fraction of videos with its interval, or why there is none.

    `counts`: a second line, for example "7 of 10"; only shown beside a fraction.
    """
    if m.measured.weights_kind == "random" or m.measured.model.sweep:
        return "not measured"
    return share(estimate) + (f"\n{counts}" if counts and estimate else "")


def precision_text(m: ModelSummary, counts: str = "") -> str:
    """The target class's precision with its interval; "undefined" if the class was never predicted."""
    return _precision_text(m, m.accuracy.target, counts)


def _precision_text(m: ModelSummary, t: TargetAccuracy, counts: str = "") -> str:
    return "undefined" if t.videos and not t.predicted else share_text(m, t.precision, counts)


def target_class(summary: Summary) -> Table:
    """A row for each model: the target class one-vs-rest, with top-1 and top-5 over all videos."""
    target = one_line(summary.target)
    columns = (
        Column("Model", "left"),
        Column("Top-1\nall videos"),
        Column("Top-5\nall videos"),
        Column("Precision"),
        Column("Recall"),
        Column("F1"),
        Column("Average\nprecision"),
    )
    return table(
        "target_class",
        f"Target class: {target}",
        columns,
        (_target_line(m, summary.target) for m in summary.models),
        _target_notes(summary, target),
    )


def _target_line(m: ModelSummary, target: str) -> Line:
    a, t = m.accuracy, m.accuracy.target
    n = 0 if a.top1 is None else a.top1.n
    texts = (
        one_line(m.name),
        share_text(m, a.top1, f"of {n}"),
        share_text(m, a.top5, f"of {n}"),
        precision_text(m, f"{t.hits} of {t.predicted}"),
        share_text(m, t.recall, f"{t.hits} of {t.videos}"),
        share_text(m, t.f1),
        share_text(m, t.average_precision),
    )
    record: Record = {
        "model": m.name,
        "weights": m.measured.weights_kind,
        "videos_scored": n,
        **values("top1", a.top1),
        **values("top5", a.top5),
        "target": target,
        "target_videos": t.videos,
        "target_predicted": t.predicted,
        "target_hits": t.hits,
        **values("target_precision", t.precision),
        **values("target_recall", t.recall),
        **values("target_f1", t.f1),
        **values("target_average_precision", t.average_precision),
        "reason": a.reason or t.reason,
    }
    return texts, record


def _target_notes(summary: Summary, target: str) -> list[str]:
    notes = []
    for m in summary.models:
        name, t = one_line(m.name), m.accuracy.target
        if t.reason:
            notes.append(f"{name}: {one_line(t.reason)}.")
        elif not t.predicted:
            notes.append(f"{name}: {target} was never predicted, so its precision is undefined.")
    if any(m.accuracy.top1 for m in summary.models):
        notes.append(
            f"One-vs-rest: a video counts as predicted {target} if that is its top-1 label. In brackets: "
            f"{percent(LEVEL)} intervals (Wilson; for F1, that of TP / (TP + FP + FN), transformed; for "
            "average precision, as a proportion of the class's videos)."
        )
    return notes


def at_operating_points(summary: Summary) -> Table:
    """Two rows for each model with an operating point: by the most probable class, and by that point."""
    columns = (
        Column("Model", "left"),
        Column("Predicted where", "left"),
        Column("Accuracy\nall videos"),
        Column("Precision"),
        Column("Recall"),
        Column("F1"),
        Column("Missed,\npredicted as", "left"),
        Column("False alarms,\nreally", "left"),
    )
    lines: list[Line] = []
    notes = []
    for m in summary.models:
        if (found := m.accuracy.at_operating_point) is None:
            continue
        point = found.point
        lines.append(_decided_line(m, point.label, None, m.accuracy.top1, found.most_probable))
        lines.append(_decided_line(m, point.label, point.threshold, found.accuracy, found.decided))
        notes.append(f"{one_line(m.name)}: {point}")
        if found.decided.reason:
            notes.append(f"{one_line(m.name)}: {one_line(found.decided.reason)}.")
    if lines:
        notes.append(
            "Below the threshold the most probable of the other classes is predicted. All other tables and "
            "charts are of the most probable class."
        )
    return table("at_operating_points", "At the operating point", columns, lines, notes)


def _decided_line(
    m: ModelSummary, label: str, threshold: float | None, right: Estimate | None, t: TargetAccuracy
) -> Line:
    texts = (
        f"{one_line(m.name)}\n{one_line(label)}",
        "most probable" if threshold is None else f"probability ≥ {percent(threshold, 1)}",
        share_text(m, right, f"of {0 if right is None else right.n}"),
        _precision_text(m, t, f"{t.hits} of {t.predicted}"),
        share_text(m, t.recall, f"{t.hits} of {t.videos}"),
        share_text(m, t.f1),
        *(", ".join(f"{n} {one_line(name)}" for name, n in each) for each in (t.taken_for, t.mistaken)),
    )
    record: Record = {
        "model": m.name,
        "class": label,
        "threshold": threshold,
        **values("accuracy", right),
        "class_videos": t.videos,
        "class_predicted": t.predicted,
        "class_hits": t.hits,
        **values("precision", t.precision),
        **values("recall", t.recall),
        **values("f1", t.f1),
        "reason": t.reason,
    }
    return texts, record


def confusions(summary: Summary) -> Table:
    """False negatives of the target class by predicted class, and false positives by true class."""
    target = one_line(summary.target)
    columns = (
        Column("Model", "left"),
        Column("True class", "left"),
        Column("Predicted as", "left"),
        Column("Videos"),
    )
    lines: list[Line] = []
    for m in summary.models:
        t = m.accuracy.target
        found = [(summary.target, label, n) for label, n in t.taken_for]
        found += [(label, summary.target, n) for label, n in t.mistaken]
        lines += [
            (
                (one_line(m.name), one_line(true), one_line(taken), str(n)),
                {"model": m.name, "true": true, "predicted": taken, "videos": n},
            )
            for true, taken, n in found
        ]
    measured = any(m.accuracy.target.recall for m in summary.models)
    notes = [f"{target} was confused with no other class."] if measured and not lines else []
    return table("confusions", f"Confusions of {target}", columns, lines, notes)


def paired(summary: Summary) -> Table:
    """A row for each pair of models: the videos that both predicted, with the exact McNemar test.

    Backends of one network with identical predictions share a row.
    """
    columns = (
        Column("Models", "left"),
        Column("Videos", "left"),
        Column("n"),
        Column("Both\nright"),
        Column("Only first\nright"),
        Column("Only second\nright"),
        Column("Neither\nright"),
        Column("p"),
    )
    groups = same_answers([m.measured for m in summary.models if m.accuracy.top1 is not None])
    repeated = {m.name: group[0].name for group in groups for m in group[1:]}
    notes = []
    if summary.pairs:
        notes.append(
            "p: exact McNemar test, two-sided, on the videos that only one of the two predicted correctly."
        )
    several = len({(p.first, p.second) for p in summary.pairs}) > 1
    if several:
        notes.append("p is adjusted for the number of pairs (Holm).")
    notes += [
        f"{one_line(name)} made the same predictions as {one_line(first)}, which stands for both."
        for name, first in repeated.items()
    ]
    sentences: dict[str, list[str]] = {}
    for p in summary.pairs:
        if p.adjusted_p > ALPHA or not several:  # a significant difference is clear from its row
            sentences.setdefault(paired_sentence(p), []).append(f"{p.first} vs {p.second}")
    notes += [f"{few(names)}: {sentence}" for sentence, names in sentences.items()]
    return table("paired", "Two models on the same videos", columns, map(_paired_line, summary.pairs), notes)


def _paired_line(p: Paired) -> Line:
    texts = (
        f"{one_line(p.first)}\n{one_line(p.second)}",
        one_line(p.label or "all"),
        *(str(n) for n in (p.n, p.both, p.only_first, p.only_second, p.neither)),
        bare_p_value(p.adjusted_p),
    )
    return texts, paired_record(p)


def paired_record(p: Paired) -> Record:
    """A paired comparison as raw values, for every file that holds it."""
    return {"first": p.first, "second": p.second, "label": p.label, **paired_counts(p)}


def paired_counts(p: Paired) -> Record:
    """The numbers of videos and the p-values of a paired comparison."""
    return {
        "videos": p.n,
        "both_right": p.both,
        "only_first_right": p.only_first,
        "only_second_right": p.only_second,
        "none_right": p.neither,
        "p_mcnemar_exact": p.p_value,
        "p_holm": p.adjusted_p,
    }


def paired_sentence(pair: Paired) -> str:
    """What the paired test shows about two models, and what it could have shown with `pair.n` videos."""
    fewest = fewest_discordant()
    videos = counted(pair.n, "video")
    if pair.label is not None:
        videos += f" of {one_line(pair.label)}"
    if pair.n < fewest:
        return (
            f"{videos} cannot distinguish two models: if one were always right and the other never, p would "
            f"still be {bare_p_value(mcnemar_exact(pair.n, 0))}. At least {fewest} are needed."
        )
    if pair.adjusted_p <= ALPHA:
        better = pair.first if pair.only_first > pair.only_second else pair.second
        return f"{one_line(better)} is more often right on {videos} ({p_value(pair.adjusted_p)})."
    return (
        f"no significant difference on {videos}, which does not prove that there is none: a difference of "
        f"fewer than {counted(fewest, 'video')} ({percent(fewest / pair.n)}) "
        f"cannot be significant at {percent(ALPHA)}."
    )

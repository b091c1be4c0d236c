"""Caveats: the limits of the figures, as sentences for every format of the report."""

from __future__ import annotations

import json

from ..records.scenarios.registry import SCENARIOS, scenario_type
from .analysis.accuracy import DEMO_WEIGHTS, RANDOM_WEIGHTS
from .analysis.load_runs import RunData
from .analysis.summary import Summary
from .numbers import few, listed, one_line
from .sentences import MOST_RESERVATIONS, reservations

FEW_VIDEOS = 30
"""With fewer videos of the target class a caveat is added: the 95 % interval of a recall of 70 % is then
wider than 30 percentage points."""


def caveats(summary: Summary) -> list[str]:
    """What limits the conclusions from the figures, the most important first: one sentence or two each."""
    kinds = {m.measured.weights_kind for m in summary.models}
    notes = weights_notes(summary)
    notes += [f"Also: {reservation}." for reservation in reservations(summary)[MOST_RESERVATIONS:]]
    target = one_line(summary.target)
    videos = [m.accuracy.target.videos for m in summary.models if m.accuracy.target.recall is not None]
    if videos and min(videos) < FEW_VIDEOS:
        n = min(videos)
        notes.append(
            f"Only {n} video{'' if n == 1 else 's'} of {target}: the intervals are wide. Read precision and "
            "recall together with the accuracy over all videos, and compare models by the paired test."
        )
    elif not videos and kinds != {"random"}:
        notes.append(f"No video of {target} was predicted: precision and recall of that class are unknown.")
    counts = {m.accuracy.top1.n for m in summary.models if m.accuracy.top1 is not None}
    if len(counts) > 1:
        notes.append(
            "The models predicted different numbers of videos; only the paired test compares them on the "
            "same videos."
        )
    if any(m.on_cpu and m.timing.samples for m in summary.models):
        notes.append(
            "Timed on a CPU. On a GPU the ratios between networks and the share of preprocessing differ."
        )
    if preprocessed := [m.name for m in summary.models if m.timing.preprocessed]:
        notes.append(
            f"The input was already preprocessed ({few(preprocessed)}): preprocessing was not measured, so "
            "it is unknown whether these models keep up with a camera."
        )
    notes += summary.merged.notes
    notes += [note for run in summary.merged.runs if (note := _nodes(run)) is not None]
    unmeasured = ["energy", "other programs running", "the delay of a camera's own electronics"]
    unmeasured += [
        f"{asks} (--scenarios {name})"
        for name in SCENARIOS
        if (asks := scenario_type(name).asks) is not None
        and not any(name in m.scenarios for m in summary.models)
    ]
    notes.append(f"Not measured: {listed(unmeasured)}.")
    return notes


def _nodes(run: RunData) -> str | None:
    """Where the predictions of a run on a cluster were computed; None for one machine."""
    names = frozenset[str]().union(*(columns.nodes for columns in run.clips.values()))
    if not names:
        return None
    known = run.run.environment.get("nodes", {})
    kinds = {json.dumps(known.get(name), sort_keys=True) for name in names}
    several = len(kinds) > 1
    nodes = f"{len(names)} node{'s' * (len(names) > 1)}"
    note = (
        f"The accuracy of {one_line(run.name)} was computed on {nodes} of a cluster, of {len(kinds)} "
        f"kind{'s' * several} of machine"
    )
    return note + (": the last digits of probabilities may differ between kinds." if several else ".")


def weights_notes(summary: Summary) -> list[str]:
    """Warnings that accompany every accuracy of weights that were not trained on real video."""
    notes = []
    for kind, sentence in (("demo", DEMO_WEIGHTS), ("random", RANDOM_WEIGHTS)):
        named = [m.name for m in summary.models if m.measured.weights_kind == kind]
        if named:
            notes.append(f"{sentence[0].upper()}{sentence[1:]} ({few(named)}).")
    return notes

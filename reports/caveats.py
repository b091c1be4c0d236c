"""What the figures do not say: sentences that stand beside them in every form of the report."""

from __future__ import annotations

from ..records.scenarios.registry import SCENARIOS, scenario_type
from .analysis.accuracy import DEMO_WEIGHTS, RANDOM_WEIGHTS
from .analysis.summary import Summary
from .numbers import few, listed, one_line
from .sentences import MOST_RESERVATIONS, reservations

FEW_VIDEOS = 30
"""Below this many videos of the target a 95 % interval of 70 % is wider than 30 points."""


def caveats(summary: Summary) -> list[str]:
    """What the figures do not say."""
    kinds = {m.measured.weights_kind for m in summary.models}
    notes = weights_notes(summary)
    notes += [f"Also: {reservation}." for reservation in reservations(summary)[MOST_RESERVATIONS:]]
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
    if preprocessed := [m.name for m in summary.models if m.timing.preprocessed]:
        notes.append(
            f"The videos came as network input ({few(preprocessed)}): no preprocessing was measured, so "
            "nothing is known about real time."
        )
    notes += summary.merged.notes
    unmeasured = ["energy", "other programs running", "the delay of a camera's own electronics"]
    unmeasured += [
        f"{asks} (--scenarios {name})"
        for name in SCENARIOS
        if (asks := scenario_type(name).asks) is not None
        and not any(name in m.scenarios for m in summary.models)
    ]
    notes.append(f"Not measured: {listed(unmeasured)}.")
    return notes


def weights_notes(summary: Summary) -> list[str]:
    """What must stand beside every accuracy of weights that were not trained on real video."""
    notes = []
    for kind, sentence in (("demo", DEMO_WEIGHTS), ("random", RANDOM_WEIGHTS)):
        named = [m.name for m in summary.models if m.measured.weights_kind == kind]
        if named:
            notes.append(f"{sentence[0].upper()}{sentence[1:]} ({few(named)}).")
    return notes

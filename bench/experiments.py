"""`bench experiments`: the trainings of a file, and what they are worth beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..errors import UsageError
from ..operating_point import Costs, Favour
from ..records.training import Side
from ..reports.evaluation.document import EvaluationContents, HeldOut, write_evaluation
from ..reports.evaluation.metrics import Evaluation, contrast, evaluate, ranked
from ..reports.evaluation.operating_point import choose
from ..reports.evaluation.predictions import Predictions, joined
from ..reports.numbers import listed
from ..training.experiments import Experiments, predictions_of, run_experiments
from .console.progress import Console

TOP = 3
"""Runs, the best by macro F1 on the test clips, that are evaluated on the held-out set."""


def compare_experiments(path: Path, out: Path, favour: Favour | Costs, console: Console) -> Path:
    """Carry out the trainings of the file `path` in the folder `out`, and write their evaluation there.

    - `favour`: what operating points of the target are chosen for, on the validation clips.

    Returns the path of evaluation.md. Raises as `run_experiments` does.
    """
    experiments = run_experiments(path, out, console)
    evaluations = {run: evaluate(found) for run, found in _predictions(experiments, out, "test").items()}
    if not evaluations:
        raise UsageError("no clip was tested", where=path)
    compared = {run for pair in experiments.contrasts for run in pair}
    if untested := sorted(compared - evaluations.keys()):
        what = "`contrasts` names a run of which no clip was tested"
        raise UsageError(what, where=path, found=", ".join(untested))
    target = experiments.target
    contents = EvaluationContents(
        f"Experiments: {path.stem}",
        target,
        list(evaluations.values()),
        [contrast(evaluations[first], evaluations[second]) for first, second in experiments.contrasts],
        {
            run: choose(found, target, favour)
            for run, found in _predictions(experiments, out, "validation").items()
        },
        notes=_notes(experiments),
        settings=experiments.own_settings(),
        held_out=_held_out(experiments, out, list(evaluations.values())),
    )
    return write_evaluation(contents, out)


def _predictions(experiments: Experiments, out: Path, side: Side) -> dict[str, Predictions]:
    """Run → what its trainings predicted of the clips of `side`; runs without any are left out."""
    found = predictions_of(experiments, out, side)
    return {run: joined(run, each) for run, each in found.items() if each}


def _held_out(experiments: Experiments, out: Path, tested: Sequence[Evaluation]) -> HeldOut | None:
    """The best runs on the held-out set; None where no run has one."""
    found = _predictions(experiments, out, "held-out")
    if not found:
        return None
    best = [each.predictions.name for each in ranked(tested) if each.predictions.name in found][:TOP]
    networks = max(1, experiments.folds) * len(experiments.seeds)
    for run in best:
        if experiments.runs[run].get("held_out") is None:
            raise UsageError(
                "has predictions of a held-out set, but names none",
                where=f"{experiments.where}: {run}",
                remedy="Name it with `held_out`, as when the run was trained.",
            )
    sets = sorted({Path(str(experiments.runs[run]["held_out"])).stem for run in best})
    note = f"On {listed(sets)}: {listed(best)}, the best by macro F1 on the test clips. "
    if networks > 1:
        note += (
            f"Each example is predicted by the {networks} networks of all folds and seeds of a run, and "
            "counts once for each. Intervals are over groups, so that repeating an example does not make "
            "them shorter."
        )
    return HeldOut(note.strip(), [evaluate(found[run]) for run in best])


def _notes(experiments: Experiments) -> list[str]:
    notes = []
    if experiments.folds:
        notes.append(
            "Each clip was tested once, by a network or a baseline that was trained without the fold that "
            f"its group is in ({experiments.folds} folds)."
        )
    if len(experiments.seeds) > 1:
        notes.append(
            f"Each training was repeated with {len(experiments.seeds)} seeds; a clip counts once for each. "
            "Intervals are over groups, so that repeating a clip does not make them shorter."
        )
    return notes

"""How far a model is from its float32 reference: on synthetic input and on the clips that both predicted.

The run holds both models' probabilities of each clip (`scores.bin`), so no network runs again. The logarithm
of the probabilities equals the logits up to a constant per clip; subtracting the class mean removes it.
docs/backends.md derives the limit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...records.clips.scores import CHUNK
from ...records.run import AgreementVerdict, Drift
from ..numbers import number, one_line
from .load_runs import ModelData

SMALLEST = 1e-30
"""Lower bound of probabilities before the logarithm, so that float32 underflow gives no infinite logits."""


@dataclass(frozen=True, slots=True)
class OnClips:
    """The difference between two models' probabilities of the clips that both predicted.

    - `clips`: number of these clips. `same_top1`: number of them with the same top-1 class.
    - `p_median`, `p_largest`: median and maximum over clips of the largest difference of any class's
      probability.
    - `p_target`: largest difference of the target class's probability; None if it is none of their classes.
    - `relative_l2`: relative L2 distance of the logits, centred for each clip.
    - `verdict`: by the limits of synthetic input; None for older runs, which do not record these limits.
    """

    clips: int
    same_top1: int
    p_median: float
    p_largest: float
    p_target: float | None
    relative_l2: float
    verdict: AgreementVerdict | None


@dataclass(frozen=True, slots=True)
class Agreement:
    """A model compared with its reference.

    - `reference`: its key; for a file or a folder, without the folders above it.
    - `in_run`: whether it is a model of the run, or was computed only for this comparison.
    - `drawn`: the comparison on synthetic ("drawn") input: `ModelRecord.drift`. `on_drawn`: its verdict.
    - `on_clips`: the comparison on clips; None if no clip was predicted by both.
    - `verdict`: the overall verdict. In float32 the worse of the two. In other precisions that of the clips,
      which the weights were trained for, unless the comparison with random weights is "other".
    """

    reference: str
    in_run: bool
    drawn: Drift
    on_drawn: AgreementVerdict
    on_clips: OnClips | None
    verdict: AgreementVerdict


def agreement(model: ModelData, models: Iterable[ModelData], target: str) -> Agreement | None:
    """How well `model` agrees with its reference; None if it was not compared with one.

    - `models`: the models of the report, among them the reference if it is in the run.
    - `target`: the target class.
    """
    drift = model.model.drift
    if drift is None:
        return None
    reference = next((m for m in models if (m.run, m.model.key) == (model.run, drift.reference)), None)
    clips = None if reference is None else _on_clips(model, reference, target)
    drawn = _on_drawn(drift, model.model.precision)
    verdicts = [drawn] if clips is None or clips.verdict is None else [drawn, clips.verdict]
    if model.model.precision == "fp32":
        verdict: AgreementVerdict = "other" if "other" in verdicts else drawn
    else:
        verdict = "other" if drift.random_weights == "other" else verdicts[-1]
    name = drift.reference.rpartition("/")[2]
    return Agreement(name, reference is not None, drift, drawn, clips, verdict)


def _on_drawn(drift: Drift, precision: str) -> AgreementVerdict:
    """The recorded verdict. Half precisions of older runs count as "drifts": their rule was too strict."""
    if drift.verdict is not None:
        return drift.verdict
    if precision != "fp32":
        return "drifts"
    return "other" if drift.agrees is False else "same"


def _on_clips(model: ModelData, reference: ModelData, target: str) -> OnClips | None:
    if model.model.labels != reference.model.labels:
        return None
    theirs, mine = reference.clips.shared(model.clips)
    both = reference.scores.known[theirs] & model.scores.known[mine]
    theirs, mine = theirs[both], mine[both]
    if not len(theirs):
        return None
    labels = model.model.labels
    parts = [
        _difference(
            reference.scores.rows(theirs[start : start + CHUNK]),
            model.scores.rows(mine[start : start + CHUNK]),
            labels.index(target) if target in labels else None,
        )
        for start in range(0, len(theirs), CHUNK)
    ]
    largest = np.concatenate([part.largest for part in parts])
    squares = math.fsum(part.squares for part in parts)
    relative = math.sqrt(math.fsum(part.squared_error for part in parts) / (squares or 1.0))
    drift = model.model.drift
    verdict: AgreementVerdict | None = None
    if drift is not None and drift.tolerance is not None:
        # Two logits that are each off by the tolerance change their difference by twice as much.
        if max(part.largest_logit for part in parts) <= 2 * drift.tolerance:
            verdict = "same"
        elif model.model.precision == "fp32" or (drift.limit is not None and relative > drift.limit):
            verdict = "other"
        else:
            verdict = "drifts"
    return OnClips(
        clips=len(theirs),
        same_top1=sum(part.same_top1 for part in parts),
        p_median=float(np.median(largest)),
        p_largest=float(largest.max()),
        p_target=max(part.target for part in parts) if target in labels else None,
        relative_l2=relative,
        verdict=verdict,
    )


@dataclass(frozen=True, slots=True)
class _Difference:
    """Between the probabilities of some clips by the reference and by a model.

    - `same_top1`: number of these clips. `largest`: (clips,) of any class. `target`: of the target class.
    - `squares`, `squared_error`: sums of squares of the reference's logits, and of the differences.
    - `largest_logit`: largest difference of a logit.
    """

    same_top1: int
    largest: npt.NDArray[np.float64]
    target: float
    squares: float
    squared_error: float
    largest_logit: float


def _difference(
    reference: npt.NDArray[np.float32], model: npt.NDArray[np.float32], target: int | None
) -> _Difference:
    p, q = reference.astype(np.float64), model.astype(np.float64)
    expected, found = _logits(p), _logits(q)
    error, differences = found - expected, np.abs(p - q)
    return _Difference(
        same_top1=int((p.argmax(1) == q.argmax(1)).sum()),
        largest=differences.max(1),
        target=0.0 if target is None else float(differences[:, target].max()),
        squares=float(np.vdot(expected, expected)),
        squared_error=float(np.vdot(error, error)),
        largest_logit=float(np.abs(error).max()),
    )


def _logits(probabilities: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Logits (clips, classes), centred for each clip."""
    logits = np.log(np.maximum(probabilities, SMALLEST))
    centred: npt.NDArray[np.float64] = logits - logits.mean(1, keepdims=True)
    return centred


_VERDICT_TEXTS: Mapping[AgreementVerdict, str] = {
    "same": "matches {} to rounding",
    "drifts": "drifts from {}",
    "other": "DOES NOT MATCH {}",
}


def verdict_text(found: Agreement, target: str) -> str:
    """The verdict and its figures as a sentence without its subject (the model) and full stop."""
    verdict = _VERDICT_TEXTS[found.verdict].format(one_line(found.reference))
    parts = [_drawn_text(found), _clips_text(found, target)]
    if found.drawn.random_weights == "other":
        parts.append("with random weights on synthetic input it is off by more than the limit")
    elif found.on_clips is not None and found.on_drawn == "other" != found.verdict:
        parts.append("more than the limit on synthetic input, but not on the clips, which decide")
    return f"{verdict}: {'; '.join(parts)}"


def _drawn_text(found: Agreement) -> str:
    drawn = found.drawn
    relative, largest = f"{drawn.relative_l2:.1e}", f"{drawn.max_abs:.1e}"
    text = f"on synthetic input the logits are {relative} off (relative L2; largest difference {largest})"
    if drawn.limit is not None and drawn.yardstick is not None:
        rounding = f"rounding only weights and input gives {drawn.yardstick:.1e}"
        return f"{text}, limit {drawn.limit:.1e}, {rounding}"
    if found.on_drawn == "drifts" or drawn.tolerance is None:
        return f"{text}, no limit known"
    return f"{text}, tolerance {drawn.tolerance:g}"


def _clips_text(found: Agreement, target: str) -> str:
    clips = found.on_clips
    if clips is None:
        missing = "no clip was predicted by both"
        return missing if found.in_run else "no clips: the reference is not in the run"
    of_target = "" if clips.p_target is None else f", of {one_line(target)} at most {delta_p(clips.p_target)}"
    return (
        f"on {clips.clips} clip{'' if clips.clips == 1 else 's'} the same top-1 in {clips.same_top1}, "
        f"|Δp| {delta_p(clips.p_median)} in the median, {delta_p(clips.p_largest)} at most"
        f"{of_target}, logits {clips.relative_l2:.1e} off"
    )


def delta_p(difference: float) -> str:
    """A difference of probabilities (0–1) as text with two significant digits."""
    return "below 0.0001" if difference < 1e-4 else number(difference, 2)

"""How far a model is from its float32 reference: on drawn input, as recorded, and on the clips both answered.

The run has both models' probabilities of each clip (`scores.bin`), so nothing is computed again. A logarithm
of the probabilities gives back the logits but for a constant a clip, which taking the mean of all classes
away makes the same for both. docs/backends.md derives the limit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..numbers import number, one_line
from .load_runs import ModelData

AgreementVerdict = Literal["same", "drifts", "other"]
"""The same to float32's rounding; off by no more than the precision explains; another network."""

SMALLEST = 1e-30
"""Probabilities below are taken for this: float32 has fewer digits there."""


@dataclass(frozen=True, slots=True)
class OnClips:
    """Two models' probabilities of the clips that both answered.

    - `clips`: how many. `same_top1`: of them, those with the same first class.
    - `p_median`, `p_largest`: over the clips, of the largest difference of any class's probability.
    - `p_target`: largest difference of the target class's probability; None if it is no class of theirs.
    - `relative_l2`: distance of the logits, each clip's mean taken away.
    - `verdict`: by the limits of drawn input; None for a run from before they were recorded.
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
    """A model against its reference.

    - `reference`: its key. `in_run`: whether it is a model of the run, or computed for this alone.
    - `drawn`: `ModelRecord.drift`. `on_drawn`: what drawn input says. `on_clips`: None where no clip was
      answered by both.
    - `verdict`: what both say together. In float32, where there is little to explain, the worse of them; in
      another precision what the clips say, which are what the weights were made for, unless random weights
      show that it is another network.
    """

    reference: str
    in_run: bool
    drawn: Mapping[str, Any]
    on_drawn: AgreementVerdict
    on_clips: OnClips | None
    verdict: AgreementVerdict


def agreement(model: ModelData, models: Iterable[ModelData], target: str) -> Agreement | None:
    """How `model` agrees with its reference, which `models` may hold; None if it was compared with none."""
    drift = model.model.drift
    if drift is None:
        return None
    reference = next((m for m in models if (m.run, m.model.key) == (model.run, drift["reference"])), None)
    clips = None if reference is None else _on_clips(model, reference, target)
    drawn = _on_drawn(model)
    verdicts = [drawn] if clips is None or clips.verdict is None else [drawn, clips.verdict]
    if model.model.precision == "fp32":
        verdict: AgreementVerdict = "other" if "other" in verdicts else drawn
    else:
        verdict = "other" if drift.get("random_weights") == "other" else verdicts[-1]
    return Agreement(str(drift["reference"]), reference is not None, drift, drawn, clips, verdict)


def _on_drawn(model: ModelData) -> AgreementVerdict:
    """What was recorded; half precisions of runs with an older rule, which accused right ones, drift."""
    drift = model.model.drift or {}
    if (verdict := drift.get("verdict")) in ("same", "drifts", "other"):
        return verdict  # type: ignore[no-any-return]
    if model.model.precision != "fp32":
        return "drifts"
    return "other" if drift.get("agrees") is False else "same"


def _on_clips(model: ModelData, reference: ModelData, target: str) -> OnClips | None:
    both = [clip for clip in reference.scores if clip in model.scores]
    if not both or model.model.labels != reference.model.labels:
        return None
    p, q = (np.stack([m.scores[clip] for clip in both]).astype(np.float64) for m in (reference, model))
    expected, found = _logits(p), _logits(q)
    differences = np.abs(p - q)
    largest = differences.max(1)
    labels = model.model.labels
    relative = float(np.linalg.norm(found - expected) / (np.linalg.norm(expected) or 1.0))
    drift = model.model.drift or {}
    limit = drift.get("limit")
    verdict: AgreementVerdict | None = None
    if (tolerance := drift.get("tolerance")) is not None:
        # Two logits that are each off by the tolerance change their difference by twice as much.
        if np.abs(found - expected).max() <= 2 * tolerance:
            verdict = "same"
        elif model.model.precision == "fp32" or (limit is not None and relative > limit):
            verdict = "other"
        else:
            verdict = "drifts"
    return OnClips(
        clips=len(both),
        same_top1=int((p.argmax(1) == q.argmax(1)).sum()),
        p_median=float(np.median(largest)),
        p_largest=float(largest.max()),
        p_target=float(differences[:, labels.index(target)].max()) if target in labels else None,
        relative_l2=relative,
        verdict=verdict,
    )


def _logits(probabilities: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Logits (clips, classes) but for each clip's mean."""
    logits = np.log(np.maximum(probabilities, SMALLEST))
    centred: npt.NDArray[np.float64] = logits - logits.mean(1, keepdims=True)
    return centred


_VERDICT_TEXTS: Mapping[AgreementVerdict, str] = {
    "same": "matches {} to rounding",
    "drifts": "drifts from {}",
    "other": "DOES NOT MATCH {}",
}


def verdict_text(found: Agreement, target: str) -> str:
    """The verdict and the figures behind it, without the model's name and a full stop."""
    verdict = _VERDICT_TEXTS[found.verdict].format(one_line(found.reference))
    parts = [_drawn_text(found), _clips_text(found, target)]
    if found.drawn.get("random_weights") == "other":
        parts.append("with random weights on drawn input it is off by more than the limit")
    elif found.on_clips is not None and found.on_drawn == "other" != found.verdict:
        parts.append("more than the limit on drawn input, but not on the clips, which decide")
    return f"{verdict}: {'; '.join(parts)}"


def _drawn_text(found: Agreement) -> str:
    drawn, limit = found.drawn, found.drawn.get("limit")
    relative, largest = f"{drawn['relative_l2']:.1e}", f"{drawn['max_abs']:.1e}"
    text = f"on drawn input the logits are {relative} off (relative L2; {largest} at most)"
    if limit is not None:
        return f"{text}, limit {limit:.1e}, rounding weights and input alone gives {drawn['yardstick']:.1e}"
    if found.on_drawn == "drifts" or "tolerance" not in drawn:
        return f"{text}, no limit known"
    return f"{text}, tolerance {drawn['tolerance']:g}"


def _clips_text(found: Agreement, target: str) -> str:
    clips = found.on_clips
    if clips is None:
        return "no clip was answered by both" if found.in_run else "no clips: the reference is not in the run"
    of_target = "" if clips.p_target is None else f", of {one_line(target)} at most {delta_p(clips.p_target)}"
    return (
        f"on {clips.clips} clip{'' if clips.clips == 1 else 's'} the same top-1 in {clips.same_top1}, "
        f"|Δp| {delta_p(clips.p_median)} in the median, {delta_p(clips.p_largest)} at most"
        f"{of_target}, logits {clips.relative_l2:.1e} off"
    )


def delta_p(difference: float) -> str:
    """A difference of probabilities to two digits."""
    return "below 0.0001" if difference < 1e-4 else number(difference, 2)

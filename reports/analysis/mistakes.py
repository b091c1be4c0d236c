"""Wrong predictions with a high probability: the mistakes worth looking at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..numbers import one_line, percent
from ..tables.table import Column, Line, Table, table
from .summary import ModelSummary, Summary


@dataclass(frozen=True, slots=True)
class ModelAnswer:
    """One model's prediction of a video: its top-1 label, with that label's probability (0–1)."""

    model: str
    label: str
    probability: float
    right: bool


@dataclass(frozen=True, slots=True)
class Mistake:
    """A video that at least one model predicted wrongly.

    - `run`: name of the run. `clip`: id of the clip.
    - `label`: the true class.
    - `answers`: the predictions of all models of the run.
    """

    run: str
    clip: str
    label: str
    answers: tuple[ModelAnswer, ...]

    @property
    def confidence(self) -> float:
        """The highest probability of a wrong label."""
        return max(answer.probability for answer in self.answers if not answer.right)


def worst_mistakes(summary: Summary, most: int) -> tuple[Mistake, ...]:
    """At most `most` videos with the most confident wrong predictions, the most confident first."""
    # Of each model as many are candidates: what is behind them there is behind them in all.
    candidates = dict.fromkeys(
        (m.measured.run, clip, label)
        for m in summary.models
        for clip, label, _, _ in sorted(_wrong(m, most), key=_order)[:most]
    )
    wrong = [Mistake(*key, _answers(summary, *key)) for key in candidates]
    return tuple(sorted(wrong, key=lambda mistake: (-mistake.confidence, mistake.clip))[:most])


def _answers(summary: Summary, run: str, clip: str, label: str) -> tuple[ModelAnswer, ...]:
    """What the models of a run predict of a clip with this label."""
    answers = []
    for m in summary.models:
        clips = m.measured.clips
        row = clips.rows.get(clip)
        if m.measured.run != run or m.accuracy.top1 is None or row is None or not clips.counted[row]:
            continue
        true, taken = clips.names[clips.column("label")[row]], clips.names[clips.top1[row]]
        if true == label:
            probability = float(clips.column("probability")[row, 0])
            answers.append(ModelAnswer(m.name, taken, probability, taken == true))
    return tuple(answers)


def mistakes(summary: Summary) -> Table:
    """Every wrong prediction, the most confident first."""
    columns = (
        Column("Video", "left"),
        Column("True class", "left"),
        Column("Model", "left"),
        Column("Predicted as", "left"),
        Column("Probability"),
    )
    wrong = [(*mistake, m.name) for m in summary.models for mistake in _wrong(m)]
    wrong.sort(key=lambda each: (*_order(each[:4]), each[4]))
    notes = ["The most confident first."] if wrong else []
    return table("mistakes", "Mistakes", columns, map(_line, wrong), notes)


def _line(mistake: tuple[str, str, str, float, str]) -> Line:
    clip, true, taken, probability, name = mistake
    return (*map(one_line, (clip, true, name, taken)), percent(probability)), {
        "clip": clip,
        "true": true,
        "model": name,
        "predicted": taken,
        "probability": probability,
    }


_Wrong = tuple[str, str, str, float]
"""A wrong prediction: clip, label, what was predicted, with which probability."""


def _wrong(m: ModelSummary, most: int | None = None) -> Iterator[_Wrong]:
    """The wrong predictions that count; none of random weights.

    - `most`: only those that may be among as many most confident ones.
    """
    if m.accuracy.top1 is None:
        return
    clips = m.measured.clips
    rows = np.flatnonzero(clips.counted & ~clips.right)
    probabilities = clips.column("probability")[rows, 0]
    if most is not None and len(rows) > most:
        # Several may be as confident as the last one.
        chosen = probabilities >= np.partition(probabilities, -most)[-most]
        rows, probabilities = rows[chosen], probabilities[chosen]
    labels, taken = clips.column("label")[rows].tolist(), clips.top1[rows].tolist()
    for row, label, answer, probability in zip(rows, labels, taken, probabilities.tolist(), strict=True):
        yield clips.clips[row], clips.names[label], clips.names[answer], probability


def _order(mistake: _Wrong) -> tuple[float, str]:
    """By which the most confident come first."""
    clip, _, _, probability = mistake
    return -probability, clip

"""Wrong predictions with a high probability: the mistakes worth looking at."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from ...records.run import ClipRecord
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
    found: defaultdict[tuple[str, str, str], list[ModelAnswer]] = defaultdict(list)
    for m, record in _scored(summary):
        label, probability = record.top5[0]
        answer = ModelAnswer(m.name, label, probability, label == record.label)
        found[m.measured.run, record.clip, str(record.label)].append(answer)
    wrong = [
        Mistake(*key, tuple(answers)) for key, answers in found.items() if not all(a.right for a in answers)
    ]
    return tuple(sorted(wrong, key=lambda mistake: (-mistake.confidence, mistake.clip))[:most])


def mistakes(summary: Summary) -> Table:
    """Every wrong prediction, the most confident first."""
    columns = (
        Column("Video", "left"),
        Column("True class", "left"),
        Column("Model", "left"),
        Column("Predicted as", "left"),
        Column("Probability"),
    )
    wrong = [(m.name, r) for m, r in _scored(summary) if r.top5[0][0] != r.label]
    wrong.sort(key=lambda item: (-item[1].top5[0][1], item[1].clip, item[0]))
    notes = ["The most confident first."] if wrong else []
    return table("mistakes", "Mistakes", columns, (_line(name, r) for name, r in wrong), notes)


def _line(name: str, record: ClipRecord) -> Line:
    taken, probability = record.top5[0]
    true = str(record.label)
    texts = (record.clip, true, name, taken)
    return (*map(one_line, texts), percent(probability)), {
        "clip": record.clip,
        "true": true,
        "model": name,
        "predicted": taken,
        "probability": probability,
    }


def _scored(summary: Summary) -> Iterator[tuple[ModelSummary, ClipRecord]]:
    """The predictions that count as right or wrong; none of random weights."""
    for m in summary.models:
        if m.accuracy.top1 is not None:
            for record in m.measured.clips:
                if record.error is None and record.scored:
                    yield m, record

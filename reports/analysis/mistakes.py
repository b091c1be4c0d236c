"""Where networks were wrong and sure of it: the mistakes worth looking at."""

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
    """What a model said of a video: its first label, with that label's probability."""

    model: str
    label: str
    probability: float
    right: bool


@dataclass(frozen=True, slots=True)
class Mistake:
    """A video that at least one model was wrong about, with what all of them said. `run`: whose video."""

    run: str
    clip: str
    label: str
    answers: tuple[ModelAnswer, ...]

    @property
    def confidence(self) -> float:
        """The highest probability of a wrong label."""
        return max(s.probability for s in self.answers if not s.right)


def worst_mistakes(summary: Summary, most: int) -> tuple[Mistake, ...]:
    """The videos with the most confident wrong answers, at most `most`, the most confident first."""
    found: defaultdict[tuple[str, str, str], list[ModelAnswer]] = defaultdict(list)
    for m, record in _scored(summary):
        label, probability = record.top5[0]
        said = ModelAnswer(m.name, label, probability, label == record.label)
        found[m.measured.run, record.clip, str(record.label)].append(said)
    wrong = [Mistake(*key, tuple(said)) for key, said in found.items() if not all(s.right for s in said)]
    return tuple(sorted(wrong, key=lambda mistake: (-mistake.confidence, mistake.clip))[:most])


def mistakes(summary: Summary) -> Table:
    """Every wrong answer, the most confident first."""
    columns = (
        Column("Video", "left"),
        Column("True class", "left"),
        Column("Model", "left"),
        Column("Taken for", "left"),
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
    """The answers that count as right or wrong; none of random weights."""
    for m in summary.models:
        if m.accuracy.top1 is not None:
            for record in m.measured.clips:
                if record.error is None and record.scored:
                    yield m, record
